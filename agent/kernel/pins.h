// Names and upkeep of the pin folder:
//
//   PINS/labels, groups, owner    shared by all versions (their layouts are frozen)
//   PINS/v3/maps/MAP              one ABI's maps
//   PINS/sets/7-BUILD/PROGRAM     one attached set of programs: its generation, what it was built from
//
// Knows names only; loads and attaches nothing.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace escort {

// Makes the folders of this version. Error: the path isn't on a bpffs, or can't be written.
[[nodiscard]] Status prepare_pins(const std::string& pins);

[[nodiscard]] std::string map_pin(const std::string& pins, const std::string& map);
// Folders of other versions' maps.
[[nodiscard]] std::vector<std::string> other_versions(const std::string& pins);

struct PinnedSet {
    std::uint64_t generation = 0; // which of the sets acts is said by the map `owner`
    std::string build;
    std::string folder;
};
[[nodiscard]] std::vector<PinnedSet> pinned_sets(const std::string& pins);
[[nodiscard]] PinnedSet pinned_set(const std::string& pins, std::uint64_t generation,
                                   const std::string& build);
// The inode of what is pinned there: with another one it was replaced. nullopt: nothing is, or it is no pin.
[[nodiscard]] std::optional<std::uint64_t> pin_inode(const std::string& path);
// A folder with all that is in it: what is pinned only there is detached.
[[nodiscard]] Status remove_pins(const std::string& folder);

// 16 hex digits of SHA-256 over the bytes.
[[nodiscard]] std::string content_hash(const void* data, std::size_t size);

} // namespace escort
