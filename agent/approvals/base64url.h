// base64url without padding (RFC 4648 §5, RFC 7515 §2), strict.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace escort {

// Nothing where a character is outside the alphabet, a padding stands, the length is impossible or unused
// bits are set: one value has exactly one text.
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);
[[nodiscard]] std::string base64url_encode(std::string_view bytes);

} // namespace escort
