// A document's claims as a person writes them, in YAML, as the JSON that is signed.
#pragma once

#include "base/diagnostic.h"
#include "base/result.h"
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

// What a document is made for: `--type`. Break-glass is a list of its own kind.
enum class PayloadType { approvals, breakglass, presence, revocation };

[[nodiscard]] std::optional<PayloadType> payload_type(const std::string& word);

// Puts in what an author may leave out. `iat` is now. `exp` of a list is the end of its last approval, but 5
// minutes at least and 24 hours (break-glass: 4) at most after `iat`; of a lease a minute after it. A
// revocation gets its `events`, and a `jti` by chance. An error: no random number is to be had.
[[nodiscard]] Status add_defaults(nlohmann::ordered_json& claims, PayloadType type, std::int64_t now);

} // namespace escort::ctl
