#include "kernel/running_units.h"

#include "base/fd.h"
#include "base/file.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {
namespace fs = std::filesystem;

constexpr std::size_t kSmallFile = 64 * 1024;
constexpr std::string_view kDeleted = " (deleted)"; // what /proc adds to a replaced program's path

// The unit that it stands in by the line "0::/system.slice/UNIT" (cgroups(7)); "" when in none, or deeper.
std::string unit_of(const std::string& proc) {
    const auto groups = read_file(proc + "/cgroup", kSmallFile);
    if (!groups) return {};
    constexpr std::string_view kFolder = "0::/system.slice/";
    const auto at = groups->find(kFolder);
    if (at == std::string::npos || (at != 0 && (*groups)[at - 1] != '\n')) return {};
    const auto begin = at + kFolder.size();
    const std::string unit = groups->substr(begin, groups->find('\n', begin) - begin);
    return unit.find('/') == std::string::npos ? unit : "";
}

// Field 4 of /proc/PID/stat, after the name in parentheses; 0: unknown.
pid_t parent_of(const std::string& proc) {
    const auto stat = read_file(proc + "/stat", kSmallFile);
    const auto name_end = stat ? stat->rfind(')') : std::string::npos;
    if (name_end == std::string::npos || stat->size() < name_end + 5) return 0;
    pid_t parent = 0;
    std::from_chars(stat->data() + name_end + 4, stat->data() + stat->size(), parent);
    return parent;
}

struct Member {
    pid_t parent = 0;
    std::string unit;
};

std::map<pid_t, Member> members_of(const std::set<std::string>& units, std::error_code& error) {
    std::map<pid_t, Member> members;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename().string();
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size())
            continue;
        const std::string unit = unit_of(entry.path().string());
        if (units.contains(unit)) members[pid] = {parent_of(entry.path().string()), unit};
    }
    return members;
}

// PID 1's child that it was forked from, all the way within the unit; 0: there is none.
pid_t started_as(const std::map<pid_t, Member>& members, pid_t pid) {
    for (int step = 0; step < 64; step++) {
        const auto found = members.find(pid);
        if (found == members.end()) return 0;
        if (found->second.parent == 1) return pid;
        pid = found->second.parent;
    }
    return 0;
}

} // namespace

std::string unit_of_process(pid_t pid) {
    return unit_of("/proc/" + std::to_string(pid));
}

escort_exec_text start_text(const std::string& path, std::string_view command_line) {
    escort_exec_text text{};
    text.end = ESCORT_TEXT_HALF;
    if (path.empty() || path.front() != '/' || path.size() >= ESCORT_TEXT_HALF) return text;
    text.begin = static_cast<__u32>(ESCORT_TEXT_HALF - 1 - path.size());
    text.whole = 1;
    path.copy(text.bytes + text.begin, path.size());

    const auto name_end = command_line.find('\0');
    std::string_view arguments = command_line.substr(std::min(name_end, command_line.size() - 1) + 1);
    if (arguments.size() >= ESCORT_TEXT_HALF || name_end >= ESCORT_TEXT_HALF) {
        text.whole = 0; // as the kernel reads it: cut, and then compared with nothing left out
        arguments = name_end >= ESCORT_TEXT_HALF ? "" : arguments.substr(0, ESCORT_TEXT_HALF - 1);
    }
    arguments.copy(text.bytes + ESCORT_TEXT_HALF, arguments.size());
    std::size_t kept = text.whole != 0 ? 0 : arguments.size();
    for (std::size_t at = 0; text.whole != 0 && at < arguments.size();) {
        const auto end = arguments.find('\0', at);
        if (end == std::string_view::npos) break;
        if (arguments[at] != '-') kept = end + 1;
        at = end + 1;
    }
    text.end = static_cast<__u32>(ESCORT_TEXT_HALF + kept);
    return text;
}

Status note_running_units(const KernelState& state, const std::set<std::string>& units) {
    std::error_code error;
    const auto members = members_of(units, error);
    if (error) return fail("/proc", "read: " + error.message());
    for (const auto& [pid, member] : members) {
        const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        const pid_t first = started_as(members, pid);
        if (!pidfd.valid() || first == 0) continue;
        const std::string proc = "/proc/" + std::to_string(first);
        std::string path = fs::read_symlink(proc + "/exe", error).string();
        const auto command_line = read_file(proc + "/cmdline", kSmallFile);
        if (error || !command_line || command_line->empty()) continue;
        if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
        escort_unit_task task{};
        task.state = ESCORT_UNIT_OWN;
        member.unit.copy(task.unit, ESCORT_NAME - 1);
        task.own = start_text(path, *command_line);
        (void)state.set_unit_task(pidfd.get(), task); // gone, or seen by the kernel meanwhile
    }
    return {};
}

} // namespace escort
