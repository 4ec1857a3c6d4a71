// Proof that the kernel refuses: a child of the agent's own enters an account number that nobody has, and
// must be killed before its next instruction.
#pragma once

#include "base/result.h"

namespace escort {

// The rules in force must hold kProbeUid. Takes some milliseconds, at most one second; only at the start.
// Error: the child lived (the hooks don't fire), or couldn't be made.
[[nodiscard]] Status prove_enforcement();

} // namespace escort
