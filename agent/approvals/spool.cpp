#include "approvals/spool.h"

#include "approvals/jws.h"
#include "base/fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::size_t kReadLimit = kDocumentLimit + 2; // a line end may follow

SpoolFile refused(const struct stat& info, RefusalCode code, std::string text) {
    return {"", Refusal{code, std::move(text)}, info.st_dev, info.st_ino};
}

} // namespace

bool is_spool_name(const std::string& path) {
    const std::string name = std::filesystem::path(path).filename().string();
    return name.ends_with(".jws") && !name.starts_with('.');
}

Result<SpoolFile> read_spool_file(const std::string& path) {
    struct stat info {};
    const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd.valid()) {
        const int error = errno;
        const bool strange = error == ELOOP || error == ENXIO; // a symlink, a socket
        if (strange && ::lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
            return refused(info, RefusalCode::not_a_file, "is not a regular file");
        return fail_errno(path, "open", error);
    }
    if (::fstat(fd.get(), &info) != 0) return fail_errno(path, "stat", errno);
    if (!S_ISREG(info.st_mode)) return refused(info, RefusalCode::not_a_file, "is not a regular file");
    const std::string too_large = "is larger than " + std::to_string(kDocumentLimit) + " bytes";
    if (info.st_size < 0 || static_cast<std::size_t>(info.st_size) > kReadLimit)
        return refused(info, RefusalCode::too_large, too_large);

    SpoolFile out{"", std::nullopt, info.st_dev, info.st_ino};
    out.content.resize(static_cast<std::size_t>(info.st_size) + 1); // one more, to see that it doesn't grow
    std::size_t filled = 0;
    while (filled < out.content.size()) {
        const ssize_t got = ::read(fd.get(), out.content.data() + filled, out.content.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(path, "read", errno);
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
    }
    if (filled == out.content.size())
        return refused(info, RefusalCode::malformed, "grew while it was read: documents arrive by rename");
    out.content.resize(filled);
    return out;
}

Status remove_spool_file(const std::string& path, const SpoolFile& judged) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return {};
    if (info.st_dev != judged.device || info.st_ino != judged.inode) return {};
    if (S_ISDIR(info.st_mode)) return fail(path, "is a folder: left where it is");
    // Between that look and the removal the courier may rename a new document here: take the name away first,
    // look again, and give it back when it is another file.
    const std::string aside = (std::filesystem::path(path).parent_path() / ".judged").string();
    if (::rename(path.c_str(), aside.c_str()) != 0) return fail_errno(path, "rename", errno);
    const bool other =
        ::lstat(aside.c_str(), &info) == 0 && (info.st_dev != judged.device || info.st_ino != judged.inode);
    if (other && ::renameat2(AT_FDCWD, aside.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0)
        return {};
    if (::unlink(aside.c_str()) != 0 && errno != ENOENT) return fail_errno(path, "remove", errno);
    return {};
}

Result<std::vector<std::string>> list_spool(const std::string& folder, std::size_t limit) {
    std::error_code error;
    std::filesystem::directory_iterator entries(folder, error);
    std::vector<std::string> found;
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        if (found.size() >= limit) break;
        if (is_spool_name(entries->path().string())) found.push_back(entries->path().string());
    }
    if (error) return fail(folder, "list: " + error.message());
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace escort
