// What a policy may ask for with a pattern of ids (contract §3): all that core/pattern.h takes, within a size
// that neither its compilation nor its matching makes long.
#pragma once

#include <cstddef>
#include <string>

namespace escort {

constexpr std::size_t kPatternSteps = 1024; // characters once every {n} is written out

// What is wrong with the pattern; empty when nothing is.
[[nodiscard]] std::string wrong_pattern(const std::string& text);

} // namespace escort
