// approve and revoke against a daemon that keeps lists as the real one does.
#include "approvals/document.h"
#include "approvals/jws.h"
#include "fake_daemon.h"

#include <doctest/doctest.h>
#include <optional>

using namespace escort;
using namespace escort::ctl;
using namespace escort::ctl::test;
using nlohmann::json;

namespace {

// Takes what lies in the spool when it is asked for the verdict on it.
struct Daemon {
    explicit Daemon(const Home& where)
        : home(where),
          socket(where,
                 {{"status", FakeDaemon::always({{"host_id", "host-1"}})},
                  {"documents", [this](const json&, const control::Reply& reply) { documents(reply); }},
                  {"document_result", [this](const json& params, const control::Reply& reply) {
                       judge(params.at("sha256"), reply);
                   }}}) {}

    void documents(const control::Reply& reply) const {
        json all =
            json::array({{{"issuer", "other"}, {"audience", "host:host-1"}, {"subject", ""}, {"raw", "x"}}});
        if (list)
            all.push_back({{"issuer", list->issuer},
                           {"audience", list->audience},
                           {"subject", list->subject},
                           {"seq", list->seq},
                           {"raw", raw}});
        reply.ok(all);
    }

    void judge(const std::string& sha256, const control::Reply& reply) {
        for (const auto& path : list_files(home.file("spool"), ".jws").value_or(std::vector<std::string>{})) {
            const std::string bytes = read_file(path, 1 << 20).value_or("");
            std::filesystem::remove(path);
            if (sha256_hex(bytes) != sha256) continue;
            if (!refuse_with.empty())
                return reply.ok({{"outcome", "refused"},
                                 {"word", refuse_with},
                                 {"text", "no such key is trusted"},
                                 {"ended", nullptr}});
            list = parse_approvals(read_jws_unverified(bytes)->payload).value();
            raw = bytes;
            return reply.ok({{"outcome", "accepted"},
                             {"word", "accepted"},
                             {"text", ""},
                             {"ended", {{"sessions", 1}, {"processes", 3}, {"elapsed_us", 4200}}}});
        }
        reply.fail(Exit::not_so, {"document", "did not arrive"});
    }

