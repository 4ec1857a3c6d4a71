// The host's own files: shut doors, private keys that should not be there.
#include "approvals/denials_file.h"
#include "approvals/private_keys.h"

#include "base/file.h"
#include "documents.h"
#include "temp_folder.h"

#include <filesystem>
#include <openssl/pem.h>

using namespace escort;
using namespace escort::test;
namespace fs = std::filesystem;

TEST_CASE("denials: written, read back; no file is none") {
    const TempFolder folder;
    const std::string file = folder.path("denials.json");
    REQUIRE(load_denials(file).has_value());
    CHECK(load_denials(file)->empty());
    Denials denials;
    denials.approvals = {"apr-1", "a \"quoted\" one"};
    denials.engineers = {"eng-42"};
    for (int i = 0; i < 200; ++i)
        denials.accounts.insert("account-" + std::to_string(i));
    REQUIRE(save_denials(file, denials).has_value());
    CHECK(load_denials(file).value() == denials);
    CHECK((fs::status(file).permissions() & fs::perms::mask) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK_FALSE(save_denials(folder.path("missing/denials.json"), denials));
}

TEST_CASE("denials: a broken file or a newer format is an error, never an open door") {
    const TempFolder folder;
    const std::string file = folder.path("denials.json");
    for (const auto& [content, why] : std::vector<std::pair<std::string, std::string>>{
             {"", "is not JSON"},
             {R"({"format": 2})", "is of format 2"},
             {R"({"format": 1, "approvals": [], "engineers": []})", "accounts: is missing"},
             {R"({"format": 1, "approvals": [1], "engineers": [], "accounts": []})", "approvals[0]: must be"},
             {R"({"format": 1, "approvals": {}, "engineers": [], "accounts": []})", "approvals: must be"},
             {R"({"format": 1, "approvals": [], "engineers": [], "accounts": [], "x": 1})",
              "x: is unknown"}}) {
        folder.write("denials.json", content);
        const auto read = load_denials(file);
        REQUIRE_FALSE(read.has_value());
        CAPTURE(read.error().text());
        CHECK(read.error().text().find(why) != std::string::npos);
    }
}

TEST_CASE("private keys: found by their public half, in any folder below") {
    const TempFolder folder;
    const SigningKey ours = make_key();
    const SigningKey rsa = make_key(Alg::rs256);
    const SigningKey stranger = make_key();
    TrustSet trust = trust_of(ours);
    trust.keys.push_back(trusted(rsa, "caep.pem"));
    fs::create_directories(folder.path("a/b"));
    fs::create_directories(folder.path("outside"));
    const auto found = [&] { return find_private_keys({folder.path("a"), folder.path("missing")}, trust); };
    folder.write("a/pub.pem", public_pem(ours).value());
    folder.write("a/stranger.key", private_pem(stranger).value());
    folder.write("a/ours.txt", private_pem(ours).value()); // not looked at
    folder.write("outside/x.key", private_pem(ours).value());
    fs::create_directory_symlink(folder.path("outside"), folder.path("a/link"));
    folder.write("a/big.key", std::string(100'000, 'x'));
    CHECK(found().empty());
    folder.write("a/b/local.key", private_pem(ours).value());
    folder.write("a/both.pem", "text\n" + public_pem(stranger).value() + private_pem(stranger).value() +
                                   private_pem(rsa).value());
    CHECK(found() == std::vector{folder.path("a/b/local.key"), folder.path("a/both.pem")});

    BIO* bio = BIO_new(BIO_s_mem());
    REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio, ours.pkey.get(), EVP_aes_256_cbc(), "secret", 6, nullptr,
                                          nullptr) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    const std::string encrypted(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    folder.write("a/b/local.key", encrypted);
    folder.write("a/both.pem", encrypted + private_pem(ours).value());
    CHECK(found() == std::vector{folder.path("a/both.pem")});
}
