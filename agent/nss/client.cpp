#include "nss/client.h"

#include "nss/helper.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace escort {

namespace {

constexpr int kReapAtEndMs = 100; // how long the destructor waits for a killed helper's zombie

NssClient& client_of(void* self) {
    return *static_cast<NssClient*>(self);
}

// A login waits for a name, an operator for a reload's accounts. Any tenant with subordinate uids can have
// thousands of numbers asked for.
int rank_of(const NssQuestion& question) {
    if (std::holds_alternative<NameQuestion>(question)) return 0;
    return std::holds_alternative<AccountsQuestion>(question) ? 1 : 2;
}

} // namespace

NssClient::NssClient(sd_event* loop, NssClientOptions options)
    : loop_(sd_event_ref(loop)), options_(std::move(options)) {}

NssClient::~NssClient() {
    drop_helper();
    for (auto& dying : dying_) {
        dying.source.reset();
        pollfd waiting{dying.child.pidfd.get(), POLLIN, 0};
        if (::poll(&waiting, 1, kReapAtEndMs) > 0) (void)reap_child(dying.child);
    }
    dying_.clear();
    timer_.reset();
    pump_.reset();
    sd_event_unref(loop_);
}

void NssClient::accounts(const AccountsQuestion& question, Answer<AccountsAnswer> answer) {
    ask(question, [answer = std::move(answer)](Result<std::string> line) {
        answer(line.and_then([](const std::string& text) { return decode_accounts(text); }));
    });
}

void NssClient::by_uid(std::uint32_t uid, Answer<std::optional<Account>> answer) {
    ask(UidQuestion{uid}, [answer = std::move(answer)](Result<std::string> line) {
        answer(line.and_then([](const std::string& text) { return decode_account(text); }));
    });
}

void NssClient::by_name(const std::string& name, Answer<std::optional<Account>> answer) {
    ask(NameQuestion{name}, [answer = std::move(answer)](Result<std::string> line) {
        answer(line.and_then([](const std::string& text) { return decode_account(text); }));
    });
}

void NssClient::ask(const NssQuestion& question, std::function<void(Result<std::string>)> done) {
    const int rank = rank_of(question);
    const auto waits = waiting_.begin() + (in_flight_ ? 1 : 0);
    const auto behind =
        std::find_if(waits, waiting_.end(), [rank](const Request& r) { return r.rank > rank; });
    waiting_.insert(behind, {rank, encode_question(question) + "\n", std::move(done)});
    pump_later();
}

void NssClient::pump_later() {
    pump_.reset();
    sd_event_source* source = nullptr;
    if (sd_event_add_defer(loop_, &source, on_pump, this) >= 0) pump_.reset(source); // one shot by default
}

void NssClient::pump() {
    if (in_flight_ || waiting_.empty()) return;
    in_flight_ = true;
    if (!helper_) {
        if (const auto started = start_helper(); !started) return give_up(started.error());
    }
    unsent_ = waiting_.front().line;
    received_.clear();
    sd_event_source* timer = nullptr;
    const int error =
        sd_event_add_time_relative(loop_, &timer, CLOCK_MONOTONIC, options_.timeout_us, 0, on_timeout, this);
    if (error < 0) return give_up(Error(fail_errno("NSS helper", "timer", -error).value()));
    timer_.reset(timer);
    if (const auto sent = send_some(); !sent) give_up(sent.error());
}

Status NssClient::start_helper() {
    auto child = spawn_child(options_.program, options_.arguments, kNssHelperFd);
    if (!child) return tl::unexpected(child.error());
    helper_ = std::move(*child);
    sd_event_source* source = nullptr;
    const int error = sd_event_add_io(loop_, &source, helper_->socket.get(), EPOLLIN, on_socket, this);
    if (error < 0) return fail_errno("NSS helper", "watch its socket", -error);
    socket_source_.reset(source);
    return {};
}

Status NssClient::send_some() {
    while (!unsent_.empty()) {
        const ssize_t sent =
            ::send(helper_->socket.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) return fail_errno("NSS helper", "send", errno);
        unsent_.erase(0, static_cast<std::size_t>(sent));
    }
    const int error =
        sd_event_source_set_io_events(socket_source_.get(), unsent_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
    if (error < 0) return fail_errno("NSS helper", "watch its socket", -error);
    return {};
}

Status NssClient::receive_some() {
    std::array<char, 65536> buffer{};
    const ssize_t got = ::recv(helper_->socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
    if (got < 0) return fail_errno("NSS helper", "receive", errno);
    if (got == 0) return fail("NSS helper", "it ended without an answer");
    if (!in_flight_) return fail("NSS helper", "it said something unasked");
    const std::string_view part(buffer.data(), static_cast<std::size_t>(got));
    received_.append(part);
    if (received_.size() > kNssLineBytes) return fail("NSS helper", "its answer is too large");
    const auto end = part.find('\n');
    if (end == std::string_view::npos) return {};
    if (end + 1 != part.size()) return fail("NSS helper", "it said more than was asked");
    received_.pop_back();
    finish(std::move(received_));
    return {};
}

void NssClient::finish(Result<std::string> result) {
    timer_.reset();
    in_flight_ = false;
    received_.clear();
    unsent_.clear();
    const Request request = std::move(waiting_.front());
    waiting_.pop_front();
    if (!waiting_.empty()) pump_later();
    request.done(std::move(result));
}

void NssClient::give_up(const Error& error) {
    drop_helper();
    if (in_flight_) finish(tl::unexpected(error));
}

void NssClient::drop_helper() {
    socket_source_.reset();
    if (!helper_) return;
    kill_child(*helper_);
    Dying dying{std::move(*helper_), nullptr};
    helper_.reset();
    dying.child.socket.reset();
    sd_event_source* source = nullptr;
    if (sd_event_add_io(loop_, &source, dying.child.pidfd.get(), EPOLLIN, on_end, this) >= 0)
        dying.source.reset(source);
    dying_.push_back(std::move(dying));
}

int NssClient::on_pump(sd_event_source*, void* self) {
    client_of(self).pump();
    return 0;
}

int NssClient::on_socket(sd_event_source*, int, std::uint32_t events, void* self) {
    NssClient& client = client_of(self);
    Status status;
    if ((events & EPOLLOUT) != 0) status = client.send_some();
    if (status && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) status = client.receive_some();
    if (!status) client.give_up(status.error());
    return 0;
}

int NssClient::on_timeout(sd_event_source*, std::uint64_t, void* self) {
    NssClient& client = client_of(self);
    client.give_up(
        {"NSS helper", "no answer within " + std::to_string(client.options_.timeout_us / 1000) + " ms"});
    return 0;
}

int NssClient::on_end(sd_event_source* source, int, std::uint32_t, void* self) {
    client_of(self).dying_.remove_if(
        [&](const Dying& dying) { return dying.source.get() == source && reap_child(dying.child); });
    return 0;
}

} // namespace escort
