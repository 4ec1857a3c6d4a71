#include "approvals/base64url.h"
#include "documents.h"
#include "temp_folder.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

using namespace escort;
using namespace escort::test;

namespace {

// RFC 8037 A.2.
constexpr const char* kRfc8037X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
// RFC 8037 A.1 (the private half, "d").
constexpr const char* kRfc8037D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

SigningKey rfc8037_key() {
    const std::string seed = base64url_decode(kRfc8037D).value();
    SigningKey key;
    key.pkey.reset(EVP_PKEY_new_raw_private_key_ex(
        nullptr, "ED25519", nullptr, reinterpret_cast<const unsigned char*>(seed.data()), seed.size()));
    REQUIRE(key.pkey);
    key.thumbprint = thumbprint_of(key.pkey.get(), Alg::eddsa).value();
    return key;
}

std::string curve_pem(const char* curve) {
    SigningKey key;
    key.pkey.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
    REQUIRE(key.pkey);
    return public_pem(key).value();
}

} // namespace

TEST_CASE("thumbprint: RFC 8037 A.3") {
    CHECK(rfc8037_key().thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    SigningKey key;
    const std::string raw = base64url_decode(kRfc8037X).value();
    key.pkey.reset(EVP_PKEY_new_raw_public_key_ex(
        nullptr, "ED25519", nullptr, reinterpret_cast<const unsigned char*>(raw.data()), raw.size()));
    CHECK(trusted(key).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST_CASE("thumbprint: the canonical JWK of RFC 7638 §3.2, an EC key with a leading zero byte in a "
          "coordinate too") {
    // RFC 7515 A.3's P-256 key; its SHA-256 was computed over the literal text below.
    const std::string x = base64url_decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").value();
    const std::string y = base64url_decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0").value();
    const std::string point = "\x04" + x + y;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>("P-256"), 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, const_cast<char*>(point.data()),
                                          point.size()),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
    EVP_PKEY* raw = nullptr;
    REQUIRE(EVP_PKEY_fromdata_init(context) == 1);
    REQUIRE(EVP_PKEY_fromdata(context, &raw, EVP_PKEY_PUBLIC_KEY, params) == 1);
    EVP_PKEY_CTX_free(context);
    const Pkey key(raw);
    const std::string jwk = R"({"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
                            R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
    const std::string hex = sha256_hex(jwk);
    std::string digest;
    for (std::size_t i = 0; i < hex.size(); i += 2)
        digest.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    CHECK(thumbprint_of(key.get(), Alg::es256).value() == base64url_encode(digest));
    CHECK(algorithm_of(key.get()).value() == Alg::es256);
}

TEST_CASE("signature: RFC 8037 A.4") {
    const auto jws = sign_jws_raw(rfc8037_key(), R"({"alg":"EdDSA"})", "Example of Ed25519 signing");
    CHECK(jws.value() ==
          "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIb"
          "QR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

TEST_CASE("keys: generated, written, read back") {
    for (const Alg alg : {Alg::eddsa, Alg::es256, Alg::es384, Alg::rs256}) {
        CAPTURE(to_string(alg));
        const SigningKey key = make_key(alg);
        CHECK(key.thumbprint.size() == 43);
        const auto again = signing_key_from_pem("k", private_pem(key).value());
        REQUIRE(again.has_value());
        CHECK(again->alg == alg);
        CHECK(again->thumbprint == key.thumbprint);
        CHECK(trusted(key).thumbprint == key.thumbprint);
        CHECK(trusted(key).alg == alg);
        CHECK(alg_from(to_string(alg)) == alg);
    }
    CHECK_FALSE(signing_key_from_pem("k", "rubbish"));
    CHECK_FALSE(signing_key_from_pem("k", public_pem(make_key()).value()));
}

TEST_CASE("trust: files that hold no usable key") {
    SigningKey rsa;
    rsa.pkey.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{1024}));
    SigningKey pss;
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
    EVP_PKEY* raw = nullptr;
    REQUIRE(EVP_PKEY_keygen_init(context) == 1);
    REQUIRE(EVP_PKEY_generate(context, &raw) == 1);
    EVP_PKEY_CTX_free(context);
    pss.pkey.reset(raw);
    const SigningKey good = make_key();
    const std::string pem = public_pem(good).value();
    for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
             {"", "holds no PEM block"},
             {"rubbish", "holds no PEM block"},
             {private_pem(good).value(), "holds a private key"},
             {pem + private_pem(good).value(), "holds a private key"},
             {pem + pem, "holds more than one PEM block"},
             {pem.substr(0, pem.size() / 2), "is not a public key"},
             {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
              "is not a PEM SubjectPublicKeyInfo"},
             {"-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
              "AES-256-CBC,00\n\nAAAA\n-----END PUBLIC KEY-----\n",
              "is not a public key"},
             {public_pem(rsa).value(), "is an RSA key of less than 2048 bits"},
             {public_pem(pss).value(), "is neither an Ed25519 nor"},
             {curve_pem("P-521"), "is an EC key of another curve"},
             {curve_pem("secp256k1"), "is an EC key of another curve"}}) {
        const auto key = trusted_key_from_pem("x.pem", text);
        REQUIRE_FALSE(key.has_value());
        CAPTURE(key.error().text());
        CHECK(key.error().where == "x.pem");
        CHECK(key.error().why.starts_with(why));
    }
}

