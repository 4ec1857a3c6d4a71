// "did you mean": the known word nearest to a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escort {

// Levenshtein distance in bytes; a swap of neighbours counts one.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known` when it is near enough to be what was meant (a third of its length, at most 3
// edits), else an empty string.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);

// `did you mean "WORD"?`, or empty.
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

} // namespace escort
