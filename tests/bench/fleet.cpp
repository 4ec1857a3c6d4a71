// Watchers of a NATS bucket in great number, for tools/bench fleet: each is a connection of its own that
// makes the consumers that escort-courier makes (agent/courier/nats_link.cpp) and waits. One thread, epoll,
// the NATS protocol.
//
//   fleet PORT FIRST COUNT BUCKET GROUP     hosts hFIRST .. hFIRST+COUNT-1
//   fleet publish PORT BUCKET KEY           puts one value: the time
//
// A value is "t<CLOCK_MONOTONIC ns>". A line of JSON for each that all hosts have received, or after 10 s:
//   {"t": ns, "received": n, "p50_ms": x, "p99_ms": x, "last_ms": x}
// and {"ready": n, "seconds": s, "peak_per_second": n} when all hosts watch (again).
#include "courier/backoff.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

std::uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

struct Host {
    int fd = -1;
    unsigned number = 0;
    escort::courier::Backoff backoff;
    std::uint64_t try_at = 0; // when not connected
    unsigned made = 0;        // consumers
    std::string in, out;
};

std::string bucket, group;
int port, epoll_fd;
std::mt19937_64 dice{std::random_device{}()};
std::map<std::uint64_t, std::vector<double>> latencies; // of each value, in milliseconds
std::map<std::uint64_t, std::uint64_t> first_seen;
std::vector<std::uint64_t> connects; // when
unsigned watching, total;
constexpr unsigned kKeys = 4;

sockaddr_in address() {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return to;
}

void watch(Host& host, std::uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &host;
    epoll_ctl(epoll_fd, operation, host.fd, &event);
}

void lost(Host& host) {
    if (host.fd >= 0) close(host.fd);
    if (host.made == kKeys) watching--;
    host.fd = -1;
    host.made = 0;
    host.in.clear();
    host.out.clear();
    host.try_at =
        now_ns() + host.backoff.next_ms(std::uniform_real_distribution<double>(0, 1)(dice)) * 1'000'000;
}

void flush(Host& host) {
    while (!host.out.empty()) {
        const ssize_t put = send(host.fd, host.out.data(), host.out.size(), MSG_NOSIGNAL);
        if (put < 0 && errno == EAGAIN) break;
        if (put < 0) return lost(host);
        host.out.erase(0, static_cast<std::size_t>(put));
    }
    watch(host, EPOLLIN | (host.out.empty() ? 0U : EPOLLOUT), EPOLL_CTL_MOD);
}

