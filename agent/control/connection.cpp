#include "control/connection.h"

#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace escort::control {

Status Connection::start(sd_event* loop) {
    sd_event_source* source = nullptr;
    int error = sd_event_add_io(loop, &source, socket_.get(), EPOLLIN, on_io, this);
    if (error < 0) return fail_errno("control", "watch a connection", -error);
    io_.reset(source);
    error = sd_event_add_time_relative(loop, &source, CLOCK_MONOTONIC, 0, 0, on_time, this);
    if (error < 0) return fail_errno("control", "timer", -error);
    timer_.reset(source);
    enter(State::reading);
    return {};
}

int Connection::on_io(sd_event_source*, int, std::uint32_t events, void* self) {
    // Held: the connection may close itself in here.
    const auto connection = static_cast<Connection*>(self)->shared_from_this();
    connection->on_ready(events);
    return 0;
}

int Connection::on_time(sd_event_source*, std::uint64_t, void* self) {
    const auto connection = static_cast<Connection*>(self)->shared_from_this();
    connection->close();
    return 0;
}

void Connection::on_ready(std::uint32_t events) {
    switch (state_) {
    case State::reading:
        read_some();
        break;
    case State::writing:
        write_some();
        break;
    case State::waiting:
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) close(); // the answer, when it comes, goes nowhere
        break;
    }
}

void Connection::read_some() {
    std::array<char, 16384> piece; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const ssize_t got = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return close();
    in_.append(piece.data(), static_cast<std::size_t>(got));
    serve();
}

void Connection::serve() {
    const std::size_t end = in_.find('\n');
    if (end == std::string::npos && in_.size() < kRequestBytes) return;
    if (end == std::string::npos || end >= kRequestBytes)
        return refuse("is longer than " + std::to_string(kRequestBytes) + " bytes");
    // So nobody makes the daemon's loop serve thousands of requests in one turn.
    if (end + 1 != in_.size()) return refuse("came before the one before it was answered");
    const auto call = decode_call(std::string_view(in_).substr(0, end));
    in_ = std::string(); // gives its memory back
    enter(State::waiting);
    const Reply reply([weak = weak_from_this()](std::string line) {
        if (const auto connection = weak.lock()) connection->answer(std::move(line));
    });
    if (call)
        server_.dispatch(*call, peer_, reply);
    else
        reply.fail(call.error().code, call.error().error);
}

void Connection::refuse(const std::string& why) {
    last_ = true;
    in_ = std::string();
    answer(encode_failure({Exit::usage, {"request", why}}));
}

void Connection::answer(std::string line) {
    if (!socket_.valid()) return;
    if (line.size() > server_.settings_.answer_bytes)
        line = encode_failure({Exit::not_so, {"escortd", "the answer is too long to be sent"}});
    else if (server_.buffered() + line.size() > server_.settings_.buffered)
        line = encode_failure({Exit::not_so, {"escortd", "too many answers wait to be read", "Try again."}});
    out_ = std::move(line);
    out_at_ = 0;
    enter(State::writing);
    write_some();
}

void Connection::write_some() {
    while (out_at_ < out_.size()) {
        const ssize_t put =
            ::send(socket_.get(), out_.data() + out_at_, out_.size() - out_at_, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && errno == EAGAIN) return;
        if (put < 0) return close();
        out_at_ += static_cast<std::size_t>(put);
        set_timer(server_.settings_.answer_time);
    }
    out_ = std::string(); // gives its memory back
    if (last_) return close();
    enter(State::reading);
}

void Connection::enter(State state) {
    state_ = state;
    std::uint32_t events = 0; // waiting: EPOLLHUP and EPOLLERR come unasked
    if (state == State::reading) events = EPOLLIN;
    if (state == State::writing) events = EPOLLOUT;
    if (sd_event_source_set_io_events(io_.get(), events) < 0) return close();
    if (state == State::waiting)
        (void)sd_event_source_set_enabled(timer_.get(), SD_EVENT_OFF); // the handler's time, not the peer's
    else
        set_timer(state == State::reading ? server_.settings_.request_time : server_.settings_.answer_time);
}

void Connection::set_timer(std::chrono::milliseconds time) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    if (sd_event_source_set_time_relative(timer_.get(), static_cast<std::uint64_t>(us)) < 0 ||
        sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT) < 0)
        close(); // without a time limit a connection may not live
}

void Connection::close() {
    if (!socket_.valid()) return;
    io_.reset();
    timer_.reset();
    socket_.reset();
    server_.forget(this);
}

} // namespace escort::control
