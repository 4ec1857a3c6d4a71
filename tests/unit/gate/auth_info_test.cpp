// Keys and certificates as the real ssh-keygen makes them, compared with what it says of them itself.
#include "gate/auth_info.h"

#include "approvals/base64url.h"
#include "temp_folder.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <doctest/doctest.h>
#include <fstream>
#include <sstream>

using namespace escort::gate;
using escort::test::TempFolder;

namespace {

std::string output(const std::string& command) {
    std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string all;
    std::array<char, 4096> piece{};
    while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), pipe))
        all.append(piece.data(), got);
    const int status = ::pclose(pipe);
    CAPTURE(command);
    CAPTURE(all);
    REQUIRE(status == 0);
    return all;
}

// "ALG BASE64", without the comment.
std::string key_text(const std::string& path) {
    std::ifstream file(path);
    std::string algorithm, blob;
    file >> algorithm >> blob;
    return algorithm + " " + blob;
}

std::string word(const std::string& text, std::size_t index) {
    std::istringstream words(text);
    std::string found;
    for (std::size_t i = 0; i <= index; ++i)
        words >> found;
    return found;
}

std::string as_string(std::string_view bytes) {
    std::string wire;
    for (int shift = 24; shift >= 0; shift -= 8)
        wire.push_back(static_cast<char>(bytes.size() >> shift & 0xff));
    return wire.append(bytes);
}

std::string base64(std::string_view bytes) {
    std::string text = escort::base64url_encode(bytes);
    std::replace(text.begin(), text.end(), '-', '+');
    std::replace(text.begin(), text.end(), '_', '/');
    return text.append((4 - text.size() % 4) % 4, '=');
}

// A security key's public half: no device is needed to write one down. The point is NIST P-256's generator.
std::string security_key(bool ed25519) {
    const std::string application = as_string("ssh:");
    if (ed25519) {
        const std::string type = "sk-ssh-ed25519@openssh.com";
        return type + " " + base64(as_string(type) + as_string(std::string(32, '\x07')) + application);
    }
    const std::string type = "sk-ecdsa-sha2-nistp256@openssh.com";
    const auto hex = [](const std::string& digits) {
        std::string bytes;
        for (std::size_t i = 0; i < digits.size(); i += 2)
            bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
        return bytes;
    };
    const std::string point = hex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                                  "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
    return type + " " + base64(as_string(type) + as_string("nistp256") + as_string(point) + application);
}

std::string blob_of(const std::string& text) {
    std::string url = word(text, 1);
    std::replace(url.begin(), url.end(), '+', '-');
    std::replace(url.begin(), url.end(), '/', '_');
    url.erase(std::find(url.begin(), url.end(), '='), url.end());
    const auto blob = escort::base64url_decode(url);
    REQUIRE(blob);
    return *blob;
}

void make_key(const TempFolder& folder, const std::string& name, const std::string& kind) {
    if (kind.starts_with("sk-"))
        folder.write(name + ".pub", security_key(kind == "sk-ed25519") + " comment\n");
    else
        (void)output("ssh-keygen -q -N '' -t " + kind + " -f " + folder.path(name));
}

} // namespace