void connect_host(Host& host) {
    host.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const sockaddr_in to = address();
    connects.push_back(now_ns());
    if (connect(host.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
        return lost(host);
    watch(host, EPOLLIN, EPOLL_CTL_ADD);
}

void begin(Host& host) {
    const std::string id = "h" + std::to_string(host.number);
    host.out += "CONNECT "
                "{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\"lang\":"
                "\"c\",\"version\":\"1\"}\r\n";
    host.out += "SUB escort.inbox." + id + ".r 1\r\n";
    const std::string keys[kKeys] = {"host." + id, "host." + id + ".>", "group." + group,
                                     "group." + group + ".>"};
    for (unsigned i = 0; i < kKeys; i++) {
        const std::string name = "e" + std::to_string(dice());
        const std::string filter = "$KV." + bucket + "." + keys[i];
        const std::string body = "{\"stream_name\":\"KV_" + bucket +
                                 "\",\"config\":{\"deliver_policy\":\"last_per_subject\",\"name\":\"" + name +
                                 "\",\"deliver_subject\":\"escort.inbox." + id + ".d" + std::to_string(i) +
                                 "\",\"ack_policy\":\"none\",\"max_deliver\":1,\"filter_subject\":\"" +
                                 filter +
                                 "\",\"replay_policy\":\"instant\",\"flow_control\":true,\"idle_heartbeat\":"
                                 "5000000000,\"num_replicas\":1,\"mem_storage\":true}}";
        host.out +=
            "SUB escort.inbox." + id + ".d" + std::to_string(i) + " " + std::to_string(i + 2) + "\r\n";
        host.out += "PUB $JS.API.CONSUMER.CREATE.KV_" + bucket + "." + name + "." + filter +
                    " escort.inbox." + id + ".r " + std::to_string(body.size()) + "\r\n" + body + "\r\n";
    }
    flush(host);
}

void take(Host& host, std::string_view subject, std::string_view reply, std::string_view headers,
          std::string_view payload) {
    const bool answer = subject.ends_with(".r");
    if (answer) {
        if (payload.find("\"error\"") != std::string_view::npos) {
            std::fprintf(stderr, "%.*s\n", static_cast<int>(payload.size()), payload.data());
            return lost(host);
        }
        if (++host.made < kKeys) return;
        host.backoff.succeeded();
        watching++;
        return;
    }
    if (headers.find("100 FlowControl") != std::string_view::npos) { // what a subscriber must answer
        host.out += "PUB " + std::string(reply) + " 0\r\n\r\n";
        return flush(host);
    }
    if (payload.size() < 2 || payload[0] != 't') return;
    const std::uint64_t sent = std::strtoull(std::string(payload.substr(1)).c_str(), nullptr, 10);
    const std::uint64_t now = now_ns();
    first_seen.emplace(sent, now);
    latencies[sent].push_back(static_cast<double>(now - sent) / 1e6);
}

// One message of `host.in`, if it is whole: how many bytes it took; 0: not yet.
std::size_t parse(Host& host) {
    const std::size_t end = host.in.find("\r\n");
    if (end == std::string::npos) return 0;
    const std::string_view line = std::string_view(host.in).substr(0, end);
    if (line.starts_with("INFO ")) {
        if (host.made == 0 && host.out.empty() && line.find("\"connect_urls\"") == std::string_view::npos)
            begin(host);
        return end + 2;
    }
    if (line.starts_with("PING")) {
        host.out += "PONG\r\n";
        flush(host);
        return end + 2;
    }
    const bool with_headers = line.starts_with("HMSG ");
    if (!with_headers && !line.starts_with("MSG ")) return end + 2;
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t space = std::min(line.find(' ', at), line.size());
        if (space > at) words.push_back(line.substr(at, space - at));
        at = space + 1;
    }
    const std::size_t counts = with_headers ? 2 : 1;
    const std::size_t size = std::strtoull(std::string(words.back()).c_str(), nullptr, 10);
    const std::size_t header_size =
        with_headers ? std::strtoull(std::string(words[words.size() - 2]).c_str(), nullptr, 10) : 0;
    if (host.in.size() < end + 2 + size + 2) return 0;
    const std::string_view reply = words.size() > 3 + counts ? words[3] : std::string_view();
    const std::string_view body = std::string_view(host.in).substr(end + 2, size);
    const std::string subject(words[1]), reply_to(reply), headers(body.substr(0, header_size)),
        payload(body.substr(header_size));
    take(host, subject, reply_to, headers, payload);
    return end + 2 + size + 2;
}

void readable(Host& host) {
    char buffer[65536];
    const ssize_t got = recv(host.fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return lost(host);
    host.in.append(buffer, static_cast<std::size_t>(got));
    std::size_t used = 0;
    while (host.fd >= 0 && (used = parse(host)) > 0)
        host.in.erase(0, std::min(used, host.in.size()));
}

void tell_values() {
    for (auto each = latencies.begin(); each != latencies.end();) {
        auto& all = each->second;
        if (all.size() < total && now_ns() - first_seen[each->first] < 10'000'000'000) {
            ++each;
            continue;
        }
        std::sort(all.begin(), all.end());
        std::printf(
            "{\"t\": %llu, \"received\": %zu, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"last_ms\": %.2f}\n",
            static_cast<unsigned long long>(each->first), all.size(), all[all.size() / 2],
            all[all.size() * 99 / 100], all.back());
        std::fflush(stdout);
        each = latencies.erase(each);
    }
}

void tell_ready() {
    static bool told = false;
    static std::uint64_t since = now_ns();
    if (watching < total) {
        if (told) since = now_ns(), connects.clear();
        told = false;
        return;
    }
    if (told) return;
    told = true;
    std::size_t peak = 0;
    for (std::size_t first = 0, last = 0; last < connects.size(); last++) {
        while (connects[last] - connects[first] > 1'000'000'000)
            first++;
        peak = std::max(peak, last - first + 1);
    }
    std::printf("{\"ready\": %u, \"seconds\": %.2f, \"peak_per_second\": %zu}\n", watching,
                static_cast<double>(now_ns() - since) / 1e9, peak);
    std::fflush(stdout);
}

int publish(const char* key) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in to = address();
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return 1;
    char buffer[4096];
    (void)!read(fd, buffer, sizeof buffer); // INFO
    std::string text = "CONNECT {\"verbose\":false}\r\nPING\r\n";
    (void)!write(fd, text.data(), text.size());
    (void)!read(fd, buffer, sizeof buffer); // PONG
    const std::string value = "t" + std::to_string(now_ns());
    text = "PUB $KV." + bucket + "." + key + " " + std::to_string(value.size()) + "\r\n" + value +
           "\r\nPING\r\n";
    (void)!write(fd, text.data(), text.size());
    (void)!read(fd, buffer, sizeof buffer);
    std::printf("%s\n", value.c_str() + 1);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 5 && std::strcmp(argv[1], "publish") == 0) {
        port = std::atoi(argv[2]);
        bucket = argv[3];
        return publish(argv[4]);
    }
    if (argc != 6) return 2;
    port = std::atoi(argv[1]);
    const unsigned first = static_cast<unsigned>(std::atoi(argv[2]));
    total = static_cast<unsigned>(std::atoi(argv[3]));
    bucket = argv[4];
    group = argv[5];
    const rlimit files{65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    std::vector<Host> hosts(total);
    for (unsigned i = 0; i < total; i++) {
        hosts[i].number = first + i;
        hosts[i].try_at =
            now_ns() + std::uniform_int_distribution<std::uint64_t>(0, 2'000'000'000)(dice); // as at a boot
    }
    std::vector<epoll_event> events(1024);
    for (;;) {
        const std::uint64_t now = now_ns();
        for (auto& host : hosts)
            if (host.fd < 0 && host.try_at <= now) connect_host(host);
        const int count = epoll_wait(epoll_fd, events.data(), static_cast<int>(events.size()), 20);
        for (int i = 0; i < count; i++) {
            auto& host = *static_cast<Host*>(events[static_cast<std::size_t>(i)].data.ptr);
            const auto what = events[static_cast<std::size_t>(i)].events;
            if (host.fd >= 0 && (what & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) readable(host);
            if (host.fd >= 0 && (what & EPOLLOUT) != 0) flush(host);
        }
        tell_ready();
        tell_values();
    }
}
