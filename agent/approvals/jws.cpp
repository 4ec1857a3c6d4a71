#include "approvals/jws.h"

#include "approvals/base64url.h"
#include "approvals/openssl_handles.h"
#include "approvals/strict_json.h"

#include <array>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

namespace escort {

namespace {

struct Header {
    std::string alg;
    std::string typ;
    std::optional<std::string> kid;
};

// Each of these would let the document choose its own key or change what is signed.
constexpr std::array<const char*, 6> kForbidden{"crit", "jwk", "jku", "x5u", "x5c", "b64"};

// CAEP transmitters know RS256 alone, often (contract §4).
constexpr const char* kRsaType = "secevent+jwt";

Judged<JwsSegments> split(std::string_view file) {
    const std::string_view raw = document_bytes(file);
    if (raw.size() > kDocumentLimit)
        return refuse(RefusalCode::too_large, "is larger than " + std::to_string(kDocumentLimit) + " bytes");
    const auto segments = split_jws(raw);
    if (!segments)
        return refuse(RefusalCode::malformed,
                      "is not a compact JWS: three segments with a dot between, none empty");
    return *segments;
}

Judged<Header> parse_header(std::string_view segment) {
    if (segment.size() > (kHeaderLimit + 2) / 3 * 4)
        return refuse(RefusalCode::malformed,
                      "header: is larger than " + std::to_string(kHeaderLimit) + " bytes");
    const auto decoded = base64url_decode(segment);
    if (!decoded) return refuse(RefusalCode::malformed, "header: is not base64url");
    if (decoded->size() > kHeaderLimit)
        return refuse(RefusalCode::malformed,
                      "header: is larger than " + std::to_string(kHeaderLimit) + " bytes");
    const auto object = parse_strict(*decoded);
    if (!object) {
        const std::string where = object.error().where.empty() ? "header" : "header." + object.error().where;
        return refuse(RefusalCode::malformed, where + ": " + object.error().why);
    }
    for (const char* name : kForbidden)
        if (object->contains(name))
            return refuse(RefusalCode::forbidden_header, std::string("header.") + name + ": is not allowed");
    Header header;
    for (const auto& [name, into] : {std::pair{"alg", &header.alg}, std::pair{"typ", &header.typ}}) {
        const auto found = object->find(name);
        if (found == object->end() || !found->is_string())
            return refuse(RefusalCode::malformed,
                          std::string("header.") + name + ": is missing, or not a string");
        *into = found->get<std::string>();
    }
    if (const auto kid = object->find("kid"); kid != object->end()) {
        if (!kid->is_string()) return refuse(RefusalCode::malformed, "header.kid: is not a string");
        header.kid = kid->get<std::string>();
    }
    return header;
}

// r || s (RFC 7518 §3.4) to the DER that EVP expects.
std::optional<std::string> der_signature(std::string_view raw, std::size_t width) {
    const EcdsaSig signature(ECDSA_SIG_new());
    const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
    BIGNUM* r = BN_bin2bn(bytes, static_cast<int>(width), nullptr);
    BIGNUM* s = BN_bin2bn(bytes + width, static_cast<int>(width), nullptr);
    if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return std::nullopt;
    }
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    if (size <= 0) return std::nullopt;
    std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return out;
}

bool signed_by(const TrustedKey& key, const std::string& properties, std::string_view input,
               std::string_view raw) {
    std::string signature(raw);
    if (key.alg == Alg::eddsa) {
        if (raw.size() != 64) return false; // RFC 8032 §5.1.6
    } else if (key.alg == Alg::rs256) {
        if (raw.size() != static_cast<std::size_t>(EVP_PKEY_get_size(key.pkey.get())))
            return false; // RFC 8017 §8.2.2
    } else {
        const std::size_t width = coordinate_bytes(key.alg);
        auto der = raw.size() == 2 * width ? der_signature(raw, width) : std::nullopt;
        if (!der) return false;
        signature = std::move(*der);
    }
    const MdContext context(EVP_MD_CTX_new());
    const bool good =
        context &&
        EVP_DigestVerifyInit_ex(context.get(), nullptr, digest_of(key.alg), nullptr,
                                properties.empty() ? nullptr : properties.c_str(), key.pkey.get(),
                                nullptr) == 1 &&
        EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                         signature.size(), reinterpret_cast<const unsigned char*>(input.data()),
                         input.size()) == 1;
    ERR_clear_error();
    return good;
}

