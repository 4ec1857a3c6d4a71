#include "control/client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace escort::control {

namespace {

constexpr const char* kRunning = "Is it running? See 'systemctl status escortd'.";

tl::unexpected<Failure> unreachable(const std::string& path, const std::string& why) {
    return failure(Exit::unreachable, "escortd", "can't be reached at " + path + ": " + why, kRunning);
}

} // namespace

Outcome<Client> Client::connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return failure(Exit::usage, path, "is too long for a socket's path");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return unreachable(path, std::strerror(errno));
    // Never waits: a full backlog is EAGAIN.
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (errno == EACCES || errno == EPERM)
            return failure(Exit::not_permitted, "escortd", "this user may not talk to it",
                           "Use root, or for reading a member of the group escortd.");
        return unreachable(path, errno == EAGAIN ? "it is busy" : std::strerror(errno));
    }
    return Client(path, std::move(socket));
}

Outcome<nlohmann::json> Client::call(const std::string& name, nlohmann::json params,
                                     std::chrono::milliseconds time) {
    const auto until = Clock::now() + time;
    if (auto sent = send(encode_call({name, std::move(params)}), until); !sent)
        return tl::unexpected<Failure>(sent.error());
    const auto line = receive(until);
    if (!line) return tl::unexpected<Failure>(line.error());
    return decode_answer(*line);
}

Outcome<bool> Client::wait(short events, Clock::time_point until) const {
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) return unreachable(path_, "it gave no answer in time");
        pollfd wanted{socket_.get(), events, 0};
        const int ready = ::poll(&wanted, 1, static_cast<int>(std::min<long>(left, 60'000)));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return unreachable(path_, std::strerror(errno));
    }
}

Outcome<bool> Client::send(const std::string& line, Clock::time_point until) const {
    std::size_t at = 0;
    while (at < line.size()) {
        const ssize_t put =
            ::send(socket_.get(), line.data() + at, line.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put >= 0) {
            at += static_cast<std::size_t>(put);
            continue;
        }
        // Closed already: why is perhaps waiting to be read.
        if (errno == EPIPE || errno == ECONNRESET) return true;
        if (errno != EAGAIN && errno != EINTR) return unreachable(path_, std::strerror(errno));
        if (auto ready = wait(POLLOUT, until); !ready) return ready;
    }
    return true;
}

Outcome<std::string> Client::receive(Clock::time_point until) const {
    std::string line;
    std::array<char, 65536> piece; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    for (;;) {
        const ssize_t got = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return unreachable(path_, "it closed the connection");
        if (got < 0) {
            if (errno != EAGAIN && errno != EINTR) return unreachable(path_, std::strerror(errno));
            if (auto ready = wait(POLLIN, until); !ready) return tl::unexpected<Failure>(ready.error());
            continue;
        }
        // One request is open at a time, so nothing follows the answer's line end.
        const auto* const end = std::find(piece.data(), piece.data() + got, '\n');
        line.append(piece.data(), static_cast<std::size_t>(end - piece.data()));
        if (end != piece.data() + got) return line;
        if (line.size() > kAnswerBytes) return unreachable(path_, "its answer is too long");
    }
}

} // namespace escort::control
