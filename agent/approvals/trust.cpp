#include "approvals/trust.h"

#include "approvals/openssl_handles.h"
#include "base/file.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace escort {

const TrustedKey* TrustSet::find(std::string_view thumbprint) const {
    for (const TrustedKey& key : keys)
        if (key.thumbprint == thumbprint) return &key;
    return nullptr;
}

std::vector<std::string> TrustSet::files_of(std::string_view thumbprint) const {
    std::vector<std::string> files;
    for (const TrustedKey& key : keys)
        if (key.thumbprint == thumbprint) files.push_back(key.file);
    return files;
}

Result<TrustedKey> trusted_key_from_pem(const std::string& file, const std::string& pem,
                                        const std::string& properties) {
    const std::size_t begin = pem.find("-----BEGIN ");
    if (begin == std::string::npos) return fail(file, "holds no PEM block");
    if (pem.find("PRIVATE KEY-----") != std::string::npos)
        return fail(file, "holds a private key", "keep only the public half on this host");
    if (!std::string_view(pem).substr(begin).starts_with("-----BEGIN PUBLIC KEY-----"))
        return fail(file, "is not a PEM SubjectPublicKeyInfo (BEGIN PUBLIC KEY)");
    if (pem.find("-----BEGIN ", begin + 1) != std::string::npos)
        return fail(file, "holds more than one PEM block", "one key a file");
    ERR_clear_error();
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!bio) return fail(file, openssl_error());
    Pkey pkey(PEM_read_bio_PUBKEY_ex(bio.get(), nullptr, no_passphrase, nullptr, nullptr,
                                     properties.empty() ? nullptr : properties.c_str()));
    if (!pkey) return fail(file, "is not a public key: " + openssl_error());
    const auto alg = algorithm_of(pkey.get());
    if (!alg) return fail(file, alg.error().why);
    auto thumbprint = thumbprint_of(pkey.get(), *alg, properties);
    if (!thumbprint) return fail(file, thumbprint.error().why);
    return TrustedKey{file, *alg, std::move(*thumbprint), std::shared_ptr<EVP_PKEY>(std::move(pkey))};
}

Result<TrustSet> load_trust(const std::string& folder, const std::string& properties) {
    const auto files = list_files(folder, ".pem");
    if (!files) return tl::unexpected(files.error());
    TrustSet trust;
    trust.properties = properties;
    for (const std::string& path : *files) {
        const auto pem = read_file(path, kKeyFileLimit);
        auto key =
            pem ? trusted_key_from_pem(std::filesystem::path(path).filename().string(), *pem, properties)
                : Result<TrustedKey>(tl::unexpected(pem.error()));
        if (key)
            trust.keys.push_back(std::move(*key));
        else
            trust.problems.push_back({Severity::error, {path, 0, 0}, key.error().why, key.error().hint});
    }
    return trust;
}

Result<TrustSet> load_trust(const TrustFolders& folders, const std::string& properties) {
    auto all = load_trust(folders.trust, properties);
    std::error_code error;
    const auto type = std::filesystem::status(folders.breakglass, error).type();
    if (!all || folders.breakglass.empty() || type == std::filesystem::file_type::not_found) return all;
    auto emergency = load_trust(folders.breakglass, properties);
    if (!emergency) return emergency;
    for (TrustedKey& key : emergency->keys) {
        std::erase_if(all->keys, [&](const TrustedKey& other) { return other.thumbprint == key.thumbprint; });
        if (key.alg == Alg::rs256) {
            all->problems.push_back({Severity::error,
                                     {folders.breakglass + "/" + key.file, 0, 0},
                                     "is an RSA key: these sign revocation events alone",
                                     "use an Ed25519, P-256 or P-384 key"});
            continue;
        }
        key.break_glass = true;
    }
    std::erase_if(emergency->keys, [](const TrustedKey& key) { return !key.break_glass; });
    std::move(emergency->keys.begin(), emergency->keys.end(), std::back_inserter(all->keys));
    std::move(emergency->problems.begin(), emergency->problems.end(), std::back_inserter(all->problems));
    return all;
}

} // namespace escort
