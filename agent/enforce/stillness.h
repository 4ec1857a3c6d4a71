// One pass over a session that must stand still (SIGSTOP) or go on (SIGCONT), process by process, for what no
// frozen cgroup holds. Each process is held by a pidfd and its label looked up through it before it is
// signalled.
#pragma once

#include "kernel/state.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace escort {

// (start time, pid): parents before their children.
using StartedProcess = std::pair<std::uint64_t, std::uint32_t>;

struct Standing {
    std::set<StartedProcess> running; // a thread of it at least is not stopped
    std::set<StartedProcess> stopped; // every thread of it is
};

// What stands and what runs of a session's living processes; those whose cgroup `held` knows are in neither.
[[nodiscard]] Standing standing(const std::vector<escort_task>& tasks,
                                const std::function<bool(const escort_task&)>& held);

// A shell must not see its job stop, or it takes the terminal back and the job stays in the background. So
// parents are stopped first, their children once they stand, and children are woken first.

// Those of `running` whose parent isn't among them: they may be stopped now. `parents` remembers what was
// read.
[[nodiscard]] std::set<StartedProcess>
without_running_parent(const std::set<StartedProcess>& running,
                       std::map<StartedProcess, std::uint32_t>& parents);

void stop(const KernelState& state, std::uint64_t id, const std::set<StartedProcess>& processes);
void wake(const KernelState& state, std::uint64_t id, const std::set<StartedProcess>& processes);

} // namespace escort
