// Keys that may sign documents, whichever half: their algorithm (contract §4) and their name, the RFC 7638
// thumbprint. All of OpenSSL's algorithms are fetched by `properties` ("" or, for instance, "fips=yes"), so
// that a FIPS provider can serve.
#pragma once

#include "base/result.h"

#include <memory>
#include <openssl/evp.h>
#include <optional>
#include <string>
#include <string_view>

namespace escort {

// EdDSA is Ed25519 alone (RFC 8037 §3.1); ES256 is P-256 with SHA-256, ES384 P-384 with SHA-384 (RFC 7518
// §3.4); RS256 is RSASSA-PKCS1-v1_5 with SHA-256 (§3.3), for `secevent+jwt` alone.
enum class Alg { eddsa, es256, es384, rs256 };

constexpr int kRsaLeastBits = 2048; // contract §4

// "EdDSA", "ES256", "ES384", "RS256": the header's word.
[[nodiscard]] const char* to_string(Alg alg);
[[nodiscard]] std::optional<Alg> alg_from(std::string_view word);

// The digest's name for EVP, nullptr for EdDSA, which has its own.
[[nodiscard]] const char* digest_of(Alg alg);
// Bytes of r and of s in a JWS signature (RFC 7518 §3.4); 0 for EdDSA and RS256.
[[nodiscard]] std::size_t coordinate_bytes(Alg alg);

struct PkeyFree {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;

struct MdContextFree {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using MdContext = std::unique_ptr<EVP_MD_CTX, MdContextFree>;

// The only algorithm that such a key may sign with; an error for other curves, short RSA keys and
// everything else.
[[nodiscard]] Result<Alg> algorithm_of(EVP_PKEY* key);

// RFC 7638 §3 over the public half, SHA-256, base64url: 43 characters.
[[nodiscard]] Result<std::string> thumbprint_of(EVP_PKEY* key, Alg alg, const std::string& properties = "");

// Lower-case hex, empty only where the provider offers no SHA-256.
[[nodiscard]] std::string sha256_hex(std::string_view bytes, const std::string& properties = "");

// OpenSSL's last error in words; clears its queue.
[[nodiscard]] std::string openssl_error();

} // namespace escort
