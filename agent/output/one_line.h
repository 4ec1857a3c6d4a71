// Text from people who may be hostile, made fit for one line of a journal field or of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace escort {

constexpr std::size_t kLineBytes = std::size_t{64} << 10;

// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional overrides and bytes that
// aren't UTF-8 become \xNN, byte by byte; what is over kLineBytes is cut and marked with "...".
[[nodiscard]] std::string one_line(std::string_view text);

} // namespace escort
