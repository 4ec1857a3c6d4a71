// The private side: key pairs and signed documents, for escortctl; and session events, which alone the daemon
// signs.
#pragma once

#include "approvals/key.h"

#include <string>
#include <string_view>

namespace escort {

struct SigningKey {
    Pkey pkey;
    Alg alg = Alg::eddsa;
    std::string thumbprint; // RFC 7638
};

[[nodiscard]] Result<SigningKey> generate_key(Alg alg, const std::string& properties = "");

// PKCS#8 PEM, unencrypted; an encrypted one is an error (nobody is asked).
[[nodiscard]] Result<SigningKey> signing_key_from_pem(const std::string& file, const std::string& pem,
                                                      const std::string& properties = "");
[[nodiscard]] Result<SigningKey> load_signing_key(const std::string& path,
                                                  const std::string& properties = "");

[[nodiscard]] Result<std::string> private_pem(const SigningKey& key); // PKCS#8: write it mode 0600
[[nodiscard]] Result<std::string> public_pem(const SigningKey& key);  // SubjectPublicKeyInfo, for trust.d

// Compact JWS with the header {alg, kid (thumbprint), typ}.
[[nodiscard]] Result<std::string> sign_jws(const SigningKey& key, const std::string& typ,
                                           std::string_view payload, const std::string& properties = "");
// The same with a header of the caller's own, as it stands.
[[nodiscard]] Result<std::string> sign_jws_raw(const SigningKey& key, std::string_view header,
                                               std::string_view payload, const std::string& properties = "");

} // namespace escort
