#include "base/unix_socket.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace escort {

Result<Fd> listen_unix(const std::string& path, int type, std::optional<gid_t> group) {
    const std::string temporary = path + ".new";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (temporary.size() >= sizeof address.sun_path) return fail(path, "is too long for a socket's path");
    std::memcpy(address.sun_path, temporary.c_str(), temporary.size() + 1);

    Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return fail_errno(path, "socket", errno);
    if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return fail_errno(temporary, "remove", errno);
    if (::fchmod(socket.get(), 0600) != 0) return fail_errno(path, "mode", errno); // bind() takes it over
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno(temporary, "bind", errno);
    if (group) {
        if (::chown(temporary.c_str(), static_cast<uid_t>(-1), *group) != 0)
            return fail_errno(temporary, "group", errno);
        if (::chmod(temporary.c_str(), 0660) != 0) return fail_errno(temporary, "mode", errno);
    }
    if (::listen(socket.get(), 64) != 0) return fail_errno(temporary, "listen", errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno(path, "rename", errno);
    return socket;
}

} // namespace escort
