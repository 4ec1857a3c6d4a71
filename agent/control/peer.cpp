#include "control/peer.h"

#include "base/contains.h"
#include "base/fd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort::control {

namespace {

std::optional<std::uint32_t> login_uid_of(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/loginuid";
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 16> text{};
    const ssize_t got = file.valid() ? ::read(file.get(), text.data(), text.size()) : -1;
    if (got <= 0) return std::nullopt;
    std::uint32_t uid = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + got, uid);
    if (parsed.ec != std::errc() || uid == UINT32_MAX) return std::nullopt; // UINT32_MAX: unset
    return uid;
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 // Linux 6.5
#endif

// By the kernel's own word where it has one, else by the number, which may have been taken over.
std::shared_ptr<const Fd> pidfd_of(int connection, pid_t pid) {
    int fd = -1;
    socklen_t size = sizeof fd;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) != 0)
        fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    return fd < 0 ? nullptr : std::make_shared<const Fd>(fd);
}

} // namespace

bool Peer::in_group(gid_t group) const {
    return gid == group || contains(groups, group);
}

std::string Peer::text() const {
    std::string who = "uid " + std::to_string(uid) + " (";
    if (login_uid) who += "login uid " + std::to_string(*login_uid) + ", ";
    return who + "pid " + std::to_string(pid) + ")";
}

Result<Peer> peer_of(int connection) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return fail_errno("peer", "SO_PEERCRED", errno);
    Peer peer{credentials.uid,
              credentials.gid,
              credentials.pid,
              {},
              login_uid_of(credentials.pid),
              pidfd_of(connection, credentials.pid)};

    // Asked with too little room, the kernel says how much it needs (ERANGE); a task has at most 65,536
    // groups.
    size = 64 * sizeof(gid_t);
    for (int attempt = 0; attempt < 2; ++attempt) {
        peer.groups.resize(size / sizeof(gid_t));
        if (::getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size) == 0) {
            peer.groups.resize(size / sizeof(gid_t));
            return peer;
        }
        if (errno != ERANGE) break;
    }
    return fail_errno("peer", "SO_PEERGROUPS", errno);
}

} // namespace escort::control
