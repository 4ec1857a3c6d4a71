// Principals, windows, exemptions and listed units as the kernel's rules. Pure.
#pragma once

#include "core/policy.h"
#include "kernel/state.h"

#include <cstdint>
#include <string>
#include <vector>

namespace escort {

// An account number that nobody has: the agent's own canary enters it to see the kernel refuse.
constexpr std::uint32_t kProbeUid = 0xffff'fff0;

struct PrincipalRule {
    std::uint32_t uid = 0;
    const Policy* policy = nullptr;
    std::uint64_t window_until = 0; // CLOCK_BOOTTIME ns; 0: no window
};

struct ExemptRule {
    std::string unit;
    std::vector<std::uint32_t> uids;
};

// A vendor's guest agent (`principals.units`): judged as admission: window, whatever the policy says.
struct UnitRule {
    std::string name;                  // "walinuxagent.service"
    std::vector<std::string> programs; // what it may run for itself: globs that compile_pattern takes
    std::uint64_t window_until = 0;    // CLOCK_BOOTTIME ns; 0: no window
    const Policy* policy = nullptr;
};

// What goes beyond ESCORT_MAX_EXEMPT_UNITS, ESCORT_MAX_UNITS, ESCORT_MAX_PROGRAMS (a path of a merged /usr is
// two), or doesn't compile, is left out (the policy loader refuses such a set).
[[nodiscard]] std::vector<KernelRule> compile_rules(const std::vector<PrincipalRule>& principals,
                                                    const std::vector<ExemptRule>& exempt,
                                                    bool observe_override,
                                                    const std::vector<UnitRule>& units = {});

} // namespace escort
