// SHA-256 through OpenSSL's EVP, so that a FIPS provider can serve.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace escort {

// Lower-case hex, 64 characters. Fails only where the provider has no SHA-256 or memory is short.
[[nodiscard]] Result<std::string> sha256_hex(std::string_view bytes);

} // namespace escort
