// `require:` of a policy file: what an approval and a session must meet.
#pragma once

#include "policy/reading.h"

namespace escort {

constexpr std::uint32_t kMostApprovers = 64;       // contract §4: 64 entries a list
constexpr std::uint32_t kMostSessions = 1'000'000; // of one approval; a slip of the keyboard is above it

// Reads `require:` of the document `root`; errors go to `reading`. An absent key is no requirement, but for
// admission: gate and the four default entries.
void read_require(Reading& reading, const YamlNode& root, Requirements& into);

} // namespace escort
