#include "approvals/key.h"

#include "approvals/base64url.h"

#include <array>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

namespace escort {

namespace {

struct BnFree {
    void operator()(BIGNUM* number) const { BN_free(number); }
};

std::optional<std::string> sha256(std::string_view bytes, const std::string& properties) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    std::size_t size = 0;
    if (EVP_Q_digest(nullptr, "SHA256", properties.empty() ? nullptr : properties.c_str(), bytes.data(),
                     bytes.size(), digest.data(), &size) != 1)
        return std::nullopt;
    return std::string(digest.begin(), digest.begin() + static_cast<std::ptrdiff_t>(size));
}

// An affine coordinate at its fixed width (RFC 7518 §6.2.1.2), base64url.
std::optional<std::string> coordinate(EVP_PKEY* key, const char* name, std::size_t width) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return std::nullopt;
    const std::unique_ptr<BIGNUM, BnFree> number(raw);
    std::string bytes(width, '\0');
    if (BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(width)) <
        0)
        return std::nullopt;
    return base64url_encode(bytes);
}

// A number in as few octets as it takes (RFC 7518 §2, Base64urlUInt).
std::optional<std::string> integer(EVP_PKEY* key, const char* name) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return std::nullopt;
    const std::unique_ptr<BIGNUM, BnFree> number(raw);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
    BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
    return base64url_encode(bytes);
}

// The members that RFC 7638 §3.2 and RFC 8037 §2 require, in lexical order, without a space.
std::optional<std::string> thumbprint_input(EVP_PKEY* key, Alg alg) {
    if (alg == Alg::eddsa) {
        std::string raw(32, '\0');
        std::size_t size = raw.size();
        if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw.data()), &size) != 1 ||
            size != 32)
            return std::nullopt;
        return fmt::format(R"({{"crv":"Ed25519","kty":"OKP","x":"{}"}})", base64url_encode(raw));
    }
    if (alg == Alg::rs256) {
        const auto e = integer(key, OSSL_PKEY_PARAM_RSA_E);
        const auto n = integer(key, OSSL_PKEY_PARAM_RSA_N);
        if (!e || !n) return std::nullopt;
        return fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})", *e, *n);
    }
    const auto x = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, coordinate_bytes(alg));
    const auto y = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, coordinate_bytes(alg));
    if (!x || !y) return std::nullopt;
    const std::string curve = alg == Alg::es256 ? "P-256" : "P-384";
    return fmt::format(R"({{"crv":"{}","kty":"EC","x":"{}","y":"{}"}})", curve, *x, *y);
}

} // namespace

const char* to_string(Alg alg) {
    switch (alg) {
    case Alg::eddsa:
        return "EdDSA";
    case Alg::es256:
        return "ES256";
    case Alg::es384:
        return "ES384";
    case Alg::rs256:
        return "RS256";
    }
    return "";
}

std::optional<Alg> alg_from(std::string_view word) {
    for (const Alg alg : {Alg::eddsa, Alg::es256, Alg::es384, Alg::rs256})
        if (word == to_string(alg)) return alg;
    return std::nullopt;
}

const char* digest_of(Alg alg) {
    if (alg == Alg::eddsa) return nullptr;
    return alg == Alg::es384 ? "SHA384" : "SHA256";
}

std::size_t coordinate_bytes(Alg alg) {
    if (alg == Alg::eddsa || alg == Alg::rs256) return 0;
    return alg == Alg::es256 ? 32 : 48;
}

Result<Alg> algorithm_of(EVP_PKEY* key) {
    if (EVP_PKEY_is_a(key, "ED25519") == 1) return Alg::eddsa;
    if (EVP_PKEY_is_a(key, "EC") == 1) {
        std::array<char, 64> group{};
        std::size_t size = 0;
        if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1) {
            const std::string_view name(group.data(), size);
            if (name == "prime256v1" || name == "P-256") return Alg::es256;
            if (name == "secp384r1" || name == "P-384") return Alg::es384;
        }
        ERR_clear_error();
        return fail("", "is an EC key of another curve than P-256 or P-384");
    }
    if (EVP_PKEY_is_a(key, "RSA") == 1) {
        if (EVP_PKEY_get_bits(key) >= kRsaLeastBits) return Alg::rs256;
        return fail("", fmt::format("is an RSA key of less than {} bits", kRsaLeastBits));
    }
    return fail("", "is neither an Ed25519 nor a P-256 nor a P-384 nor an RSA key");
}

Result<std::string> thumbprint_of(EVP_PKEY* key, Alg alg, const std::string& properties) {
    const auto input = thumbprint_input(key, alg);
    const auto digest = input ? sha256(*input, properties) : std::nullopt;
    if (!digest) return fail("", "no thumbprint: " + openssl_error());
    return base64url_encode(*digest);
}

std::string sha256_hex(std::string_view bytes, const std::string& properties) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char c : sha256(bytes, properties).value_or("")) {
        out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
        out.push_back(kDigits[static_cast<unsigned char>(c) & 0xf]);
    }
    return out;
}

std::string openssl_error() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0) return "OpenSSL gives no reason";
    const char* reason = ERR_reason_error_string(code);
    return reason ? reason : "OpenSSL error " + std::to_string(code);
}

} // namespace escort
