// One pass over sessions that must end: everything of them that is found alive gets SIGKILL.
#pragma once

#include "base/result.h"
#include "kernel/state.h"

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace escort {

// A process by pid and start time: the identity by which it is counted once.
using ProcessSet = std::set<std::pair<std::uint32_t, std::uint64_t>>;

// How a session is to be swept.
struct Sweep {
    // These have their SIGKILL already, and aren't signalled again.
    const ProcessSet* signalled = nullptr;
    // A cgroup that the session owns is killed as a whole: what forks faster than it is listed dies so.
    // Looking whether it owns one costs more than all the signals of a session that doesn't fork.
    bool whole_cgroup = false;
};

struct SweepResult {
    ProcessSet processes;    // found alive in this pass
    ProcessSet signalled;    // of them: SIGKILL is on its way, from this pass or one before
    std::size_t alive = 0;   // tasks (threads) found alive before the signals
    std::size_t cgroups = 0; // killed as a whole
};

// The sessions must be dead in the verdict map already: else what they fork meanwhile lives. The kernel's
// pass over the tasks signals what it finds, where it can; else each process is held by a pidfd and its label
// looked up through that pidfd before it is signalled, so a pid that was reused is never hit. A thread whose
// process is not of the session is left to the kernel's own hooks. Needs ten free descriptors. The result has
// an entry for each of `sessions`.
[[nodiscard]] Result<std::map<std::uint64_t, SweepResult>>
sweep_all(const KernelState& state, const std::map<std::uint64_t, Sweep>& sessions);
// One session with all means, where no second pass may follow.
[[nodiscard]] Result<SweepResult> sweep(const KernelState& state, std::uint64_t id);

// Processes alive now, by session, in one pass; a session that has none is not there.
[[nodiscard]] std::map<std::uint64_t, std::size_t> count_processes(const KernelState& state);

} // namespace escort
