// keygen, document sign/verify/show and policy check: no daemon anywhere.
#include "fake_daemon.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace escort;
using namespace escort::ctl;
using namespace escort::ctl::test;
using nlohmann::json;

namespace {

constexpr const char* kList =
    "iss: https://broker.example.gov\naud: host:host-1\nseq: 812\napprovals:\n"
    "  - {jti: apr-1, account: azsupport, nbf: 1767225600, exp: 1767232800, engineer: {id: eng-42},"
    " ticket: {system: servicenow, id: INC0012345}}\nrevoked: [apr-0]\n";

mode_t mode_of(const std::string& path) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777;
}

} // namespace

TEST_CASE("escortctl keygen: modes, and nothing is overwritten") {
    const Home home;
    for (const char* alg : {"EdDSA", "ES256", "ES384"}) {
        const std::string name = home.file(alg);
        const Ran made = run_ctl(home, {"keygen", name, "--alg", alg, "--json"});
        REQUIRE(made.code == 0);
        CHECK(json::parse(made.out)["thumbprint"].get<std::string>().size() == 43);
        CHECK(mode_of(name + ".key") == 0600);
        CHECK(mode_of(name + ".pem") == 0644);
    }
    const std::string before = home.read("ES256.key");
    const Ran again = run_ctl(home, {"keygen", home.file("ES256")});
    CHECK(again.code == 1);
    CHECK(again.err.starts_with("escortctl: " + home.file("ES256.key") + ": is there already\n"));
    CHECK(home.read("ES256.key") == before);
    home.write("half.pem", "x");
    CHECK(run_ctl(home, {"keygen", home.file("half")}).code == 1);
    CHECK_FALSE(std::filesystem::exists(home.file("half.key")));
    CHECK(run_ctl(home, {"keygen", home.file("x"), "--alg", "RS256"}).code == 2);
    CHECK(run_ctl(home, {"keygen", home.file("none/x")}).code == 1);
}

TEST_CASE("escortctl document: sign, verify, show") {
    const Home home;
    REQUIRE(run_ctl(home, {"keygen", home.file("broker")}).code == 0);
    home.write("list.yaml", kList);
    const std::vector<std::string> sign{
        "document", "sign", "--key", home.file("broker.key"), "--type", "approvals", home.file("list.yaml")};
    const Ran made = run_ctl(home, sign);
    REQUIRE(made.code == 0);
    home.write("list.jws", made.out); // with the line end that a shell's > leaves

    const Ran untrusted = run_ctl(home, {"document", "verify", home.file("list.jws")});
    CHECK(untrusted.code == 1);
    CHECK(untrusted.err.find("untrusted_key") != std::string::npos);
    std::filesystem::copy(home.file("broker.pem"), home.file("trust/broker.pem"));
    const Ran good = run_ctl(home, {"document", "verify", home.file("list.jws"), "--json"});
    REQUIRE(good.code == 0);
    const json verified = json::parse(good.out);
    CHECK(verified["valid"] == true);
    CHECK(verified["seq"] == 812);
    CHECK(verified["issued"] == kNow); // the default
    CHECK(verified["expires"] == 1767232800);
    CHECK(verified["approvals"][0]["ticket"] == "INC0012345");
    CHECK(run_ctl(home, {"document", "verify", home.file("list.jws"), "--trust", home.file("run")}).code ==
          1);
    const Ran person = run_ctl(home, {"document", "verify", home.file("list.jws")}, true);
    CHECK(person.out.find("(broker.pem)") != std::string::npos);
    CHECK(person.out.find("apr-1 azsupport engineer eng-42 ticket INC0012345 from 2026-01-01T00:00:00Z") !=
          std::string::npos);

    const Ran shown = run_ctl(home, {"document", "show", home.file("list.jws")}, true);
    CHECK(shown.code == 0);
    CHECK(shown.out.starts_with("signature  NOT VERIFIED"));
    CHECK(json::parse(run_ctl(home, {"document", "show", home.file("list.jws"), "--json"}).out)["verified"] ==
          false);

    auto to_file = sign;
    to_file.insert(to_file.end(), {"--out", home.file("out.jws")});
    CHECK(run_ctl(home, to_file).out.empty());
    CHECK(run_ctl(home, {"document", "verify", home.file("out.jws")}).code == 0);

    std::string tampered = home.read("list.jws");
    tampered[tampered.find('.') + 5] ^= 1;
    home.write("bad.jws", tampered);
    CHECK(run_ctl(home, {"document", "verify", home.file("bad.jws")}).code == 1);
    home.write("junk.jws", "junk");
    CHECK(run_ctl(home, {"document", "show", home.file("junk.jws")}).code == 1);
    CHECK(run_ctl(home, {"document", "show", home.file("missing.jws")}).code == 1);
}

