// What single strings of a document must look like. Each answers nothing, or why the string is refused.
#pragma once

#include <optional>
#include <string>

namespace escort::shapes {

// ISO 3166-1 alpha-2: two capital letters.
[[nodiscard]] std::optional<std::string> country(const std::string& text);
// IPv4 or IPv6 prefix with its length (RFC 4632 §3.1, RFC 4291 §2.3).
[[nodiscard]] std::optional<std::string> cidr(const std::string& text);
// As ssh-keygen -l prints it: "SHA256:" and 43 characters of base64 without padding.
[[nodiscard]] std::optional<std::string> fingerprint(const std::string& text);
// "host:ID" or "group:NAME".
[[nodiscard]] std::optional<std::string> audience(const std::string& text);

} // namespace escort::shapes
