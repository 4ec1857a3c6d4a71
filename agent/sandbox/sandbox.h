// The daemon's sandbox: what it may ask of the kernel from now on. Entered once, when everything is loaded
// and attached; there is no way out of it, and children inherit it. Decides nothing about sessions, and is no
// defence of the host's tasks against root: it limits what a bug in the daemon is good for.
#pragma once

#include "base/result.h"

namespace escort {

// Capabilities first (capabilities.h), the seccomp filter last (filter.h). Call it before the loop, from the
// only thread. Error: the kernel has no seccomp, or something was refused; part of it may be in force then.
[[nodiscard]] Status enter_sandbox();

// What the NSS helper does first, whoever started it: no capability at all, and the same filter, which it has
// already where the daemon had entered. It runs other people's code, and needs no more than root's own files.
[[nodiscard]] Status enter_helper_sandbox();

} // namespace escort
