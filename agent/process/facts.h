// A living process, and what /proc says of it. Facts of one process: never those of a later one with its pid.
//
// Every value here is a claim of the process itself (its program's name, its terminal) or of who started it;
// none is an identity, and none admits anything by itself. pids are those of the agent's own PID namespace.
#pragma once

#include "base/fd.h"
#include "core/policy.h"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

namespace escort {

struct ProcessFacts {
    pid_t pid = 0;
    pid_t parent = 0; // 0: the parent is outside the PID namespace, or there is none
    char state = ' '; // as ps(1) has it: T stopped by a signal, t held by a debugger; ' ': not known
    std::uint64_t start_ticks = 0; // since boot, in clock ticks: /proc/PID/stat, field 22
    std::uint32_t uid = 0;         // real
    std::uint32_t effective_uid = 0;
    std::string comm;          // at most 15 bytes
    std::string exe;           // path of its program, "" of a kernel thread; as its own root names it
    std::string cgroup;        // last folder of its cgroup in the unified hierarchy: "session-3.scope"
    std::string cgroup_parent; // the one above: "user-1001.slice"
    std::uint32_t tty = 0;     // device number of its controlling terminal (process/terminal.h); 0: none

    // File name of the program, without the " (deleted)" of one that was replaced meanwhile.
    [[nodiscard]] std::string program() const;
};

// Held by a pidfd, so that a pid that is used again is noticed. Reading costs some 0.1 ms; nothing blocks.
class Process {
  public:
    // Nothing: no such process, a zombie, or a thread that is not its process's first.
    [[nodiscard]] static std::optional<Process> open(pid_t pid);
    // As a peer handed it over. The pidfd must be that of `pid`; nothing when it isn't.
    [[nodiscard]] static std::optional<Process> open(pid_t pid, Fd pidfd);

    // Read now. Nothing when the process has ended before the last of them was read.
    [[nodiscard]] std::optional<ProcessFacts> facts() const;
    // Its real parent, held in the same way: still the parent after it was held.
    [[nodiscard]] std::optional<Process> parent() const;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }
    [[nodiscard]] bool alive() const; // a zombie isn't

  private:
    Process(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

    pid_t pid_ = 0;
    Fd pidfd_;
};

// How the process would come to an account if it changed its uid now: what the kernel programs would say of
// it (bpf/entry.h). Entry::other when it has ended.
[[nodiscard]] Entry way_in(const Process& process);
[[nodiscard]] Entry way_in(const ProcessFacts& facts);

} // namespace escort
