#include "process/sockets.h"

#include "process/sock_diag.h"
#include "process/tcp_end.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <memory>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::size_t kDescriptors = 4096;
constexpr std::chrono::milliseconds kSockDiagLimit{50};

struct Held {
    int number = -1;
    ino_t inode = 0;
};

// Its descriptors that are sockets: links named "socket:[INODE]" (proc(5)).
Result<std::vector<Held>> sockets_held(const Process& process) {
    struct Close {
        void operator()(DIR* folder) const { ::closedir(folder); }
    };
    const std::string path = "/proc/" + std::to_string(process.pid()) + "/fd";
    const std::unique_ptr<DIR, Close> folder(::opendir(path.c_str()));
    if (!folder) return fail_errno(path, "open", errno);
    std::vector<Held> held;
    std::size_t seen = 0;
    while (const dirent* entry = ::readdir(folder.get())) {
        if (++seen > kDescriptors) return fail(path, "has too many descriptors");
        std::array<char, 64> link{};
        constexpr std::string_view kSocket = "socket:[";
        const ssize_t length = ::readlinkat(::dirfd(folder.get()), entry->d_name, link.data(), link.size());
        if (length <= 0) continue;
        std::string_view target(link.data(), static_cast<std::size_t>(length));
        if (!target.starts_with(kSocket)) continue;
        target.remove_prefix(kSocket.size());
        Held one;
        std::from_chars(target.data(), target.data() + target.size(), one.inode);
        const std::string_view name(entry->d_name);
        std::from_chars(name.data(), name.data() + name.size(), one.number);
        if (one.number >= 0) held.push_back(one);
    }
    return held;
}

int option(int socket, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

// Asks the socket itself; nothing that isn't a connection or a listener.
std::optional<TcpSocket> ask(int socket) {
    const int domain = option(socket, SO_DOMAIN);
    if (option(socket, SO_TYPE) != SOCK_STREAM || (domain != AF_INET && domain != AF_INET6))
        return std::nullopt;
    TcpSocket found;
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
    found.local = tcp_end(reinterpret_cast<const sockaddr&>(address));
    found.listening = option(socket, SO_ACCEPTCONN) == 1;
    size = sizeof address;
    // ENOTCONN: not connected yet, or no more.
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0)
        found.peer = tcp_end(reinterpret_cast<const sockaddr&>(address));
    else if (!found.listening)
        return std::nullopt;
    return found;
}

bool forbidden(int error) {
    return error == EPERM || error == EACCES || error == ENOSYS;
}

} // namespace

Result<std::vector<TcpSocket>> tcp_sockets(const Process& process) {
    const std::string where = "process " + std::to_string(process.pid());
    const auto held = sockets_held(process);
    if (!held) return tl::unexpected(held.error());
    std::vector<TcpSocket> found;
    for (const auto& each : *held) {
        const Fd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, process.pidfd(), each.number, 0U)));
        if (!socket.valid() && forbidden(errno)) {
            std::set<ino_t> inodes;
            for (const auto& one : *held)
                inodes.insert(one.inode);
            if (!process.alive()) return fail(where, "has ended");
            return connections_of(inodes, kSockDiagLimit);
        }
        struct stat info {};
        if (!socket.valid() || ::fstat(socket.get(), &info) != 0) continue; // closed meanwhile
        const bool again = std::any_of(found.begin(), found.end(),
                                       [&](const TcpSocket& other) { return other.inode == info.st_ino; });
        auto asked = again ? std::nullopt : ask(socket.get());
        if (!asked) continue;
        asked->inode = info.st_ino;
        found.push_back(std::move(*asked));
    }
    if (!process.alive()) return fail(where, "has ended");
    return found;
}

} // namespace escort