TEST_CASE("auth info: every type of key and of certificate, as ssh-keygen says") {
    TempFolder folder;
    (void)output("ssh-keygen -q -N '' -t ed25519 -f " + folder.path("ca"));
    (void)output("ssh-keygen -q -N '' -t rsa -b 2048 -f " + folder.path("ca-rsa"));
    const std::string ca_print = word(output("ssh-keygen -lf " + folder.path("ca.pub")), 1);
    const std::string ca_rsa_print = word(output("ssh-keygen -lf " + folder.path("ca-rsa.pub")), 1);
    int n = 0;
    for (const char* kind : {"ed25519", "rsa -b 2048", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521",
                             "sk-ed25519", "sk-ecdsa"}) {
        CAPTURE(kind);
        const std::string name = "key" + std::to_string(n++);
        make_key(folder, name, kind);
        const std::string print = word(output("ssh-keygen -lf " + folder.path(name + ".pub")), 1);
        auto info = read_auth_info("publickey " + key_text(folder.path(name + ".pub")) + "\n");
        REQUIRE(info.keys.size() == 1);
        CHECK(info.keys[0].fingerprint == print);
        CHECK_FALSE(info.keys[0].key_id);
        CHECK_FALSE(info.keys[0].ca_fingerprint);

        for (const bool by_rsa : {false, true}) {
            (void)output(
                "ssh-keygen -q -s " + folder.path(by_rsa ? "ca-rsa" : "ca") +
                " -I 'eng-42 Jürgen' -n azsupport,vendor-two -V +1h -z 77 -O source-address=203.0.113.0/24 " +
                folder.path(name + ".pub"));
            const std::string certificate = key_text(folder.path(name + "-cert.pub"));
            const std::string says = output("ssh-keygen -Lf " + folder.path(name + "-cert.pub"));
            CHECK(says.find(print) != std::string::npos);
            info = read_auth_info("publickey " + certificate + "\n");
            REQUIRE(info.keys.size() == 1);
            CHECK(info.keys[0].algorithm == word(certificate, 0));
            CHECK(info.keys[0].fingerprint == print);
            CHECK(info.keys[0].key_id == "eng-42 Jürgen");
            CHECK(info.keys[0].ca_fingerprint == (by_rsa ? ca_rsa_print : ca_print));
            CHECK(info.keys[0].serial == 77);

            // Cut anywhere, or longer, it is no key.
            const std::string blob = blob_of(certificate);
            REQUIRE(read_key(blob));
            for (std::size_t size = 0; size < blob.size(); ++size)
                CHECK_FALSE(read_key(blob.substr(0, size)));
            CHECK_FALSE(read_key(blob + '\0'));
        }
    }
}

TEST_CASE("auth info: a host's certificate proves no engineer; nor does a key id that no line can hold") {
    TempFolder folder;
    make_key(folder, "ca", "ed25519");
    make_key(folder, "key", "ed25519");
    (void)output("ssh-keygen -q -h -s " + folder.path("ca") + " -I eng-42 " + folder.path("key.pub"));
    CHECK(read_auth_info("publickey " + key_text(folder.path("key-cert.pub"))).keys.empty());
    (void)output("ssh-keygen -q -s " + folder.path("ca") + " -I \"$(printf 'eng-42\\neng-43')\" " +
                 folder.path("key.pub"));
    CHECK(read_auth_info("publickey " + key_text(folder.path("key-cert.pub"))).keys.empty());
}

TEST_CASE("auth info: methods in their order; only publickey proves the person's key") {
    TempFolder folder;
    make_key(folder, "key", "ed25519");
    const std::string key = key_text(folder.path("key.pub"));
    const auto info = read_auth_info("publickey " + key + "\nkeyboard-interactive/pam\npassword\nhostbased " +
                                     key + "\n\npublickey " + key);
    CHECK(info.methods == std::vector<std::string>{"publickey", "keyboard-interactive/pam", "password",
                                                   "hostbased", "publickey"});
    CHECK(info.keys.size() == 2);
    CHECK(read_auth_info("").methods.empty());
    CHECK(read_auth_info("\n\n").methods.empty());
}

TEST_CASE("auth info: what is not exactly a key is none") {
    TempFolder folder;
    make_key(folder, "key", "ed25519");
    const std::string key = key_text(folder.path("key.pub"));
    const auto keys = [](const std::string& line) { return read_auth_info(line).keys.size(); };
    CHECK(keys("publickey " + key) == 1);
    CHECK(keys("publickey") == 0);
    CHECK(keys("publickey ") == 0);
    CHECK(keys("publickey " + key + " more") == 0);
    CHECK(keys("publickey ssh-rsa " + word(key, 1)) == 0); // another type than the blob's
    CHECK(keys("publickey " + key + "=") == 0);
    CHECK(keys("publickey " + key + "AAAA") == 0);
    CHECK(keys("publickey " + key.substr(0, key.size() - 4)) == 0);
    CHECK(keys("publickey\t" + key) == 0);
    CHECK(keys("PUBLICKEY " + key) == 0);
    const std::string dss =
        as_string("ssh-dss") + as_string("p") + as_string("q") + as_string("g") + as_string("y");
    CHECK(keys("publickey ssh-dss " + base64(dss)) == 0);
    CHECK_FALSE(read_key(as_string("ssh-ed25519") + as_string("")));
    CHECK_FALSE(read_key(std::string("\xff\xff\xff\xff", 4) + "ssh-ed25519"));
    std::string many;
    for (int i = 0; i < 1000; ++i)
        many += "publickey " + key + "\n";
    CHECK(read_auth_info(many).keys.size() == 16);
}
