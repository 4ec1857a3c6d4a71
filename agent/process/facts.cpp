#include "process/facts.h"

#include "base/file.h"
#include "entry.h"
#include "process/proc_text.h"

#include <array>
#include <climits>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::size_t kProcBytes = 64 * 1024;

std::string proc(pid_t pid, const char* file) {
    return "/proc/" + std::to_string(pid) + "/" + file;
}

template <typename Read>
bool read_text(pid_t pid, const char* file, const Read& read) {
    const auto text = read_file(proc(pid, file), kProcBytes);
    return text && read(*text);
}

bool stat_of(pid_t pid, ProcessFacts& facts) {
    return read_text(pid, "stat", [&](const std::string& text) { return read_stat(text, facts); });
}

bool uids_of(pid_t pid, ProcessFacts& facts) {
    return read_text(pid, "status", [&](const std::string& text) { return read_uids(text, facts); });
}

bool cgroup_of(pid_t pid, ProcessFacts& facts) {
    return read_text(pid, "cgroup", [&](const std::string& text) {
        read_cgroup(text, facts);
        return true;
    });
}

void exe_of(pid_t pid, ProcessFacts& facts) {
    std::array<char, PATH_MAX> path{};
    const ssize_t length = ::readlink(proc(pid, "exe").c_str(), path.data(), path.size());
    if (length > 0) facts.exe.assign(path.data(), static_cast<std::size_t>(length));
}

// For the comparison in bpf/entry.h, which reads whole arrays.
template <std::size_t size>
std::array<char, size> padded(const std::string& name) {
    std::array<char, size> out{};
    name.copy(out.data(), size - 1);
    return out;
}

} // namespace

std::string ProcessFacts::program() const {
    constexpr std::string_view kDeleted = " (deleted)";
    std::string_view name(exe);
    if (name.ends_with(kDeleted)) name.remove_suffix(kDeleted.size());
    const auto slash = name.rfind('/');
    return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

std::optional<Process> Process::open(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
    if (!pidfd.valid()) return std::nullopt;
    Process process(pid, std::move(pidfd));
    if (!process.alive()) return std::nullopt;
    return process;
}

std::optional<Process> Process::open(pid_t pid, Fd pidfd) {
    const auto text = read_file("/proc/self/fdinfo/" + std::to_string(pidfd.get()), kProcBytes);
    if (!text || pid <= 0 || read_pid(*text) != pid) return std::nullopt;
    Process process(pid, std::move(pidfd));
    if (!process.alive()) return std::nullopt;
    return process;
}

bool Process::alive() const {
    pollfd end{pidfd_.get(), POLLIN, 0};
    return ::poll(&end, 1, 0) == 0;
}

std::optional<ProcessFacts> Process::facts() const {
    ProcessFacts facts;
    facts.pid = pid_;
    exe_of(pid_, facts);
    if (!stat_of(pid_, facts) || !uids_of(pid_, facts) || !cgroup_of(pid_, facts)) return std::nullopt;
    if (!alive()) return std::nullopt; // what was read may be another's
    return facts;
}

std::optional<Process> Process::parent() const {
    ProcessFacts before, after;
    if (!stat_of(pid_, before)) return std::nullopt;
    auto above = open(before.parent);
    // Still the parent now, and the child still itself: so it was the parent that was held.
    if (!above || !stat_of(pid_, after) || after.parent != before.parent || !alive()) return std::nullopt;
    return above;
}

Entry way_in(const ProcessFacts& facts) {
    const auto exe = padded<ESCORT_EXE>(facts.program());
    const auto cgroup = padded<ESCORT_NAME>(facts.cgroup), parent = padded<ESCORT_NAME>(facts.cgroup_parent);
    return static_cast<Entry>(escort_entry_of(exe.data(), cgroup.data(), parent.data()));
}

Entry way_in(const Process& process) {
    const auto facts = process.facts();
    return facts ? way_in(*facts) : Entry::other;
}

} // namespace escort
