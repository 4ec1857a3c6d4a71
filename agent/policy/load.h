// A folder of policy files as one set: loaded whole or not at all (contract §3).
#pragma once

#include "core/policy.h"

#include <optional>
#include <string>
#include <vector>

namespace escort {

constexpr std::size_t kPolicyFiles = 1000;                 // files in a set
constexpr std::size_t kPolicyBytes = std::size_t{8} << 20; // bytes in a set

// A policy file as it was read.
struct PolicySource {
    std::string name;    // without its folder: "10-vendor.yaml"; part of the fingerprint
    std::string path;    // for places
    std::string content; // raw bytes
};
using PolicySources = std::vector<PolicySource>;

// Every *.yaml of `folder` that isn't hidden, in lexical order. Nothing when anything can't be read (one that
// is no regular file included) or when a limit is passed. A *.yml is only warned of.
[[nodiscard]] std::optional<PolicySources> read_policy_folder(const std::string& folder, Diagnostics& out);

// One file, for `policy check`.
[[nodiscard]] std::optional<PolicySource> read_policy_source(const std::string& path, Diagnostics& out);

// The set that the sources make, its fingerprint included. Nothing when an error was added to `out`, which
// may also get warnings; diagnostics are in the order of files and lines.
[[nodiscard]] std::optional<PolicySet> parse_policies(const PolicySources& sources, Diagnostics& out);

// read_policy_folder() and parse_policies().
[[nodiscard]] std::optional<PolicySet> load_policies(const std::string& folder, Diagnostics& out);

} // namespace escort
