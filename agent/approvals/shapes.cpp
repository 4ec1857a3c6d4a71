#include "approvals/shapes.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <string_view>

namespace escort::shapes {

std::optional<std::string> country(const std::string& text) {
    const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (text.size() == 2 && capital(text[0]) && capital(text[1])) return std::nullopt;
    return "must be two capital letters (ISO 3166-1 alpha-2)";
}

std::optional<std::string> cidr(const std::string& text) {
    const std::string why = "must be a network as ADDRESS/LENGTH";
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos) return why;
    const std::string address = text.substr(0, slash);
    const std::string_view digits = std::string_view(text).substr(slash + 1);
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return why;
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc() || end != digits.data() + digits.size()) return why;
    std::array<unsigned char, sizeof(in6_addr)> binary{};
    if (inet_pton(AF_INET, address.c_str(), binary.data()) == 1 && length <= 32) return std::nullopt;
    if (inet_pton(AF_INET6, address.c_str(), binary.data()) == 1 && length <= 128) return std::nullopt;
    return why;
}

std::optional<std::string> fingerprint(const std::string& text) {
    constexpr std::string_view kPrefix = "SHA256:";
    const std::string_view rest =
        text.starts_with(kPrefix) ? std::string_view(text).substr(kPrefix.size()) : std::string_view();
    const bool base64 = std::all_of(rest.begin(), rest.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
               c == '/';
    });
    if (rest.size() == 43 && base64) return std::nullopt;
    return "must be SHA256: and 43 characters of base64, as ssh-keygen -l prints it";
}

std::optional<std::string> audience(const std::string& text) {
    if ((text.starts_with("host:") && text.size() > 5) || (text.starts_with("group:") && text.size() > 6))
        return std::nullopt;
    return "must be host:ID or group:NAME";
}

} // namespace escort::shapes
