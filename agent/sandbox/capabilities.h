// The capabilities that the daemon keeps once it has started, one reason each.
#pragma once

#include "base/result.h"

#include <linux/capability.h>
#include <span>

namespace escort {

struct Capability {
    unsigned number; // CAP_*, capabilities(7)
    const char* reason;
};

inline constexpr Capability kDaemonCapabilities[] = {
    {CAP_BPF, "maps are written, programs that were taken away are loaded and pinned again"},
    {CAP_PERFMON, "those programs are tracing programs; tracepoints are attached through perf"},
    {CAP_SYS_ADMIN,
     "such a load looks through the modules' BTF where the kernel lacks a function; run counts"},
    {CAP_SYS_PTRACE, "/proc/PID of other accounts; pidfd_getfd: the address of an sshd's connection"},
    {CAP_KILL, "processes of other accounts are ended"},
    {CAP_DAC_OVERRIDE,
     "/proc/PID/fd of other accounts; a line to a session's terminal, which is its owner's"},
    {CAP_SETUID, "the canary becomes an account that nobody has: the filter lets no other through"},
};

// Effective and permitted become exactly `kept`, inheritable, ambient and bounding set empty or as small.
// Error: one of `kept` isn't held now, or (without CAP_SETPCAP) the bounding set can't be made smaller.
[[nodiscard]] Status keep_capabilities(std::span<const Capability> kept);

// Effective, permitted, inheritable: none. The bounding set stays: with no_new_privs it gives nothing.
[[nodiscard]] Status drop_capabilities();

} // namespace escort
