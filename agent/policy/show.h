// The policy in force for people and scripts: each rule with the file and line it came from (`policy show`).
#pragma once

#include "core/policy.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace escort {

// One rule a line, its place at the end; "(default)" where nothing was written. Ends with a line feed.
[[nodiscard]] std::string show_text(const PolicySet& set);

// {"sha256", "allow_empty", "policies": [{"name", "file", "line", and the keys of contract §3}]}; each rule
// is
// {"value", "file", "line"}, a default has file null and line 0.
[[nodiscard]] nlohmann::json show_json(const PolicySet& set);

} // namespace escort
