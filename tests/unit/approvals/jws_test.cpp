#include "approvals/jws.h"

#include "approvals/base64url.h"
#include "documents.h"

#include <openssl/hmac.h>

using namespace escort;
using namespace escort::test;

namespace {

std::string verification(const std::string& jws, const TrustSet& trust) {
    const auto verified = verify_jws(jws, trust);
    return verified ? "verified" : to_string(verified.error().code);
}

// Signed properly, with whatever header.
std::string with_header(const SigningKey& key, const std::string& header, const std::string& payload = "{}") {
    return sign_jws_raw(key, header, payload).value();
}

std::string segment(const std::string& jws, int which) {
    const std::size_t first = jws.find('.');
    const std::size_t second = jws.find('.', first + 1);
    if (which == 0) return jws.substr(0, first);
    if (which == 1) return jws.substr(first + 1, second - first - 1);
    return jws.substr(second + 1);
}

} // namespace

TEST_CASE("jws: each algorithm, with and without kid") {
    for (const Alg alg : {Alg::eddsa, Alg::es256, Alg::es384}) {
        CAPTURE(to_string(alg));
        const SigningKey key = make_key(alg);
        TrustSet trust = trust_of(make_key(alg), "another.pem");
        trust.keys.push_back(trusted(make_key(Alg::es256), "p256.pem"));
        trust.keys.push_back(trusted(key));
        const std::string jws = sign(key, "any bytes \x01\xff", "some+jwt");
        const auto verified = verify_jws(jws, trust);
        REQUIRE(verified.has_value());
        CHECK(verified->typ == "some+jwt");
        CHECK(verified->payload == "any bytes \x01\xff");
        CHECK(verified->key == key.thumbprint);
        CHECK(verified->sha256 == sha256_hex(jws));
        CHECK(verify_jws(jws + "\n", trust)->sha256 == sha256_hex(jws));
        CHECK(verification(jws + "\n\n", trust) == "malformed");
        CHECK(verification(" " + jws, trust) == "malformed");
        const std::string without =
            with_header(key, std::string(R"({"typ":"t","alg":")") + to_string(alg) + R"(","other":[1]})");
        CHECK(verification(without, trust) == "verified");
        trust.keys.pop_back();
        CHECK(verification(without, trust) == "untrusted_key");
        CHECK(verification(jws, trust) == "untrusted_key");
    }
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("jws: the trusted key decides the algorithm, never the header") {
    const SigningKey ed = make_key();
    const SigningKey p256 = make_key(Alg::es256);
    const SigningKey p384 = make_key(Alg::es384);
    TrustSet trust = trust_of(ed, "ed.pem");
    trust.keys.push_back(trusted(p256, "p256.pem"));
    trust.keys.push_back(trusted(p384, "p384.pem"));
    for (const auto* key : {&ed, &p256, &p384})
        for (const char* alg : {"EdDSA", "ES256", "ES384", "none", "None", "NONE", "", "HS256", "HS384",
                                "HS512", "RS256", "PS256", "ES512", "ES256K", "eddsa", "Ed25519"}) {
            CAPTURE(alg);
            const bool own = std::string(alg) == to_string(key->alg);
            const std::string head = std::string(R"({"typ":"t","alg":")") + alg + "\"";
            const std::string kid = R"(,"kid":")" + key->thumbprint + "\"";
            CHECK(verification(with_header(*key, head + kid + "}"), trust) ==
                  (own ? "verified" : "algorithm_refused"));
            const bool other_key =
                alg_from(alg).has_value() && std::string(alg) != "RS256"; // not for this typ
            CHECK(verification(with_header(*key, head + "}"), trust) ==
                  (own ? "verified" : (other_key ? "untrusted_key" : "algorithm_refused")));
        }
}

TEST_CASE("jws: HMAC with the public key as its secret, and none without a signature") {
    const SigningKey key = make_key(Alg::es256);
    const TrustSet trust = trust_of(key);
    const std::string pem = public_pem(key).value();
    const std::string input =
        base64url_encode(R"({"alg":"HS256","typ":"escort-approvals+jwt","kid":")" + key.thumbprint + "\"}") +
        "." + base64url_encode("{}");
    unsigned char mac[32];
    unsigned size = 0;
    REQUIRE(HMAC(EVP_sha256(), pem.data(), static_cast<int>(pem.size()),
                 reinterpret_cast<const unsigned char*>(input.data()), input.size(), mac, &size) != nullptr);
    CHECK(verification(input + "." + base64url_encode(std::string(mac, mac + size)), trust) ==
          "algorithm_refused");
    const std::string none = base64url_encode(R"({"alg":"none","typ":"t"})") + "." + base64url_encode("{}");
    CHECK(verification(none + ".", trust) == "malformed");
    CHECK(verification(none + ".AAAA", trust) == "algorithm_refused");
}

