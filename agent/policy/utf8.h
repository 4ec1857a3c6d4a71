// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace escort {

// One code point and how many bytes it took (1 to 4).
struct CodePoint {
    std::uint32_t value = 0;
    std::size_t bytes = 0;
};

// The code point that starts at `at` (below text.size()); nothing where the bytes are not UTF-8.
[[nodiscard]] std::optional<CodePoint> code_point_at(std::string_view text, std::size_t at);

// C0 and C1 controls and DEL; tab, line feed and carriage return too: the caller lets through what it wants.
[[nodiscard]] constexpr bool is_control(std::uint32_t value) {
    return value < 0x20 || (value >= 0x7f && value <= 0x9f);
}

// `text` for a message of one line: at most 60 bytes of it, cut between code points, line ends as spaces.
[[nodiscard]] std::string shortened(std::string_view text);

} // namespace escort
