// A document's claims as a person writes them, in YAML, as the JSON that is signed.
#pragma once

#include "base/diagnostic.h"
#include "policy/yaml.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace escort::ctl {

// Types as YAML 1.2's core schema has them (chapter 10.3): `yes` is a string, 812 an integer, 1.5 a float.
[[nodiscard]] nlohmann::ordered_json json_of(const YamlNode& node);

// The claims in `content`: JSON as it stands, else YAML. Nothing, and the reason in `out`, where it is
// neither or no map.
[[nodiscard]] std::optional<nlohmann::ordered_json> claims_from(const std::string& file,
                                                                const std::string& content, Diagnostics& out);

// Puts in what a list's author may leave out: `iat` is now, `exp` the end of the last approval, but 5 minutes
// at least and 24 hours at most after `iat`.
void add_defaults(nlohmann::ordered_json& claims, std::int64_t now);

} // namespace escort::ctl
