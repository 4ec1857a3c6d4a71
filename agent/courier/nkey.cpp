#include "courier/nkey.h"

#include "approvals/key.h"

#include <array>
#include <cstdint>
#include <optional>

namespace escort::courier {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; // RFC 4648 §6
constexpr std::uint8_t kSeed = 18 << 3;
constexpr std::uint8_t kUser = 20 << 3;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSeedLength = 58; // of 2 + 32 + 2 bytes

std::optional<std::string> base32_decode(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto value = kAlphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 5 | static_cast<std::uint32_t>(value);
        count += 5;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 0xff);
    }
    return out;
}

std::string base32_encode(std::string_view bytes) {
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<std::uint8_t>(c);
        count += 8;
        for (; count >= 5; count -= 5)
            out += kAlphabet[bits >> (count - 5) & 31];
    }
    if (count > 0) out += kAlphabet[bits << (5 - count) & 31];
    return out;
}

// CRC-16/XMODEM, low byte first.
std::string checksum(std::string_view bytes) {
    std::uint16_t crc = 0;
    for (const char c : bytes) {
        crc = static_cast<std::uint16_t>(crc ^ static_cast<std::uint8_t>(c) << 8);
        for (int i = 0; i < 8; i++)
            crc = static_cast<std::uint16_t>((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return {static_cast<char>(crc & 0xff), static_cast<char>(crc >> 8)};
}

std::string_view seed_line(std::string_view text) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        std::string_view line = text.substr(0, end);
        if (const auto last = line.find_last_not_of(" \t\r"); last != std::string_view::npos)
            line = line.substr(0, last + 1);
        if (line.starts_with("SU")) return line;
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return {};
}

} // namespace

Result<std::string> nkey_public(std::string_view text) {
    const std::string where = "NKey seed";
    const auto line = seed_line(text);
    if (line.empty()) return fail(where, "there is none of a user (SU...)");
    const auto bytes = base32_decode(line);
    if (line.size() != kSeedLength || !bytes) return fail(where, "is not a seed of 58 characters");
    const std::string_view body = std::string_view(*bytes).substr(0, 2 + kKeyBytes);
    if (checksum(body) != bytes->substr(body.size())) return fail(where, "its checksum is wrong");
    const auto first = static_cast<std::uint8_t>(body[0]);
    const auto second = static_cast<std::uint8_t>(body[1]);
    if ((first & 0xf8) != kSeed || ((first & 7) << 5 | second >> 3) != kUser)
        return fail(where, "is not a user's");
    const Pkey key(EVP_PKEY_new_raw_private_key(
        EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(body.data() + 2), kKeyBytes));
    std::array<unsigned char, kKeyBytes> half{};
    std::size_t size = half.size();
    if (!key || EVP_PKEY_get_raw_public_key(key.get(), half.data(), &size) != 1 || size != half.size())
        return fail(where, openssl_error());
    std::string out(1, static_cast<char>(kUser));
    out.append(reinterpret_cast<const char*>(half.data()), half.size());
    out += checksum(out);
    return base32_encode(out);
}

} // namespace escort::courier
