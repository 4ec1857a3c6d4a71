// The public keys trusted to sign documents: PEM files (SubjectPublicKeyInfo) of trust.d, and of breakglass.d
// those that sign break-glass approvals and nothing else.
#pragma once

#include "approvals/key.h"
#include "base/diagnostic.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace escort {

struct TrustedKey {
    std::string file; // name within the folder, as `issuers:` names it
    Alg alg = Alg::eddsa;
    std::string thumbprint; // RFC 7638
    std::shared_ptr<EVP_PKEY> pkey;
    bool break_glass = false; // of breakglass.d
};

struct TrustFolders {
    std::string trust;
    std::string breakglass; // may be missing, or empty: no such keys
};

struct TrustSet {
    std::vector<TrustedKey> keys; // in lexical order of the files
    Diagnostics problems;         // files that hold no usable key; the others hold good
    std::string properties;       // OpenSSL's, for every algorithm fetched with these keys

    [[nodiscard]] const TrustedKey* find(std::string_view thumbprint) const;
    // Every file that holds this key: the same key may stand under two names.
    [[nodiscard]] std::vector<std::string> files_of(std::string_view thumbprint) const;
};

// One key from PEM text. A private key, a certificate, or anything beside the one block is an error.
[[nodiscard]] Result<TrustedKey> trusted_key_from_pem(const std::string& file, const std::string& pem,
                                                      const std::string& properties = "");

// Every *.pem of the folder. An error only where the folder can't be listed.
[[nodiscard]] Result<TrustSet> load_trust(const std::string& folder, const std::string& properties = "");

// Both folders as one set. A key that stands in both counts as break-glass only; an RSA key in breakglass.d
// is a problem (it can sign no approvals). An error where trust.d, or a breakglass.d that is there, can't be
// listed.
[[nodiscard]] Result<TrustSet> load_trust(const TrustFolders& folders, const std::string& properties = "");

} // namespace escort
