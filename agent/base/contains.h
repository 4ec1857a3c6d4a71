#pragma once

#include <algorithm>
#include <iterator>

namespace escort {

// Is it one of the list's elements? Nothing (an empty std::optional) never is.
template <typename List, typename Word>
[[nodiscard]] bool contains(const List& list, const Word& word) {
    return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

} // namespace escort
