#include "approvals/signing.h"

#include "approvals/base64url.h"
#include "approvals/openssl_handles.h"
#include "base/file.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace escort {

namespace {

const char* or_null(const std::string& properties) {
    return properties.empty() ? nullptr : properties.c_str();
}

Result<SigningKey> name_key(Pkey pkey, const std::string& where, const std::string& properties) {
    const auto alg = algorithm_of(pkey.get());
    if (!alg) return fail(where, alg.error().why);
    auto thumbprint = thumbprint_of(pkey.get(), *alg, properties);
    if (!thumbprint) return fail(where, thumbprint.error().why);
    return SigningKey{std::move(pkey), *alg, std::move(*thumbprint)};
}

Result<std::string> text_of(const Bio& bio, int written) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    if (written != 1 || size <= 0) return fail("", "write PEM: " + openssl_error());
    return std::string(data, static_cast<std::size_t>(size));
}

// DER ECDSA-Sig-Value to r || s, each at its full width (RFC 7518 §3.4).
Result<std::string> raw_signature(const std::string& der, std::size_t width) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const EcdsaSig signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    if (!signature) return fail("", openssl_error());
    std::string out(2 * width, '\0');
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    const int size = static_cast<int>(width);
    if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), to, size) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), to + width, size) < 0)
        return fail("", openssl_error());
    return out;
}

} // namespace

Result<SigningKey> generate_key(Alg alg, const std::string& properties) {
    Pkey pkey;
    if (alg == Alg::eddsa)
        pkey.reset(EVP_PKEY_Q_keygen(nullptr, or_null(properties), "ED25519"));
    else if (alg == Alg::rs256)
        pkey.reset(EVP_PKEY_Q_keygen(nullptr, or_null(properties), "RSA", std::size_t{kRsaLeastBits}));
    else
        pkey.reset(
            EVP_PKEY_Q_keygen(nullptr, or_null(properties), "EC", alg == Alg::es256 ? "P-256" : "P-384"));
    if (!pkey) return fail(to_string(alg), "generate a key: " + openssl_error());
    return name_key(std::move(pkey), to_string(alg), properties);
}

Result<SigningKey> signing_key_from_pem(const std::string& file, const std::string& pem,
                                        const std::string& properties) {
    ERR_clear_error();
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!bio) return fail(file, openssl_error());
    Pkey pkey(
        PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, no_passphrase, nullptr, nullptr, or_null(properties)));
    if (!pkey) return fail(file, "is not an unencrypted PEM private key: " + openssl_error());
    return name_key(std::move(pkey), file, properties);
}

Result<SigningKey> load_signing_key(const std::string& path, const std::string& properties) {
    const auto pem = read_file(path, 64 * 1024);
    if (!pem) return tl::unexpected(pem.error());
    return signing_key_from_pem(path, *pem, properties);
}

Result<std::string> private_pem(const SigningKey& key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio) return fail("", openssl_error());
    return text_of(
        bio, PEM_write_bio_PKCS8PrivateKey(bio.get(), key.pkey.get(), nullptr, nullptr, 0, nullptr, nullptr));
}

Result<std::string> public_pem(const SigningKey& key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio) return fail("", openssl_error());
    return text_of(bio, PEM_write_bio_PUBKEY(bio.get(), key.pkey.get()));
}

Result<std::string> sign_jws(const SigningKey& key, const std::string& typ, std::string_view payload,
                             const std::string& properties) {
    if (typ.find_first_of("\"\\") != std::string::npos) return fail("typ", "holds a quote or a backslash");
    const std::string header = std::string(R"({"alg":")") + to_string(key.alg) + R"(","kid":")" +
                               key.thumbprint + R"(","typ":")" + typ + "\"}";
    return sign_jws_raw(key, header, payload, properties);
}

Result<std::string> sign_jws_raw(const SigningKey& key, std::string_view header, std::string_view payload,
                                 const std::string& properties) {
    std::string out = base64url_encode(header) + "." + base64url_encode(payload);
    const MdContext context(EVP_MD_CTX_new());
    const auto* input = reinterpret_cast<const unsigned char*>(out.data());
    std::size_t size = 0;
    ERR_clear_error();
    if (!context ||
        EVP_DigestSignInit_ex(context.get(), nullptr, digest_of(key.alg), nullptr, or_null(properties),
                              key.pkey.get(), nullptr) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, input, out.size()) != 1)
        return fail("sign", openssl_error());
    std::string signature(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, input,
                       out.size()) != 1)
        return fail("sign", openssl_error());
    signature.resize(size);
    if (coordinate_bytes(key.alg) != 0) {
        auto raw = raw_signature(signature, coordinate_bytes(key.alg));
        if (!raw) return tl::unexpected(raw.error());
        signature = std::move(*raw);
    }
    return out + "." + base64url_encode(signature);
}

} // namespace escort
