#include "approvals/base64url.h"

#include <array>
#include <cstdint>

namespace escort {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kBad = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kBad);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i)
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}

constexpr auto kValues = make_values();

} // namespace

std::optional<std::string> base64url_decode(std::string_view text) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out(text.size() * 3 / 4, '\0');
    char* to = out.data();
    std::uint32_t bits = 0;
    std::uint8_t seen = 0; // the high bit stands once a character was outside the alphabet
    unsigned held = 0;     // how many low bits of `bits` wait for their byte: 0, 2, 4 or 6
    for (const char c : text) {
        const std::uint8_t value = kValues[static_cast<unsigned char>(c)];
        seen |= value;
        bits = bits << 6 | value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = static_cast<char>(bits >> held & 0xff);
        }
    }
    if ((seen & 0x80) != 0 || (bits & ((1U << held) - 1)) != 0) return std::nullopt;
    return out;
}

std::string base64url_encode(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() * 4 / 3 + 2);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : bytes) {
        bits = (bits << 8 | static_cast<unsigned char>(c)) & 0x3fff;
        held += 8;
        while (held >= 6) {
            held -= 6;
            out.push_back(kAlphabet[bits >> held & 0x3f]);
        }
    }
    if (held > 0) out.push_back(kAlphabet[bits << (6 - held) & 0x3f]);
    return out;
}

} // namespace escort
