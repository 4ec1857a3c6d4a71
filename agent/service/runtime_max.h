// How long PID 1 is to let a login's scope live, where the kernel's own clock doesn't reach sessions that
// sleep (kernel/clock.h). Only reckons.
#pragma once

#include "core/ledger.h"
#include "core/verdict.h"

#include <cstdint>

namespace escort {

// Seconds, 1 and above, until what cannot move any more has ended an approved session: the approval's `exp`,
// its `max_duration` and the policy's, whichever is first, and five seconds in which the daemon and the
// kernel may do it themselves. The list's `exp`, leases and locations don't count: they are renewed, and a
// scope's limit can't be. 0: nothing ends it (observed, or no approval's).
[[nodiscard]] std::uint32_t runtime_max_s(const Verdict& verdict, const Candidate& approval,
                                          const Policy& policy, std::uint64_t opened_boot_ns,
                                          const Moment& now);

} // namespace escort
