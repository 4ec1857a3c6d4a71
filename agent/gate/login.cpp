#include "gate/login.h"

#include "base/file.h"
#include "gate/protocol.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sys/socket.h>
#include <vector>

namespace escort::gate {

namespace {

constexpr std::size_t kDescriptors = 8; // taken to be closed; the kernel drops what is beyond

// All descriptors that came with a message, owned.
std::vector<Fd> descriptors_of(msghdr& message) {
    std::vector<Fd> all;
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
            all.emplace_back(fd);
        }
    }
    return all;
}

} // namespace

Result<Received> receive_request(int connection) {
    Received received;
    received.bytes.resize(kMessageBytes);
    iovec piece{received.bytes.data(), received.bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptors * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        received.empty = true;
        return received;
    }
    if (got < 0) return fail_errno("gate", "receive", errno);
    auto descriptors = descriptors_of(message);
    if (got == 0) return fail("gate", "the peer closed the connection");
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return fail("gate", "a message is too long");
    if (descriptors.size() != 1) return fail("gate", "a message must bring one descriptor");
    received.bytes.resize(static_cast<std::size_t>(got));
    received.descriptor = std::move(descriptors.front());
    return received;
}

Result<pid_t> pid_of_fdinfo(std::string_view text) {
    constexpr std::string_view kKey = "Pid:\t";
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!line.starts_with(kKey)) continue;
        const std::string_view digits = line.substr(kKey.size());
        pid_t pid = 0;
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
        if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) break;
        return pid;
    }
    return fail("gate", "the descriptor is no pidfd");
}

Result<GateLogin> prove_login(int connection, Fd pidfd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return fail_errno("gate", "SO_PEERCRED", errno);
    if (peer.uid != 0) return fail("gate", "the peer is not root");
    const auto info = read_file("/proc/self/fdinfo/" + std::to_string(pidfd.get()), 4096);
    if (!info) return tl::unexpected<Error>(info.error());
    const auto pid = pid_of_fdinfo(*info);
    if (!pid) return tl::unexpected<Error>(pid.error());
    // A peer of a PID namespace beside ours has no number here (0), an ended process none any more (-1).
    if (*pid <= 0 || *pid != peer.pid) return fail("gate", "the pidfd is not the peer's own");
    return GateLogin{*pid, std::move(pidfd)};
}

} // namespace escort::gate
