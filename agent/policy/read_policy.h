// One policy file, from YAML to the model of core/policy.h. Knows the contract's rules for a single file;
// rules between files are in overlap.h, keys that work
// against each other in contradictions.h.
#pragma once

#include "core/policy.h"
#include "policy/yaml.h"

#include <optional>
#include <string>

namespace escort {

constexpr std::uint32_t kMostExecs = 60'000; // record.exec_per_minute: a thousand a second

struct PolicyFile {
    bool allow_empty = false;
    std::optional<Policy> policy; // absent in a file that only says allow_empty
};

// Checks `root` against the schema and reads it. Nothing when an error was added to `out`.
[[nodiscard]] std::optional<PolicyFile> read_policy(const std::string& file, const YamlNode& root,
                                                    Diagnostics& out);

} // namespace escort
