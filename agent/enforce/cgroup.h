// The session's cgroup, where it owns one: a logind scope in which nobody else lives.
#pragma once

#include "base/result.h"
#include "kernel/state.h"

#include <cstdint>
#include <optional>
#include <string>

namespace escort {

// Folder of the process's cgroup in the unified hierarchy; nothing when it can't be told or is not
// `cgroup_id` (the process moved on, or the pid is another's now).
[[nodiscard]] std::optional<std::string> cgroup_folder(std::uint32_t pid, std::uint64_t cgroup_id);

// A session-*.scope without cgroups below it, all of whose living processes carry the session's label, each
// looked up through a pidfd. false, too, when no descriptor is left to look with. Needs one at a time.
[[nodiscard]] bool owns_cgroup(const KernelState& state, std::uint64_t id, const std::string& folder);

// Writes cgroup.kill: every process in it and below dies, forks in flight included.
[[nodiscard]] Status kill_cgroup(const std::string& folder);

} // namespace escort
