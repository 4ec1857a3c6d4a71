// The policy in force for people and scripts: each rule with the file, line and column it came from
// (`policy show`). One list of rules serves both, so that neither can miss one.
#pragma once

#include "core/policy.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace escort {

// One rule a line, its place at the end; "(default)" where nothing was written. Ends with a line feed. An
// absent key that asks for nothing has no line.
[[nodiscard]] std::string show_text(const PolicySet& set);

// {"sha256", "allow_empty", "policies": [{"name", "file", "line", "column", and the keys of contract §3}]};
// each rule is {"value", "file", "line", "column"}, a default has file null and line 0. principals.*,
// require.bind and exempt are lists of rules. Durations are as a policy writes them: "30s", "5m", "2h".
[[nodiscard]] nlohmann::json show_json(const PolicySet& set);

} // namespace escort
