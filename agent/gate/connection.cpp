#include "gate/connection.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace escort::gate {

namespace {

std::uint64_t us(std::chrono::milliseconds time) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

} // namespace

Status GateConnection::start(sd_event* loop) {
    const GateSettings& settings = server_->settings_;
    sd_event_source* source = nullptr;
    int error = sd_event_add_io(loop, &source, socket_.get(), EPOLLIN, on_io, this);
    if (error < 0) return fail_errno("gate", "watch a connection", -error);
    io_.reset(source);
    error = sd_event_add_time_relative(loop, &source, CLOCK_MONOTONIC, us(settings.request_time), 0, on_time,
                                       this);
    if (error < 0) return fail_errno("gate", "timer", -error);
    timer_.reset(source);
    return {};
}

int GateConnection::on_io(sd_event_source*, int, std::uint32_t events, void* self) {
    // Held: the connection may close itself in here.
    const auto connection = static_cast<GateConnection*>(self)->shared_from_this();
    connection->on_ready(events);
    return 0;
}

int GateConnection::on_time(sd_event_source*, std::uint64_t, void* self) {
    const auto connection = static_cast<GateConnection*>(self)->shared_from_this();
    connection->close();
    return 0;
}

void GateConnection::on_ready(std::uint32_t events) {
    if (!asked_) return take_request();
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) close(); // the answer, when it comes, goes nowhere
}

void GateConnection::take_request() {
    auto received = receive_request(socket_.get());
    if (!received) return reject();
    if (received->empty) return;
    const auto request = decode_request(received->bytes);
    if (!request) return reject();
    auto login = prove_login(socket_.get(), std::move(received->descriptor));
    if (!login) return reject();

    asked_ = true;
    if (sd_event_source_set_io_events(io_.get(), 0) < 0 || // EPOLLHUP and EPOLLERR come unasked
        sd_event_source_set_time_relative(timer_.get(), us(server_->settings_.answer_time)) < 0)
        return close();
    const std::weak_ptr<GateConnection> self = weak_from_this();
    GateReply reply(
        [self](const GateAnswer* with) {
            if (const auto connection = self.lock()) connection->answer(with);
        },
        [self] {
            const auto connection = self.lock();
            return connection && connection->peer_waits();
        });
    server_->handler_(*request, std::move(*login), std::move(reply));
}

void GateConnection::answer(const GateAnswer* with) {
    if (!socket_.valid()) return;
    // One message into an empty socket buffer: it fits, and the peer reads it after our end is closed.
    if (const auto message = with != nullptr ? encode(*with) : Result<std::string>(fail("gate", "no answer")))
        (void)!::send(socket_.get(), message->data(), message->size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    close();
}

bool GateConnection::peer_waits() const {
    if (!socket_.valid()) return false;
    pollfd now{socket_.get(), 0, 0};
    return ::poll(&now, 1, 0) == 0; // POLLHUP where it has closed
}

void GateConnection::reject() {
    if (server_ != nullptr) ++server_->rejected_;
    close();
}

void GateConnection::orphan() {
    server_ = nullptr;
    close();
}

void GateConnection::close() {
    if (!socket_.valid()) return;
    io_.reset();
    timer_.reset();
    socket_.reset();
    if (server_ != nullptr) server_->forget(this);
}

} // namespace escort::gate
