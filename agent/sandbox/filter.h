// The seccomp filter made of calls.h: default deny.
#pragma once

#include "base/result.h"
#include "sandbox/calls.h"

namespace escort {

// Sets no_new_privs and loads the filter, for this process and all its children, for good.
//
// A call outside the table fails with EPERM and is logged by the kernel (audit record 1326, `journalctl -k`):
// that denies it as surely as killing would, while a library's new favourite call, on some distribution's
// update, costs one function of the daemon and not the daemon, which would be restarted into the same call
// for ever. Calls of a foreign architecture (32-bit) kill: nothing of ours makes them. Error: no seccomp in
// this kernel.
[[nodiscard]] Status load_filter(std::span<const AllowedCall> calls = allowed_calls());

} // namespace escort