TEST_CASE("escortctl document sign: what no host would take is signed by force alone") {
    const Home home;
    REQUIRE(run_ctl(home, {"keygen", home.file("k")}).code == 0);
    const auto sign = [&](const std::string& yaml, bool force = false) {
        home.write("list.yaml", yaml);
        std::vector<std::string> words{
            "document", "sign", "--key", home.file("k.key"), "--type", "approvals", home.file("list.yaml")};
        if (force) words.emplace_back("--force");
        return run_ctl(home, words);
    };
    const std::string list = kList;
    const Ran refused = sign(list + "surprise: 1\n");
    CHECK(refused.code == 1);
    CHECK(refused.err.starts_with("escortctl: " + home.file("list.yaml") + ": surprise: is unknown\n"));
    const Ran forced =
        sign("iss: a\nseq: -1\nbig: 99999999999999999999\nreal: 1.5\nyes: yes\nhex: 0x10\n", true);
    REQUIRE(forced.code == 0);
    home.write("forced.jws", forced.out);
    const json payload =
        json::parse(run_ctl(home, {"document", "show", home.file("forced.jws"), "--json"}).out)["payload"];
    CHECK(payload["seq"] == -1);
    CHECK(payload["big"].is_number_float());
    CHECK(payload["real"] == 1.5);
    CHECK(payload["yes"] == "yes");
    CHECK(payload["hex"] == 16);
    CHECK(payload["iat"] == kNow);
    CHECK(payload["exp"] == kNow + 300);
    CHECK(sign("{\"iss\": \"a\", \"aud\": \"host:h\", \"iat\": 1767225600, \"exp\": 1767225700, \"seq\": 1, "
               "\"approvals\": []}")
              .code == 0);
    for (const char* bad : {"- a\n", "", "a: [", "\"text\"", "a: 1\na: 2\n"}) {
        CAPTURE(bad);
        CHECK(sign(bad, true).code == 1);
    }
    CHECK(run_ctl(home, {"document", "sign", "--key", "k", "--type", "other", "f"}).code == 2);
}

TEST_CASE("escortctl document: leases, revocations and break-glass lists, with what may be left out") {
    const Home home;
    REQUIRE(run_ctl(home, {"keygen", home.file("broker")}).code == 0);
    REQUIRE(run_ctl(home, {"keygen", home.file("emergency")}).code == 0);
    std::filesystem::copy(home.file("broker.pem"), home.file("trust/broker.pem"));
    std::filesystem::create_directory(home.file("breakglass"));
    std::filesystem::copy(home.file("emergency.pem"), home.file("breakglass/emergency.pem"));
    const auto sign = [&](const std::string& type, const std::string& yaml,
                          const std::string& key = "broker") {
        home.write("claims.yaml", yaml);
        const Ran made = run_ctl(home, {"document", "sign", "--key", home.file(key + ".key"), "--type", type,
                                        home.file("claims.yaml")});
        home.write("made.jws", made.out);
        return made;
    };
    const auto verify = [&](bool terminal = false) {
        std::vector<std::string> words{"document",         "verify",       home.file("made.jws"),  "--trust",
                                       home.file("trust"), "--breakglass", home.file("breakglass")};
        if (!terminal) words.emplace_back("--json");
        return run_ctl(home, words, terminal);
    };

    REQUIRE(sign("presence", "iss: b\naud: host:host-1\napproval: apr-1\nescort: esc-9\n").code == 0);
    json lease = json::parse(verify().out);
    CHECK(lease["typ"] == "escort-presence+jwt");
    CHECK(lease["approval"] == "apr-1");
    CHECK(lease["escort"] == "esc-9");
    CHECK(lease["issued"] == kNow);
    CHECK(lease["expires"] == kNow + 60);
    CHECK(verify(true).out.find("escort    esc-9") != std::string::npos);
    CHECK(sign("presence", "iss: b\naud: host:host-1\napproval: apr-1\n").err.find("escort: is missing") !=
          std::string::npos);

    const std::string revocation =
        "iss: b\nsub_id: {format: complex, session: {format: opaque, id: 7f3a2c1e-42}}\n";
    REQUIRE(sign("revocation", revocation).code == 0);
    json event = json::parse(verify().out);
    CHECK(event["typ"] == "secevent+jwt");
    CHECK(event["session"] == "7f3a2c1e-42");
    CHECK(event["id"].get<std::string>().starts_with("set-"));
    CHECK_FALSE(event.contains("expires"));
    CHECK(verify(true).out.find("revokes   7f3a2c1e-42") != std::string::npos);
    CHECK(sign("revocation", "iss: b\n").code == 1);

    const std::string list =
        "iss: b\naud: host:host-1\nseq: 1\napprovals:\n"
        "  - {jti: brk-1, account: azsupport, nbf: 1767225600, exp: 1767232800, engineer: {id: eng-42},"
        " emergency: {authority: CISO on duty, reason: broker down}}\n";
    REQUIRE(sign("breakglass", list, "emergency").code == 0);
    json emergency = json::parse(verify().out);
    CHECK(emergency["break_glass"] == true);
    CHECK(emergency["approvals"][0]["emergency"] == "broker down");
    CHECK(verify(true).out.find("BREAK-GLASS: broker down") != std::string::npos);
    CHECK(verify(true).out.find("(emergency.pem, break-glass)") != std::string::npos);
    REQUIRE(sign("breakglass", list).code == 0); // by a key of trust.d
    CHECK(verify().code == 1);
    CHECK(sign("approvals", list).code == 1);
    CHECK(sign("breakglass", kList).code == 1);
}

TEST_CASE("escortctl policy check: FILE:LINE:COLUMN, exit code, JSON") {
    const Home home;
    home.write("good.yaml", "version: 1\npolicy: a\nmode: observe\nprincipals: {users: [azsupport]}\n"
                            "require: {admission: window}\n");
    const Ran good = run_ctl(home, {"policy", "check", home.file("good.yaml")});
    CAPTURE(good.out);
    CHECK(good.code == 0);
    home.write("bad.yaml", "version: 1\npolicy: a\nmod: observe\n");
    const Ran bad = run_ctl(home, {"policy", "check", home.file("bad.yaml")});
    CHECK(bad.code == 1);
    CHECK(bad.out.find(home.file("bad.yaml") + ":3:1: error: ") != std::string::npos);
    const json answer = json::parse(run_ctl(home, {"policy", "check", home.file("bad.yaml"), "--json"}).out);
    CHECK(answer["valid"] == false);
    CHECK(answer["diagnostics"][0]["line"] == 3);
    CHECK(run_ctl(home, {"policy", "check"}).code == 2);
    CHECK(run_ctl(home, {"policy", "check", home.file("missing.yaml")}).code == 1);
}