// The one trusted key that signed these bytes.
Judged<const TrustedKey*> find_signer(const Header& header, const JwsSegments& segments,
                                      std::string_view signature, const TrustSet& trust) {
    const auto alg = alg_from(header.alg);
    if (!alg)
        return refuse(RefusalCode::algorithm_refused, "header.alg: '" + header.alg + "' is not allowed");
    if (*alg == Alg::rs256 && header.typ != kRsaType)
        return refuse(RefusalCode::algorithm_refused,
                      "header.alg: 'RS256' is allowed for " + std::string(kRsaType) + " alone");
    if (header.kid) {
        const TrustedKey* key = trust.find(*header.kid);
        if (!key)
            return refuse(RefusalCode::untrusted_key, "header.kid: no trusted key '" + *header.kid + "'");
        if (key->alg != *alg)
            return refuse(RefusalCode::algorithm_refused, "header.alg: '" + header.alg + "', but the key " +
                                                              key->file + " signs " + to_string(key->alg) +
                                                              " alone");
        if (signed_by(*key, trust.properties, segments.signed_bytes, signature)) return key;
        return refuse(RefusalCode::bad_signature, "is not signed by " + key->file + ", which it names");
    }
    for (const TrustedKey& key : trust.keys)
        if (key.alg == *alg && signed_by(key, trust.properties, segments.signed_bytes, signature))
            return &key;
    return refuse(RefusalCode::untrusted_key, "is signed by no trusted " + header.alg + " key");
}

} // namespace

std::optional<JwsSegments> split_jws(std::string_view raw) {
    const std::size_t first = raw.find('.');
    const std::size_t second = first == std::string_view::npos ? first : raw.find('.', first + 1);
    if (second == std::string_view::npos || raw.find('.', second + 1) != std::string_view::npos)
        return std::nullopt;
    const JwsSegments segments{raw.substr(0, first), raw.substr(first + 1, second - first - 1),
                               raw.substr(second + 1), raw.substr(0, second)};
    if (segments.header.empty() || segments.payload.empty() || segments.signature.empty())
        return std::nullopt;
    return segments;
}

std::string_view document_bytes(std::string_view file) {
    if (file.ends_with('\n')) file.remove_suffix(1);
    if (file.ends_with('\r')) file.remove_suffix(1);
    return file;
}

Judged<VerifiedDocument> verify_jws(std::string_view file, const TrustSet& trust) {
    const auto segments = split(file);
    if (!segments) return tl::unexpected(segments.error());
    auto header = parse_header(segments->header);
    if (!header) return tl::unexpected(std::move(header.error()));
    const auto signature = base64url_decode(segments->signature);
    if (!signature) return refuse(RefusalCode::malformed, "signature: is not base64url");
    const auto signer = find_signer(*header, *segments, *signature, trust);
    if (!signer) return tl::unexpected(signer.error());
    auto payload = base64url_decode(segments->payload);
    if (!payload) return refuse(RefusalCode::malformed, "payload: is not base64url");
    VerifiedDocument out{std::move(header->typ), std::move(*payload), (*signer)->thumbprint,
                         sha256_hex(document_bytes(file), trust.properties), (*signer)->break_glass};
    if (out.sha256.empty())
        return refuse(RefusalCode::malformed, "OpenSSL offers no SHA-256: " + openssl_error());
    return out;
}

Judged<UnverifiedDocument> read_jws_unverified(std::string_view file) {
    const auto segments = split(file);
    if (!segments) return tl::unexpected(segments.error());
    auto header = parse_header(segments->header);
    if (!header) return tl::unexpected(std::move(header.error()));
    auto payload = base64url_decode(segments->payload);
    if (!payload) return refuse(RefusalCode::malformed, "payload: is not base64url");
    return UnverifiedDocument{std::move(header->alg), std::move(header->typ), std::move(header->kid),
                              std::move(*payload)};
}

} // namespace escort
