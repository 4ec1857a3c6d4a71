#include "core/cidr.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <string_view>

namespace escort {

namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_mapped(const std::array<std::uint8_t, 16>& bytes) {
    return std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
}

// As written: a mapped address stays IPv6.
std::optional<IpAddress> parse_plain(const std::string& text) {
    if (text.find('\0') != std::string::npos) return std::nullopt; // inet_pton would stop there
    IpAddress out;
    out.v4 = inet_pton(AF_INET, text.c_str(), out.bytes.data()) == 1;
    if (out.v4 || inet_pton(AF_INET6, text.c_str(), out.bytes.data()) == 1) return out;
    return std::nullopt;
}

IpAddress unmapped(const IpAddress& address) {
    if (address.v4 || !is_mapped(address.bytes)) return address;
    IpAddress out;
    out.v4 = true;
    std::copy(address.bytes.begin() + kMapped.size(), address.bytes.end(), out.bytes.begin());
    return out;
}

bool same_bits(const IpAddress& left, const IpAddress& right, unsigned count) {
    const unsigned whole = count / 8;
    if (!std::equal(left.bytes.begin(), left.bytes.begin() + whole, right.bytes.begin())) return false;
    const unsigned rest = count % 8;
    if (rest == 0) return true;
    const unsigned differing = static_cast<unsigned>(left.bytes.at(whole) ^ right.bytes.at(whole));
    return (differing >> (8 - rest)) == 0;
}

} // namespace

std::optional<IpAddress> parse_ip(const std::string& text) {
    const auto plain = parse_plain(text.substr(0, text.find('%')));
    if (!plain) return std::nullopt;
    return unmapped(*plain);
}

bool in_network(const IpAddress& address, const std::string& network) {
    const std::size_t slash = network.find('/');
    if (slash == std::string::npos) return false;
    auto base = parse_plain(network.substr(0, slash));
    if (!base) return false;
    const std::string_view digits = std::string_view(network).substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return false;
    if (length > (base->v4 ? 32U : 128U)) return false;
    constexpr unsigned kMappedBits = kMapped.size() * 8;
    if (!base->v4 && length >= kMappedBits && is_mapped(base->bytes)) {
        base = unmapped(*base);
        length -= kMappedBits;
    }
    return base->v4 == address.v4 && same_bits(*base, address, length);
}

bool in_any(const IpAddress& address, const std::vector<std::string>& networks) {
    return std::any_of(networks.begin(), networks.end(),
                       [&](const std::string& network) { return in_network(address, network); });
}

} // namespace escort
