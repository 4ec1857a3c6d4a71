#include "process/sock_diag.h"

#include "base/fd.h"
#include "process/tcp_end.h"

#include <array>
#include <cerrno>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace escort {

namespace {

using Clock = std::chrono::steady_clock;

struct Request {
    nlmsghdr header{};
    inet_diag_req_v2 body{};
};

Status ask(int socket, std::uint8_t family) {
    Request request;
    request.header = {sizeof request, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0};
    request.body.sdiag_family = family;
    request.body.sdiag_protocol = IPPROTO_TCP;
    request.body.idiag_states = 1U << TCP_ESTABLISHED | 1U << TCP_CLOSE_WAIT | 1U << TCP_FIN_WAIT1;
    if (::send(socket, &request, sizeof request, 0) != sizeof request)
        return fail_errno("sock_diag", "send", errno);
    return {};
}

TcpEnd end_of(std::uint8_t family, const __be32* address, __be16 port) {
    if (family == AF_INET6) {
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = port;
        std::copy_n(reinterpret_cast<const std::uint8_t*>(address), 16, six.sin6_addr.s6_addr);
        return tcp_end(reinterpret_cast<const sockaddr&>(six));
    }
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = port;
    four.sin_addr.s_addr = address[0];
    return tcp_end(reinterpret_cast<const sockaddr&>(four));
}

// One datagram of the dump. true: it was the last.
Result<bool> take(const char* data, std::size_t size, const std::set<ino_t>& inodes,
                  std::vector<TcpSocket>& found) {
    auto left = static_cast<unsigned>(size);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(data); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
        if (header->nlmsg_type == NLMSG_DONE) return true;
        if (header->nlmsg_type == NLMSG_ERROR) {
            const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
            if (header->nlmsg_len < NLMSG_LENGTH(sizeof *error)) return fail("sock_diag", "a cut answer");
            return fail_errno("sock_diag", "dump", -error->error);
        }
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) continue;
        const auto* socket = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
        if (!inodes.contains(socket->idiag_inode)) continue;
        const auto family = socket->idiag_family;
        found.push_back({socket->idiag_inode, false,
                         end_of(family, socket->id.idiag_src, socket->id.idiag_sport),
                         end_of(family, socket->id.idiag_dst, socket->id.idiag_dport)});
    }
    return false;
}

} // namespace

Result<std::vector<TcpSocket>> connections_of(const std::set<ino_t>& inodes,
                                              std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    std::vector<TcpSocket> found;
    alignas(nlmsghdr) std::array<char, 32768> buffer{};
    for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
        // A socket for each: an unfinished dump is dropped with its socket.
        const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
        if (!socket.valid()) return fail_errno("sock_diag", "socket", errno);
        if (auto asked = ask(socket.get(), family); !asked) return tl::unexpected(asked.error());
        for (bool last = false; !last;) {
            if (Clock::now() > until)
                return fail("sock_diag", "the host has too many sockets to look through");
            // The kernel fills the next part while this one is received: there is always one.
            const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return fail_errno("sock_diag", "receive", errno);
            auto taken = take(buffer.data(), static_cast<std::size_t>(got), inodes, found);
            if (!taken) return tl::unexpected(taken.error());
            last = *taken;
        }
    }
    return found;
}

} // namespace escort
