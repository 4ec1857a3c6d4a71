#include "enforce/cgroup.h"

#include "base/fd.h"
#include "base/file.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sstream>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {
constexpr const char* kUnified = "/sys/fs/cgroup";
constexpr std::size_t kProcBytes = 64 * 1024;   // a line for each hierarchy, each at most PATH_MAX
constexpr std::size_t kListBytes = 1024 * 1024; // 100,000 pids; a longer list is nobody's alone
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

namespace {

// A cgroup below would die with it, whoever is in it.
bool has_children(const std::string& folder) {
    const auto facts = read_file(folder + "/cgroup.stat", kProcBytes);
    return !facts || !facts->starts_with("nr_descendants 0\n");
}

bool is_of(const KernelState& state, std::uint64_t id, pid_t pid) {
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    // Gone: then nobody can take its pid and be in that list, which was read before.
    if (!pidfd.valid()) return errno == ESRCH;
    return state.label_of(pidfd.get()) == id;
}

} // namespace

bool owns_cgroup(const KernelState& state, std::uint64_t id, const std::string& folder) {
    const std::string name = std::filesystem::path(folder).filename().string();
    if (!name.starts_with("session-") || !name.ends_with(".scope") || has_children(folder)) return false;
    const auto pids = read_file(folder + "/cgroup.procs", kListBytes);
    if (!pids) return false;
    std::istringstream list(*pids);
    for (pid_t pid = 0; list >> pid;)
        if (pid == 0 || !is_of(state, id, pid)) return false; // 0: of a PID namespace above ours
    return true;
}

Status kill_cgroup(const std::string& folder) {
    const std::string file = folder + "/cgroup.kill";
    const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid() || ::write(fd.get(), "1", 1) != 1) return fail_errno(file, "write", errno);
    return {};
}

} // namespace escort
