#include "escortctl/new_file.h"

#include "base/fd.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace escort::ctl {

namespace {

tl::unexpected<Failure> failed(const std::string& path, int error) {
    if (error == EEXIST)
        return failure(Exit::not_so, path, "is there already", "Choose another name, or move it away.");
    const bool forbidden = error == EACCES || error == EPERM || error == EROFS;
    return failure(forbidden ? Exit::not_permitted : Exit::not_so, path,
                   std::string("can't be written: ") + std::strerror(error));
}

} // namespace

Outcome<bool> write_new_file(const std::string& path, std::string_view content, mode_t mode) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file.valid()) return failed(path, errno);
    const auto undo = [&](int error) {
        ::unlink(path.c_str());
        return failed(path, error);
    };
    if (::fchmod(file.get(), mode) != 0) return undo(errno); // whatever the umask
    while (!content.empty()) {
        const ssize_t put = ::write(file.get(), content.data(), content.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return undo(errno);
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    if (::fsync(file.get()) != 0) return undo(errno);
    return true;
}

} // namespace escort::ctl
