// Addresses and networks as text, IPv4 and IPv6. Pure; resolves no names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace escort {

struct IpAddress {
    std::array<std::uint8_t, 16> bytes{}; // network order; of IPv4 the first four
    bool v4 = false;
};

// A zone ("fe80::1%eth0") is left out; an IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2) is the IPv4 one.
[[nodiscard]] std::optional<IpAddress> parse_ip(const std::string& text);

// `network` as ADDRESS/LENGTH (RFC 4632 §3.1, RFC 4291 §2.3), bits past its length ignored. What is no
// network holds nothing.
[[nodiscard]] bool in_network(const IpAddress& address, const std::string& network);
[[nodiscard]] bool in_any(const IpAddress& address, const std::vector<std::string>& networks);

} // namespace escort
