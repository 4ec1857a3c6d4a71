#include "base/file.h"

#include "base/fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace escort {

Result<std::string> read_file(const std::string& path, std::size_t limit, Follow follow) {
    const int link = follow == Follow::no ? O_NOFOLLOW : 0;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | link));
    if (!fd.valid()) return fail_errno(path, "open", errno);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return fail_errno(path, "stat", errno);
    if (!S_ISREG(info.st_mode)) return fail(path, "is not a regular file");
    const std::string too_large = "is larger than " + std::to_string(limit) + " bytes";
    if (info.st_size < 0 || static_cast<std::size_t>(info.st_size) > limit) return fail(path, too_large);

    // A file of /proc says size 0 and holds more; it gives a page at a time.
    const std::size_t expected = std::max<std::size_t>(static_cast<std::size_t>(info.st_size), 4095) + 1;
    std::string content(std::min(expected, limit + 1), '\0');
    std::size_t filled = 0;
    for (;;) {
        const ssize_t got = ::read(fd.get(), content.data() + filled, content.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(path, "read", errno);
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
        if (filled > limit) return fail(path, too_large);
        if (filled == content.size()) content.resize(std::min(filled * 2, limit + 1));
    }
    content.resize(filled);
    return content;
}

namespace {

Status fill(int fd, const std::string& path, std::string_view content, mode_t mode, Sync sync) {
    if (::fchmod(fd, mode) != 0) return fail_errno(path, "mode", errno);
    while (!content.empty()) {
        const ssize_t put = ::write(fd, content.data(), content.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return fail_errno(path, "write", errno);
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    if (sync == Sync::yes && ::fsync(fd) != 0) return fail_errno(path, "fsync", errno);
    return {};
}

Status create_file(const std::string& path, std::string_view content, mode_t mode, Sync sync) {
    ::unlink(path.c_str());
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd.valid()) return fail_errno(path, "create", errno);
    auto filled = fill(fd.get(), path, content, mode, sync);
    if (!filled) ::unlink(path.c_str());
    return filled;
}

} // namespace

Status place_file(const std::string& half, const std::string& path, std::string_view content, mode_t mode,
                  Sync sync) {
    if (auto created = create_file(half, content, mode, sync); !created) return created;
    if (::rename(half.c_str(), path.c_str()) == 0) return {};
    const int error = errno;
    ::unlink(half.c_str());
    return fail_errno(path, "rename", error);
}

Status sync_folder(const std::string& folder) {
    const Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() || ::fsync(directory.get()) != 0) return fail_errno(folder, "fsync", errno);
    return {};
}

Status write_file_atomically(const std::string& path, std::string_view content, mode_t mode) {
    if (auto placed = place_file(path + ".tmp", path, content, mode, Sync::yes); !placed) return placed;
    const std::string folder = std::filesystem::path(path).parent_path().string();
    return sync_folder(folder.empty() ? "." : folder);
}

Result<std::vector<std::string>> list_files(const std::string& folder, std::string_view suffix) {
    std::error_code error;
    std::filesystem::directory_iterator entries(folder, error);
    if (error) return fail(folder, "list: " + error.message());
    std::vector<std::string> found;
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        const std::string name = entries->path().filename().string();
        if (name.starts_with('.') || !name.ends_with(suffix)) continue;
        std::error_code ignored; // a file that vanished meanwhile is simply not listed
        if (entries->is_regular_file(ignored)) found.push_back(entries->path().string());
    }
    if (error) return fail(folder, "list: " + error.message());
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace escort
