#include "policy/digest.h"

#include <array>
#include <fmt/format.h>
#include <openssl/evp.h>

namespace escort {

Result<std::string> sha256_hex(std::string_view bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    std::size_t length = 0;
    if (EVP_Q_digest(nullptr, "SHA256", nullptr, bytes.data(), bytes.size(), digest.data(), &length) != 1)
        return fail("SHA-256", "OpenSSL can't compute it");
    std::string hex;
    for (std::size_t i = 0; i < length; ++i)
        hex += fmt::format("{:02x}", digest[i]);
    return hex;
}

} // namespace escort
