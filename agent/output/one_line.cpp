#include "output/one_line.h"

#include "policy/utf8.h"

#include <fmt/format.h>

namespace escort {

namespace {

// Line and paragraph separator, and what makes a terminal show text in another order than it has.
bool disturbs(std::uint32_t value) {
    return (value >= 0x2028 && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069);
}

} // namespace

std::string one_line(std::string_view text) {
    std::string line;
    line.reserve(std::min(text.size(), kLineBytes));
    std::size_t at = 0;
    while (at < text.size() && line.size() < kLineBytes) {
        const auto point = code_point_at(text, at);
        const std::size_t bytes = point ? point->bytes : 1;
        if (point && !is_control(point->value) && !disturbs(point->value)) {
            line += text.substr(at, bytes);
        } else {
            for (const char byte : text.substr(at, bytes))
                line += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        }
        at += bytes;
    }
    if (at < text.size()) line += "...";
    return line;
}

} // namespace escort
