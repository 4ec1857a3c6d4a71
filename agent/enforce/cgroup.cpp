#include "enforce/cgroup.h"

#include "base/fd.h"
#include "base/file.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace escort {

namespace {
constexpr const char* kUnified = "/sys/fs/cgroup";
constexpr std::size_t kProcBytes = 64 * 1024; // a line for each hierarchy, each at most PATH_MAX
} // namespace

std::optional<std::string> cgroup_folder(std::uint32_t pid, std::uint64_t cgroup_id) {
    const auto lines = read_file("/proc/" + std::to_string(pid) + "/cgroup", kProcBytes);
    if (!lines) return std::nullopt;
    const auto line = lines->starts_with("0::") ? 0 : lines->find("\n0::");
    if (line == std::string::npos) return std::nullopt;
    const auto path = lines->find('/', line);
    const std::string folder = kUnified + lines->substr(path, lines->find('\n', path) - path);
    struct stat info {};
    // A cgroup's id is its folder's inode number (kernfs, 64 bit).
    if (::stat(folder.c_str(), &info) != 0 || info.st_ino != cgroup_id) return std::nullopt;
    return folder;
}

bool owns_cgroup(const KernelState& state, std::uint64_t id, std::uint64_t cgroup_id,
                 const std::string& folder) {
    const std::string name = std::filesystem::path(folder).filename().string();
    if (!name.starts_with("session-") || !name.ends_with(".scope")) return false;
    const auto tasks = state.in_cgroup(cgroup_id);
    if (!tasks) return false;
    for (const auto& task : *tasks)
        if (task.id != id && (task.flags & ESCORT_TASK_GONE) == 0) return false;
    return true;
}

Status kill_cgroup(const std::string& folder) {
    const std::string file = folder + "/cgroup.kill";
    const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid() || ::write(fd.get(), "1", 1) != 1) return fail_errno(file, "write", errno);
    return {};
}

} // namespace escort
