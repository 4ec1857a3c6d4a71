#include "asking.h"

#include "base/fd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace escort::gate {

namespace {

using Clock = std::chrono::steady_clock; // CLOCK_MONOTONIC

constexpr std::chrono::milliseconds kPause{20}; // before asking again

// Milliseconds until then, rounded up, for poll(2); 0 when it is past.
int left(Clock::time_point until) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000));
}

// poll(2) that goes on after a signal. Whether `fd` is ready before then.
bool wait_for(int fd, short events, Clock::time_point until) {
    for (;;) {
        pollfd wanted{fd, events, 0};
        const int ready = ::poll(&wanted, 1, left(until));
        if (ready > 0) return true;
        if (ready == 0 && left(until) == 0) return false;
        if (ready < 0 && errno != EINTR) return false;
    }
}

Result<Fd> connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(path, "is too long for a socket's path");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return fail(path, std::strerror(errno));
    // Never waits: a full backlog is EAGAIN.
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail(path, std::strerror(errno));
    return socket;
}

Status send_with(int socket, std::string message, int pidfd) {
    iovec piece{message.data(), message.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr whole{};
    whole.msg_iov = &piece;
    whole.msg_iovlen = 1;
    whole.msg_control = control.data();
    whole.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&whole);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &pidfd, sizeof pidfd);
    // Whole or not at all; an empty socket buffer takes it.
    if (::sendmsg(socket, &whole, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return fail("send", std::strerror(errno));
    return {};
}

Result<GateAnswer> ask_once(const std::string& path, const std::string& message, int pidfd,
                            Clock::time_point until) {
    const auto socket = connect_to(path);
    if (!socket) return tl::unexpected<Error>(socket.error());
    if (auto sent = send_with(socket->get(), message, pidfd); !sent)
        return tl::unexpected<Error>(sent.error());
    std::string answer(kMessageBytes, '\0');
    for (;;) {
        if (!wait_for(socket->get(), POLLIN, until)) return fail(path, "no answer in time");
        const ssize_t got = ::recv(socket->get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_TRUNC);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (got < 0) return fail(path, std::strerror(errno));
        if (got == 0) return fail(path, "closed without an answer");
        if (static_cast<std::size_t>(got) > answer.size()) return fail(path, "the answer is too long");
        return decode_answer(std::string_view(answer).substr(0, static_cast<std::size_t>(got)));
    }
}

} // namespace

Result<GateAnswer> ask(const std::string& path, const GateRequest& request, std::chrono::milliseconds time) {
    const auto until = Clock::now() + time;
    const auto message = encode(request);
    if (!message) return tl::unexpected<Error>(message.error());
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    if (!pidfd.valid()) return fail("pidfd_open", std::strerror(errno));
    for (;;) {
        auto answer = ask_once(path, *message, pidfd.get(), until);
        if (answer || left(until) == 0) return answer;
        (void)::poll(nullptr, 0, std::min(left(until), static_cast<int>(kPause.count())));
    }
}

} // namespace escort::gate