TEST_CASE("jws: header parameters that would choose the key or change what is signed") {
    const SigningKey key = make_key();
    const TrustSet trust = trust_of(key);
    for (const char* extra : {R"("crit":["exp"])", R"("crit":[])", R"("jwk":{})", R"("jku":"https://x")",
                              R"("x5u":"https://x")", R"("x5c":[])", R"("b64":false)", R"("b64":true)"}) {
        CAPTURE(extra);
        CHECK(verification(with_header(key, std::string(R"({"alg":"EdDSA","typ":"t",)") + extra + "}"),
                           trust) == "forbidden_header");
    }
}

TEST_CASE("jws: malformed headers") {
    const SigningKey key = make_key();
    const TrustSet trust = trust_of(key);
    for (const std::string& header : std::vector<std::string>{
             "", "[]", "\"\"", "null", "{", R"({"alg":"EdDSA"})", R"({"typ":"t"})", R"({"alg":1,"typ":"t"})",
             R"({"alg":"EdDSA","typ":null})", R"({"alg":"EdDSA","typ":"t","kid":1})",
             R"({"alg":"EdDSA","typ":"t"}x)", R"({"alg":"EdDSA","alg":"EdDSA","typ":"t"})",
             R"({"alg":"none","alg":"EdDSA","typ":"t"})",
             "\xef\xbb\xbf"
             R"({"alg":"EdDSA","typ":"t"})",
             "{\"alg\":\"EdDSA\",\"typ\":\"\xff\"}",
             R"({"alg":"EdDSA","typ":"t","a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":1}}}}}}}}})",
             R"({"alg":"EdDSA","typ":"t","a":")" + std::string(5000, 'a') + "\"}"}) {
        CAPTURE(header);
        CHECK(verification(with_header(key, header), trust) == "malformed");
    }
}

TEST_CASE("jws: a kid that names no trusted key, or another one") {
    const SigningKey key = make_key();
    const SigningKey other = make_key();
    TrustSet trust = trust_of(key);
    trust.keys.push_back(trusted(other, "other.pem"));
    const auto with_kid = [&](const std::string& kid) {
        return verification(with_header(key, R"({"alg":"EdDSA","typ":"t","kid":")" + kid + "\"}"), trust);
    };
    CHECK(with_kid(key.thumbprint) == "verified");
    CHECK(with_kid(other.thumbprint) == "bad_signature");
    CHECK(with_kid("") == "untrusted_key");
    CHECK(with_kid("broker.pem") == "untrusted_key");
    CHECK(with_kid(key.thumbprint + "A") == "untrusted_key");
}

TEST_CASE("jws: a bit flipped anywhere is refused") {
    for (const Alg alg : {Alg::eddsa, Alg::es256}) {
        const SigningKey key = make_key(alg);
        const TrustSet trust = trust_of(key);
        const std::string jws = sign(key, R"({"iss":"x"})");
        REQUIRE(verification(jws, trust) == "verified");
        for (int which = 0; which < 3; ++which) {
            const std::string bytes = base64url_decode(segment(jws, which)).value();
            for (std::size_t bit = 0; bit < bytes.size() * 8; bit += which == 2 ? 1 : 3) {
                std::string flipped = bytes;
                flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
                std::string bad;
                for (int i = 0; i < 3; ++i)
                    bad += (i ? "." : "") + (i == which ? base64url_encode(flipped) : segment(jws, i));
                CHECK_FALSE(verify_jws(bad, trust));
            }
        }
    }
}

TEST_CASE("jws: cut short at each length, or with something added") {
    const SigningKey key = make_key();
    const TrustSet trust = trust_of(key);
    const std::string jws = sign(key, R"({"iss":"x"})");
    for (std::size_t length = 0; length < jws.size(); ++length)
        CHECK_FALSE(verify_jws(jws.substr(0, length), trust));
    for (const char* more : {".", "=", "A", "AA", "AAAA", ".AAAA", " ", "\t"})
        CHECK_FALSE(verify_jws(jws + more, trust));
    CHECK_FALSE(verify_jws(jws + std::string(1, '\0'), trust));
    CHECK(verification("", trust) == "malformed");
    CHECK(verification("..", trust) == "malformed");
    CHECK(verification(R"({"payload":"e30","signatures":[]})", trust) == "malformed");
}

TEST_CASE("jws: an ECDSA signature in DER, of r and s zero, or of the wrong width") {
    const SigningKey key = make_key(Alg::es256);
    const TrustSet trust = trust_of(key);
    const std::string jws = sign(key, "{}");
    const std::string input = segment(jws, 0) + "." + segment(jws, 1) + ".";
    const std::string raw = base64url_decode(segment(jws, 2)).value();
    CHECK(raw.size() == 64);
    CHECK_FALSE(verify_jws(input + base64url_encode(std::string(64, '\0')), trust));
    CHECK_FALSE(verify_jws(input + base64url_encode(std::string(64, '\xff')), trust));
    CHECK_FALSE(verify_jws(input + base64url_encode(raw + std::string(1, '\0')), trust));
    CHECK_FALSE(verify_jws(input + base64url_encode(raw.substr(0, 63)), trust));
    CHECK_FALSE(verify_jws(input + base64url_encode("\x30\x06\x02\x01\x01\x02\x01\x01"), trust));
}

TEST_CASE("jws: more than 16 MiB is refused unread") {
    const SigningKey key = make_key();
    CHECK(verification(std::string(kDocumentLimit + 1, 'A'), trust_of(key)) == "too_large");
    CHECK(verification(std::string(kDocumentLimit, 'A'), trust_of(key)) == "malformed");
}

TEST_CASE("jws: OpenSSL's properties are honoured") {
    const SigningKey key = make_key(Alg::es384);
    TrustSet trust = trust_of(key);
    const std::string jws = sign(key, "{}");
    trust.properties = "provider=default";
    CHECK(verification(jws, trust) == "verified");
    trust.properties = "provider=not-there";
    CHECK_FALSE(verify_jws(jws, trust));
}

TEST_CASE("jws: read without verifying, for people") {
    const SigningKey key = make_key();
    const auto read = read_jws_unverified(sign(key, "payload", "some+jwt"));
    REQUIRE(read.has_value());
    CHECK(read->alg == "EdDSA");
    CHECK(read->typ == "some+jwt");
    CHECK(read->kid == key.thumbprint);
    CHECK(read->payload == "payload");
    CHECK_FALSE(read_jws_unverified("rubbish"));
}