    const Home& home;
    std::string refuse_with;
    std::optional<ApprovalList> list;
    std::string raw;
    FakeDaemon socket; // last: its thread uses the rest
};

std::vector<std::string> approve(const Home& home, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"approve", "azsupport", "--key", home.file("k.key")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

} // namespace

TEST_CASE("escortctl approve, revoke: one list that grows and shrinks") {
    const Home home;
    REQUIRE(run_ctl(home, {"keygen", home.file("k")}).code == 0);
    Daemon daemon(home);

    const Ran first = run_ctl(home, approve(home, {"--for", "1h", "--ticket", "INC1", "--engineer", "eng-42",
                                                   "--also", "vendor-two", "--also", "vendor-three"}));
    REQUIRE(first.code == 0);
    const std::string id = first.out.substr(0, first.out.size() - 1);
    CHECK(first.out == id + "\n");
    CHECK(id.starts_with("apr-"));
    CHECK(id.size() == 12);
    REQUIRE(daemon.list);
    REQUIRE(daemon.list->approvals.size() == 1);
    const Approval approved = daemon.list->approvals[0];
    CHECK(approved.jti == id);
    CHECK(approved.account == "azsupport");
    CHECK(approved.engineer.id == "eng-42");
    CHECK(approved.ticket->id == "INC1");
    CHECK(approved.also == std::vector<std::string>{"vendor-two", "vendor-three"});
    CHECK(approved.nbf == kNow);
    CHECK(approved.exp == kNow + 3600);
    CHECK(daemon.list->issuer == "escortctl:host-1");

    const Ran second =
        run_ctl(home, approve(home, {"--for", "15m", "--not-before", "2026-01-01T01:00:00Z", "--json"}));
    REQUIRE(second.code == 0);
    CHECK(json::parse(second.out)["not_before"] == kNow + 3600);
    CHECK(json::parse(second.out)["seq"] == kNow + 1);
    CHECK(daemon.list->approvals.size() == 2);
    const Ran third = run_ctl(home, approve(home, {"--for", "90s"}), true);
    CHECK(third.out.find("until     2026-01-01T00:01:30Z (1m)\n") != std::string::npos);
    CHECK(third.out.find("escortctl revoke apr-") != std::string::npos);

    const Ran revoked = run_ctl(home, {"revoke", id, "--key", home.file("k.key")});
    REQUIRE(revoked.code == 0);
    CHECK(revoked.out == "Approval " + id + " revoked: 1 session, 3 processes dead within 4.2 ms\n");
    CHECK(daemon.list->revoked == std::vector<std::string>{id});
    CHECK(daemon.list->approvals.size() == 2);
    const Ran again = run_ctl(home, {"revoke", id, "--key", home.file("k.key"), "--json"});
    CHECK(again.code == 1);
    CHECK(again.err.find("has no approval " + id) != std::string::npos);
}

TEST_CASE("escortctl approve: whom, from where, with which key, under whose eyes") {
    const Home home;
    REQUIRE(run_ctl(home, {"keygen", home.file("k")}).code == 0);
    Daemon daemon(home);
    const std::string fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    const Ran made = run_ctl(home, approve(home, {"--for",
                                                  "1h",
                                                  "--engineer",
                                                  "eng-42",
                                                  "--citizenship",
                                                  "US",
                                                  "--citizenship",
                                                  "CA",
                                                  "--screening",
                                                  "tier3",
                                                  "--location",
                                                  "US",
                                                  "--asserted-by",
                                                  "facility",
                                                  "--escort",
                                                  "esc-9",
                                                  "--approver",
                                                  "iso-3",
                                                  "--escort-screening",
                                                  "tier5",
                                                  "--source",
                                                  "10.0.0.0/8",
                                                  "--escort-citizenship",
                                                  "US",
                                                  "--source",
                                                  "fd00::/8",
                                                  "--key-fingerprint",
                                                  fingerprint,
                                                  "--key-id",
                                                  "eng-42",
                                                  "--max-sessions",
                                                  "2",
                                                  "--max-duration",
                                                  "30m"}));
    CAPTURE(made.err);
    REQUIRE(made.code == 0);
    const Approval approved = daemon.list.value().approvals.at(0);
    CHECK(approved.engineer.citizenship == std::vector<std::string>{"US", "CA"});
    CHECK(approved.engineer.screening == std::vector<std::string>{"tier3"});
    REQUIRE(approved.engineer.location);
    CHECK(approved.engineer.location->country == "US");
    CHECK(approved.engineer.location->asserted_by == "facility");
    CHECK(approved.engineer.location->at == kNow);
    REQUIRE(approved.escort);
    CHECK(approved.escort->id == "esc-9");
    CHECK(approved.escort->screening == std::vector<std::string>{"tier5"});
    CHECK(approved.escort->citizenship == std::vector<std::string>{"US"});
    CHECK(approved.approvers == std::vector<std::string>{"iso-3"});
    CHECK(approved.source == std::vector<std::string>{"10.0.0.0/8", "fd00::/8"});
    CHECK(approved.ssh.fingerprints == std::vector<std::string>{fingerprint});
    CHECK(approved.ssh.key_ids == std::vector<std::string>{"eng-42"});
    CHECK(approved.max_sessions == 2u);
    CHECK(approved.max_duration == 1800);

    CHECK(run_ctl(home, approve(home, {"--for", "1h", "--source", "10.0.0.1"})).err.find("source[0]") !=
          std::string::npos);
    CHECK(run_ctl(home, approve(home, {"--for", "1h", "--location", "usa"})).code == 2);
    CHECK(run_ctl(home, approve(home, {"--for", "1h", "--max-sessions", "0"})).code == 2);
    CHECK(run_ctl(home, approve(home, {"--for", "1h", "--max-duration", "soon"})).code == 2);
    CHECK(run_ctl(home, approve(home, {"--for", "1h", "--escort-screening", "tier5"})).code == 2);
    CHECK(daemon.list->approvals.size() == 1);
}

TEST_CASE("escortctl approve: what goes wrong says why and what to do") {
    const Home home;
    Daemon daemon(home);
    const Ran no_key = run_ctl(home, approve(home, {"--for", "1h"}));
    CHECK(no_key.code == 1);
    CHECK(no_key.err.find("is not there\nMake a key with 'escortctl keygen'") != std::string::npos);
    REQUIRE(run_ctl(home, {"keygen", home.file("k")}).code == 0);

    CHECK(run_ctl(home, approve(home)).code == 2);
    CHECK(run_ctl(home, approve(home, {"--for", "soon"})).code == 2);
    CHECK(run_ctl(home, approve(home, {"--for", "1h", "--not-before", "soon"})).code == 2);
    const Ran long_one = run_ctl(home, approve(home, {"--for", "25h"}));
    CHECK(long_one.code == 1);
    CHECK(long_one.err.find("24 h") != std::string::npos);
    const Ran odd = run_ctl(home, approve(home, {"--for", "1h", "--engineer", std::string(2000, 'x')}));
    CHECK(odd.code == 2);
    CHECK(odd.err.find("engineer.id") != std::string::npos);

    daemon.refuse_with = "untrusted_key";
    const Ran refused = run_ctl(home, approve(home, {"--for", "1h"}));
    CHECK(refused.code == 1);
    CHECK(refused.err ==
          "escortctl: escortd: refused the list: no such key is trusted\nCopy the key's .pem into "
          "/etc/escortd/trust.d/, then run 'escortctl reload'.\n");
    CHECK_FALSE(daemon.list);
}

TEST_CASE("escortctl approve: no daemon, no document in the spool") {
    const Home home;
    REQUIRE(run_ctl(home, {"keygen", home.file("k")}).code == 0);
    CHECK(run_ctl(home, approve(home, {"--for", "1h"})).code == 3);
    CHECK(std::filesystem::is_empty(home.file("spool")));
}
