// The texts of /proc/PID (proc(5)), read into facts. Pure: no I/O. Whoever owns a process chose some of what
// they hold (its name may be anything, brackets too).
#pragma once

#include "process/facts.h"

#include <string_view>

namespace escort {

// /proc/PID/stat: comm, state, parent, tty, start_ticks. False where it isn't one.
[[nodiscard]] bool read_stat(std::string_view text, ProcessFacts& facts);
// /proc/PID/status: uid, effective_uid. False where it holds none.
[[nodiscard]] bool read_uids(std::string_view text, ProcessFacts& facts);
// /proc/PID/cgroup: cgroup, cgroup_parent; both stay empty without a unified hierarchy.
void read_cgroup(std::string_view text, ProcessFacts& facts);
// "Pid:" of a pidfd's /proc/PID/fdinfo/N: 0 outside the namespace, -1 after its end. Nothing: it holds none.
[[nodiscard]] std::optional<pid_t> read_pid(std::string_view text);

} // namespace escort
