#include "process/facts.h"

#include "base/file.h"
#include "entry.h"

#include <array>
#include <charconv>
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

template <typename T>
bool number(std::string_view& text, T& value) {
    while (text.starts_with(' ') || text.starts_with('\t'))
        text.remove_prefix(1);
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    return true;
}

// "PID (COMM) STATE PPID PGRP SESSION TTY ..." (proc(5)); the name may hold anything, brackets too.
bool read_stat(pid_t pid, ProcessFacts& facts) {
    const auto text = read_file(proc(pid, "stat"), kProcBytes);
    if (!text) return false;
    const auto open = text->find('('), close = text->rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) return false;
    facts.comm = text->substr(open + 1, close - open - 1);
    std::string_view rest(*text);
    rest.remove_prefix(close + 1);
    if (rest.size() < 3) return false;
    rest.remove_prefix(2); // " S"
    std::array<std::int64_t, 18> fields{};
    for (auto& field : fields)
        if (!number(rest, field)) return false;
    facts.parent = static_cast<pid_t>(fields[0]);
    facts.tty = static_cast<std::uint32_t>(fields[3]);
    return number(rest, facts.start_ticks);
}

bool read_uids(pid_t pid, ProcessFacts& facts) {
    const auto text = read_file(proc(pid, "status"), kProcBytes);
    if (!text) return false;
    const auto line = text->find("\nUid:");
    if (line == std::string::npos) return false;
    std::string_view rest(*text);
    rest.remove_prefix(line + 5);
    return number(rest, facts.uid) && number(rest, facts.effective_uid);
}

void read_exe(pid_t pid, ProcessFacts& facts) {
    std::array<char, PATH_MAX> path{};
    const ssize_t length = ::readlink(proc(pid, "exe").c_str(), path.data(), path.size());
    if (length > 0) facts.exe.assign(path.data(), static_cast<std::size_t>(length));
}

bool read_cgroup(pid_t pid, ProcessFacts& facts) {
    const auto text = read_file(proc(pid, "cgroup"), kProcBytes);
    if (!text) return false;
    const auto line = text->starts_with("0::") ? 0 : text->find("\n0::");
    if (line == std::string::npos) return true; // no unified hierarchy: no names
    const auto start = text->find('/', line);
    const auto end = text->find('\n', start);
    if (start == std::string::npos) return true;
    std::string_view path(*text);
    path = path.substr(start, end == std::string::npos ? end : end - start);
    const auto last = path.rfind('/');
    facts.cgroup = path.substr(last + 1);
    path = path.substr(0, last);
    if (const auto above = path.rfind('/'); above != std::string_view::npos)
        facts.cgroup_parent = path.substr(above + 1);
    return true;
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
    // "Pid:" of a pidfd's fdinfo: 0 outside the namespace, -1 after its end (proc(5)).
    const auto text = read_file("/proc/self/fdinfo/" + std::to_string(pidfd.get()), kProcBytes);
    if (!text || pid <= 0) return std::nullopt;
    const auto line = text->find("\nPid:");
    if (line == std::string::npos) return std::nullopt;
    std::string_view rest(*text);
    rest.remove_prefix(line + 5);
    pid_t held = 0;
    if (!number(rest, held) || held != pid) return std::nullopt;
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
    read_exe(pid_, facts);
    if (!read_stat(pid_, facts) || !read_uids(pid_, facts) || !read_cgroup(pid_, facts)) return std::nullopt;
    if (!alive()) return std::nullopt; // what was read may be another's
    return facts;
}

std::optional<Process> Process::parent() const {
    ProcessFacts before, after;
    if (!read_stat(pid_, before)) return std::nullopt;
    auto above = open(before.parent);
    // Still the parent now, and the child still itself: so it was the parent that was held.
    if (!above || !read_stat(pid_, after) || after.parent != before.parent || !alive()) return std::nullopt;
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
