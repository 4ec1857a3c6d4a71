#include "process/proc_text.h"

#include <array>
#include <charconv>

namespace escort {

namespace {

template <typename T>
bool number(std::string_view& text, T& value) {
    while (text.starts_with(' ') || text.starts_with('\t'))
        text.remove_prefix(1);
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    return true;
}

// What follows `label` at a line's start.
std::optional<std::string_view> after(std::string_view text, std::string_view label) {
    const auto line = text.find(label);
    if (line == std::string_view::npos) return std::nullopt;
    return text.substr(line + label.size());
}

} // namespace

// "PID (COMM) STATE PPID PGRP SESSION TTY ..." (proc(5)); the name may hold anything, brackets too.
bool read_stat(std::string_view text, ProcessFacts& facts) {
    const auto open = text.find('('), close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return false;
    facts.comm = text.substr(open + 1, close - open - 1);
    std::string_view rest = text.substr(close + 1);
    if (rest.size() < 3) return false;
    facts.state = rest[1];
    rest.remove_prefix(2); // " S"
    std::array<std::int64_t, 18> fields{};
    for (auto& field : fields)
        if (!number(rest, field)) return false;
    facts.parent = static_cast<pid_t>(fields[0]);
    facts.tty = static_cast<std::uint32_t>(fields[3]);
    return number(rest, facts.start_ticks);
}

bool read_uids(std::string_view text, ProcessFacts& facts) {
    auto rest = after(text, "\nUid:");
    return rest && number(*rest, facts.uid) && number(*rest, facts.effective_uid);
}

void read_cgroup(std::string_view text, ProcessFacts& facts) {
    const auto line = text.starts_with("0::") ? text.substr(3) : after(text, "\n0::").value_or("");
    std::string_view path = line.substr(0, line.find('\n'));
    const auto last = path.rfind('/');
    if (last == std::string_view::npos) return;
    facts.cgroup = path.substr(last + 1);
    path = path.substr(0, last);
    if (const auto above = path.rfind('/'); above != std::string_view::npos)
        facts.cgroup_parent = path.substr(above + 1);
}

std::optional<pid_t> read_pid(std::string_view text) {
    auto rest = after(text, "\nPid:");
    pid_t pid = 0;
    if (!rest || !number(*rest, pid)) return std::nullopt;
    return pid;
}

} // namespace escort
