// Children of the agent's own that do what every hook watches: three that each enter an account number that
// nobody has and must be killed before their next instruction, one that forks, execs and exits. Started and
// looked at without ever waiting; whoever starts them watches their pidfds.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <array>
#include <cstdint>
#include <string>

namespace escort {

// The calls by which a task becomes another account.
enum class IdentityCall { setuid, setreuid, setresuid };
inline constexpr std::array kIdentityCalls{IdentityCall::setuid, IdentityCall::setreuid,
                                           IdentityCall::setresuid};
[[nodiscard]] const char* to_string(IdentityCall call);

// A child that is not reaped yet.
struct Canary {
    Fd pidfd; // readable once it has ended
    Fd word;  // a byte comes out of it where it lived on after the call
};

// Enters `uid` by `call`, then, if it can, writes a byte and ends. With kProbeUid (kernel/rules.h) the rules
// in force kill it. Errors: fork, pipe.
[[nodiscard]] Result<Canary> start_canary(IdentityCall call, std::uint32_t uid);

// Forks a child that execs the agent's own program, which says its version to nobody and exits.
[[nodiscard]] Result<Canary> start_exercise();

enum class CanaryEnd {
    running,   // not yet
    killed,    // by SIGKILL, and not a byte came
    lived,     // it went on after the call
    could_not, // the call was refused: the agent may not change its uid
    ended,     // in another way: by itself, by another signal
};
// Once it has ended its zombie is gone afterwards: to be asked no more.
[[nodiscard]] CanaryEnd end_of(const Canary& canary);

void kill_canary(const Canary& canary);

} // namespace escort
