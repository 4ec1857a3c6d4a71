// What the daemon alone can say to `escortctl doctor`, as rows: what its own run has proven, and what of its
// keys, lists and policies is missing. Pure: reads the parts, starts and changes nothing.
#pragma once

#include "kernel/canary.h"
#include "kernel/firing.h"
#include "service/agent.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace escort {

// How one of the children came out.
struct CanaryResult {
    std::string name; // "setuid", or "exec"
    bool must_die = false;
    CanaryEnd end = CanaryEnd::running; // running: it was still there after the time for it
    std::string why{};                  // it could not be started
};

// What one examination has seen.
struct Examined {
    std::vector<Firing> firings;
    std::vector<CanaryResult> canaries;

    // Every hook that decides ran, and every child that had to die was killed. The clock's programs are not
    // asked: they run now and then, or only when something is due.
    [[nodiscard]] bool proven() const;
};

// Rows {part, name, state, detail, hint}; `state` is proven, not_proven, ok, missing.
[[nodiscard]] nlohmann::json hook_rows(const std::vector<Firing>& firings);
[[nodiscard]] nlohmann::json canary_rows(const std::vector<CanaryResult>& canaries);
[[nodiscard]] nlohmann::json agent_rows(const Agent& agent);

// The answer to the request `doctor` (docs/control-protocol.md).
[[nodiscard]] nlohmann::json doctor_json(const Agent& agent, const Examined& examined);

} // namespace escort
