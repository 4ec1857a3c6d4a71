#include "policy/utf8.h"

namespace escort {

namespace {

// How many bytes follow the lead byte, the bits it carries itself, and the least value of that length.
struct Lead {
    std::size_t following;
    std::uint32_t bits;
    std::uint32_t least;
};

std::optional<Lead> lead_of(unsigned char byte) {
    if (byte < 0x80) return Lead{0, byte, 0};
    if ((byte & 0xe0) == 0xc0) return Lead{1, byte & 0x1fU, 0x80};
    if ((byte & 0xf0) == 0xe0) return Lead{2, byte & 0x0fU, 0x800};
    if ((byte & 0xf8) == 0xf0) return Lead{3, byte & 0x07U, 0x10000};
    return std::nullopt;
}

} // namespace

std::optional<CodePoint> code_point_at(std::string_view text, std::size_t at) {
    const auto lead = lead_of(static_cast<unsigned char>(text[at]));
    if (!lead || text.size() - at <= lead->following) return std::nullopt;
    std::uint32_t value = lead->bits;
    for (std::size_t i = 1; i <= lead->following; ++i) {
        const auto byte = static_cast<unsigned char>(text[at + i]);
        if ((byte & 0xc0) != 0x80) return std::nullopt;
        value = value << 6 | (byte & 0x3fU);
    }
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < lead->least || value > 0x10ffff || surrogate) return std::nullopt;
    return CodePoint{value, lead->following + 1};
}

std::string shortened(std::string_view text) {
    constexpr std::size_t kMost = 60;
    std::size_t end = 0;
    while (end < text.size()) {
        const auto point = code_point_at(text, end);
        const std::size_t step = point ? point->bytes : 1;
        if (end + step > kMost) break;
        end += step;
    }
    std::string out(text.substr(0, end));
    for (char& c : out)
        if (c == '\n' || c == '\t' || c == '\r') c = ' ';
    return end < text.size() ? out + "..." : out;
}

} // namespace escort