TEST_CASE("trust: bad files are told and hide no good one") {
    const TempFolder folder;
    const SigningKey one = make_key();
    const SigningKey two = make_key(Alg::es384);
    folder.write("a.pem", "rubbish");
    folder.write("b.pem", public_pem(one).value());
    folder.write("c.pem", std::string(100'000, 'x'));
    folder.write("d.pem", public_pem(two).value());
    folder.write("e.pem", public_pem(one).value());
    folder.write("f.txt", "not looked at");
    const auto trust = load_trust(folder.path());
    REQUIRE(trust.has_value());
    CHECK(trust->keys.size() == 3);
    REQUIRE(trust->problems.size() == 2);
    CHECK(trust->problems[0].place.file == folder.path("a.pem"));
    CHECK(trust->problems[1].place.file == folder.path("c.pem"));
    CHECK(trust->files_of(one.thumbprint) == std::vector<std::string>{"b.pem", "e.pem"});
    CHECK(trust->find(two.thumbprint)->file == "d.pem");
    CHECK(trust->find("") == nullptr);
    CHECK_FALSE(load_trust(folder.path("missing")));
}

TEST_CASE("thumbprint: an RSA key, RFC 7638 §3.1") {
    const std::string n =
        base64url_decode("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1R"
                         "K7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9"
                         "yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZg"
                         "nYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6We"
                         "Zu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDK"
                         "gw")
            .value();
    BIGNUM* modulus =
        BN_bin2bn(reinterpret_cast<const unsigned char*>(n.data()), static_cast<int>(n.size()), nullptr);
    BIGNUM* exponent = BN_new();
    REQUIRE(BN_set_word(exponent, 65537) == 1);
    OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent);
    OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
    EVP_PKEY* raw = nullptr;
    REQUIRE(EVP_PKEY_fromdata_init(context) == 1);
    REQUIRE(EVP_PKEY_fromdata(context, &raw, EVP_PKEY_PUBLIC_KEY, params) == 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(exponent);
    BN_free(modulus);
    const Pkey key(raw);
    CHECK(algorithm_of(key.get()).value() == Alg::rs256);
    CHECK(thumbprint_of(key.get(), Alg::rs256).value() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST_CASE("trust: breakglass.d beside trust.d") {
    const TempFolder folder;
    const SigningKey normal = make_key();
    const SigningKey emergency = make_key();
    const SigningKey both = make_key();
    const SigningKey rsa = make_key(Alg::rs256);
    std::filesystem::create_directory(folder.path("trust"));
    folder.write("trust/a.pem", public_pem(normal).value());
    folder.write("trust/both.pem", public_pem(both).value());
    folder.write("trust/caep.pem", public_pem(rsa).value());
    const TrustFolders folders{folder.path("trust"), folder.path("breakglass")};
    REQUIRE(load_trust(folders).has_value()); // no such folder: no such keys
    CHECK(load_trust(folders)->keys.size() == 3);
    CHECK(load_trust(TrustFolders{folder.path("trust"), ""})->keys.size() == 3);

    std::filesystem::create_directory(folder.path("breakglass"));
    folder.write("breakglass/e.pem", public_pem(emergency).value());
    folder.write("breakglass/both.pem", public_pem(both).value());
    folder.write("breakglass/bad.pem", "rubbish");
    const auto trust = load_trust(folders);
    REQUIRE(trust.has_value());
    CHECK(trust->keys.size() == 4);
    CHECK_FALSE(trust->find(normal.thumbprint)->break_glass);
    CHECK(trust->find(emergency.thumbprint)->break_glass);
    CHECK(trust->find(both.thumbprint)->break_glass);
    CHECK(trust->files_of(both.thumbprint).size() == 1);
    REQUIRE(trust->problems.size() == 1);
    CHECK(trust->problems[0].place.file == folder.path("breakglass/bad.pem"));

    folder.write("breakglass/rsa.pem", public_pem(make_key(Alg::rs256)).value());
    CHECK(load_trust(folders)->problems.size() == 2);
    CHECK(load_trust(folders)->keys.size() == 4);
}
