// The courier's sandbox: no capability, and the system calls of a program that talks to servers and writes
// files. Entered before anything is read from the network.
#pragma once

#include "base/result.h"

namespace escort::courier {

// Error: the kernel has no seccomp, or refuses.
[[nodiscard]] Status enter_sandbox();

} // namespace escort::courier
