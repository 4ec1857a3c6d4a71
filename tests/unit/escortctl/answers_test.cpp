// The daemon's answers as escortctl shows them: on a terminal, plain, as JSON.
#include "fake_daemon.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::ctl;
using namespace escort::ctl::test;
using nlohmann::json;

namespace {

json status(bool healthy) {
    return {{"healthy", healthy},
            {"tier", healthy ? "kill" : "none"},
            {"hooks", healthy ? "fentry" : "none"},
            {"host_id", "host-1"},
            {"version", "0.1.0"},
            {"mode_override", nullptr},
            {"started", kNow - 90'000},
            {"uptime_seconds", 90'000},
            {"policy",
             {{"sha256", "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"},
              {"error", healthy ? json() : json("10-vendor.yaml:3:1: error: unknown key \"mod\"")},
              {"loaded", kNow - 600},
              {"policies", 1},
              {"kept", !healthy}}},
            {"documents",
             {{{"issuer", "https://broker.example.gov"},
               {"audience", "host:host-1"},
               {"subject", ""},
               {"seq", 812},
               {"age_seconds", 42},
               {"expires", kNow + 858},
               {"approvals", 1},
               {"key", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}}}},
            {"sessions", 1},
            {"frozen", healthy ? 0 : 1},
            {"break_glass", {{"approvals", healthy ? 0 : 2}, {"sessions", healthy ? 0 : 1}}},
            {"denials", healthy ? json::array() : json::array({{{"kind", "account"}, {"id", "vendor-two"}}})},
            {"drops", 0},
            {"degraded",
             healthy ? json::array()
                     : json::array(
                           {{{"what", "kernel"}, {"why", "no BTF"}, {"hint", "Boot a kernel with it."}}})},
            {"warnings", {"no 'issuers:' in the settings: any trusted key may sign for any issuer"}},
            {"last_error", nullptr},
            {"principals", 2},
            {"counters", {{"denied", 3}}}};
}

json session() {
    return {{"id", "7f3a2c1e-42"},    {"account", "azsupport"},  {"uid", 1001},
            {"entry", "sshd"},        {"source", "203.0.113.7"}, {"tty", "pts/0"},
            {"verdict", "approved"},  {"reason", "approved"},    {"reasons", {"approved"}},
            {"action", "none"},       {"approval", "apr-19f3"},  {"engineer", "eng-42"},
            {"ticket", "INC0012345"}, {"started", kNow - 60},    {"ends", kNow + 3540},
            {"processes", 3},         {"frozen", false},         {"audit_session", 17},
            {"logind_session", "5"},  {"state", "live"}};
}

json hostile_session() {
    json s = session();
    s["id"] = "7f3a2c1e-43";
    s["account"] = "eve\n\x1b[2Jroot";
    s["source"] = nullptr;
    s["ends"] = nullptr;
    s["state"] = "ending";
    return s;
}

json frozen_session() {
    json s = session();
    s["id"] = "7f3a2c1e-44";
    s["frozen"] = true;
    return s;
}

} // namespace

TEST_CASE("escortctl status: exit code and three looks") {
    const Home home;
    {
        const FakeDaemon daemon(home, {{"status", FakeDaemon::always(status(true))}});
        const Ran person = run_ctl(home, {"status"}, true);
        CHECK(person.code == 0);
        CHECK(person.err.empty());
        check_golden("status.terminal", person.out);
        check_golden("status.plain", run_ctl(home, {"status"}).out);
        const Ran program = run_ctl(home, {"status", "--json"});
        CHECK(json::parse(program.out) == status(true));
        CHECK(program.out.find('\n') == program.out.size() - 1);
    }
    const FakeDaemon daemon(home, {{"status", FakeDaemon::always(status(false))}});
    const Ran unhealthy = run_ctl(home, {"status"}, true);
    CHECK(unhealthy.code == 1);
    check_golden("status.unhealthy", unhealthy.out);
    CHECK(run_ctl(home, {"status", "--json"}).code == 1);
}

TEST_CASE("escortctl sessions, session: a name can't break a line or drive the terminal") {
    const Home home;
    json asked;
    json details = session();
    details.update(
        {{"policy", "vendor-support"},
         {"escort", "esc-9"},
         {"facts",
          {{{"name", "source"}, {"value", "203.0.113.7"}, {"from", "socket of sshd, pid 46"}},
           {{"name", "audit_session"}, {"value", 17}, {"from", "kernel"}},
           {{"name", "eve\n"}, {"value", "\x1b[2J"}, {"from", nullptr}}}},
         {"pid", 4711},
         {"comm", "sshd"},
         {"cgroup", "/user.slice"},
         {"rules", {{{"rule", "window"}, {"outcome", "pass"}, {"detail", "open"}, {"from", "a.yaml:3"}}}}});
    const FakeDaemon daemon(home,
                            {{"sessions",
                              [&](const json& params, const control::Reply& reply) {
                                  asked = params;
                                  reply.ok({session(), hostile_session(), frozen_session()});
                              }},
                             {"session", [&](const json& params, const control::Reply& reply) {
                                  if (params.at("id") == "7f3a2c1e-42") return reply.ok(details);
                                  reply.fail(Exit::not_so, {"session", "is not known: 1", "See 'sessions'."});
                              }}});
    check_golden("sessions.terminal", run_ctl(home, {"sessions"}, true).out);
    CHECK(asked == json{{"all", false}});
    check_golden("sessions.plain", run_ctl(home, {"sessions", "--all"}).out);
    CHECK(asked == json{{"all", true}});
    CHECK(run_ctl(home, {"sessions", "--json"}, true).out.find('\x1b') == std::string::npos);
    check_golden("session.terminal", run_ctl(home, {"session", "7f3a2c1e-42"}, true).out);
    const Ran unknown = run_ctl(home, {"session", "1"});
    CHECK(unknown.code == 1);
    CHECK(unknown.err == "escortctl: session: is not known: 1\nSee 'sessions'.\n");
}

TEST_CASE("escortctl approvals") {
    const Home home;
    const json approvals = {{{"id", "apr-1"},
                             {"account", "azsupport"},
                             {"engineer", "eng-42"},
                             {"ticket", "INC1"},
                             {"not_before", kNow},
                             {"expires", kNow + 3600},
                             {"usable", true},
                             {"reason", nullptr},
                             {"issuer", "https://broker.example.gov"}},
                            {{"id", "apr-2"},
                             {"account", "vendor-two"},
                             {"engineer", "eng-7"},
                             {"ticket", nullptr},
                             {"not_before", kNow + 60},
                             {"expires", kNow + 3600},
                             {"usable", false},
                             {"reason", "not_yet_valid"},
                             {"issuer", "i"}}};
    const FakeDaemon daemon(home, {{"approvals", FakeDaemon::always(approvals)}});
    check_golden("approvals.terminal", run_ctl(home, {"approvals"}, true).out);
    check_golden("approvals.plain", run_ctl(home, {"approvals"}).out);
    CHECK(json::parse(run_ctl(home, {"approvals", "--json"}).out) == approvals);
}

TEST_CASE("escortctl explain: exit 1 when denied") {
    const Home home;
    json asked;
    json answer = {
        {"verdict", "denied"},
        {"reason", "expired"},
        {"reasons", {"expired", "entry_denied"}},
        {"approval", nullptr},
        {"rules",
         {{{"rule", "window"}, {"outcome", "fail"}, {"detail", "apr-1 is past"}, {"from", nullptr}},
          {{"rule", "entry"}, {"outcome", "pass"}, {"detail", "sshd"}, {"from", "a.yaml:7:3"}}}}};
    const FakeDaemon daemon(home, {{"explain", [&](const json& params, const control::Reply& reply) {
                                        asked = params;
                                        reply.ok(answer);
                                    }}});
    const Ran denied = run_ctl(home, {"explain", "azsupport"}, true);
    CHECK(denied.code == 1);
    CHECK(asked == json{{"account", "azsupport"}});
    check_golden("explain.terminal", denied.out);
    check_golden("explain.plain", run_ctl(home, {"explain", "azsupport"}).out);
    answer["verdict"] = "approved";
    CHECK(run_ctl(home,
                  {"explain", "azsupport", "--at", "2026-01-01T00:00:00Z", "--entry", "su", "--from", "::1"})
              .code == 0);
    CHECK(asked == json{{"account", "azsupport"}, {"at", kNow}, {"entry", "su"}, {"from", "::1"}});
    CHECK(run_ctl(home, {"explain", "azsupport", "--key", "SHA256:abc", "--key-id", "eng-42"}).code == 0);
    CHECK(asked == json{{"account", "azsupport"}, {"key", "SHA256:abc"}, {"key_id", "eng-42"}});
    CHECK(run_ctl(home, {"explain", "azsupport", "--at", "noon"}).code == 2);
}

TEST_CASE("escortctl freeze, thaw") {
    const Home home;
    json asked;
    json result;
    const auto answer = [&](const json& params, const control::Reply& reply) {
        asked = params;
        reply.ok(result);
    };
    const FakeDaemon daemon(home, {{"freeze", answer}, {"thaw", answer}});
    result = {{"id", "7f-1"}, {"processes", 200}, {"elapsed_us", 24'000}, {"moving", 0}};
    const Ran frozen = run_ctl(home, {"freeze", "7f-1"});
    CHECK(frozen.code == 0);
    CHECK(frozen.out == "Session 7f-1: 200 processes frozen within 24 ms\n");
    CHECK(asked == json{{"id", "7f-1"}});
    CHECK(json::parse(run_ctl(home, {"freeze", "7f-1", "--json"}).out) == result);
    CHECK(run_ctl(home, {"freeze"}).code == 2);
    result["moving"] = 1;
    const Ran moving = run_ctl(home, {"freeze", "7f-1", "--reason", "drill"});
    CHECK(moving.code == 1);
    CHECK(asked == json{{"id", "7f-1"}, {"reason", "drill"}});
    CHECK(moving.err.starts_with("escortctl: session 7f-1: 1 process does not stand still yet\n"));

    result = {{"id", "7f-1"}, {"frozen", false}};
    CHECK(run_ctl(home, {"thaw", "7f-1"}).out == "Session 7f-1: goes on\n");
    CHECK(asked == json{{"id", "7f-1"}});
    result["frozen"] = true;
    CHECK(run_ctl(home, {"thaw", "7f-1", "--reason", "done"}).out.find("no longer frozen by hand") !=
          std::string::npos);
    CHECK(asked == json{{"id", "7f-1"}, {"reason", "done"}});
}

TEST_CASE("escortctl reload --dry-run: who would die") {
    const Home home;
    json asked;
    json result = {{"accepted", true},
                   {"diagnostics", json::array()},
                   {"would_end",
                    {{{"id", "7f3a2c1e-42"},
                      {"account", "azsupport"},
                      {"engineer", "eng-42"},
                      {"reason", "entry_denied"},
                      {"processes", 3}}}},
                   {"would_freeze",
                    {{{"id", "7f3a2c1e-43"},
                      {"account", "vendor-\x1b[2Jtwo"},
                      {"engineer", nullptr},
                      {"reason", "escort_absent"},
                      {"processes", 1}}}},
                   {"would_go", json::array()}};
    const FakeDaemon daemon(home, {{"reload", [&](const json& params, const control::Reply& reply) {
                                        asked = params;
                                        reply.ok(result);
                                    }}});
    check_golden("dry_run.terminal", run_ctl(home, {"reload", "--dry-run"}, true).out);
    CHECK(asked == json{{"dry_run", true}});
    check_golden("dry_run.plain", run_ctl(home, {"reload", "--dry-run"}).out);
    CHECK(json::parse(run_ctl(home, {"reload", "--dry-run", "--json"}).out) == result);
    result["would_end"] = result["would_freeze"] = json::array();
    CHECK(run_ctl(home, {"reload", "--dry-run"}, true).out ==
          "No live session would be touched. Nothing was changed.\n");
    CHECK(run_ctl(home, {"reload", "--dry-run"}).out.empty());
    result["accepted"] = false;
    result["diagnostics"] = {"10-vendor.yaml:6:3: error: bad"};
    const Ran refused = run_ctl(home, {"reload", "--dry-run"});
    CHECK(refused.code == 1);
    CHECK(refused.err.starts_with(
        "10-vendor.yaml:6:3: error: bad\nescortctl: reload: the policies or keys would be"));
}

TEST_CASE("escortctl kill, reload, policy show") {
    const Home home;
    json asked;
    bool accepted = true;
    const FakeDaemon daemon(home,
                            {{"kill",
                              [&](const json& params, const control::Reply& reply) {
                                  asked = params;
                                  reply.ok({{"id", params.at("id")}, {"processes", 3}, {"elapsed_us", 2400}});
                              }},
                             {"reload",
                              [&](const json&, const control::Reply& reply) {
                                  reply.ok({{"accepted", accepted},
                                            {"diagnostics", {"10-vendor.yaml:6:3: error: bad"}},
                                            {"policy", {{"sha256", "5e884898da280471"}}},
                                            {"ended", 2}});
                              }},
                             {"policy_show", FakeDaemon::always({{"sha256", "x"},
                                                                 {"text", "policy: a\nmode: \x1b[1mx\n"},
                                                                 {"policies", json::array()}})}});
    const Ran killed = run_ctl(home, {"kill", "7f-1", "--reason", "left the room"});
    CHECK(killed.code == 0);
    CHECK(killed.out == "Session 7f-1: 3 processes dead within 2.4 ms\n");
    CHECK(asked == json{{"id", "7f-1"}, {"reason", "left the room"}});
    CHECK(run_ctl(home, {"kill", "7f-1"}).code == 2);
    CHECK(run_ctl(home, {"kill", "7f-1", "--reason", ""}).code == 2);

    const Ran loaded = run_ctl(home, {"reload"});
    CHECK(loaded.code == 0);
    CHECK(loaded.out == "Policy 5e884898da28 is in force; 2 sessions ended\n");
    accepted = false;
    const Ran refused = run_ctl(home, {"reload"});
    CHECK(refused.code == 1);
    CHECK(refused.err.starts_with(
        "10-vendor.yaml:6:3: error: bad\nescortctl: reload: the policies or keys were refused"));
    CHECK(run_ctl(home, {"reload", "--json"}).code == 1);

    CHECK(run_ctl(home, {"policy", "show"}).out == "policy: a\nmode: \\x1b[1mx\n");
}

TEST_CASE("escortctl: usage, help, reserved names, and a daemon that isn't there") {
    const Home home;
    CHECK(run_ctl(home, {}).code == 2);
    CHECK(run_ctl(home, {"no-such-command"}).code == 2);
    CHECK(run_ctl(home, {"status", "--no-such-option"}).code == 2);
    CHECK(run_ctl(home, {"policy"}).code == 2);
    CHECK(run_ctl(home, {"kill"}).err.starts_with("escortctl: usage: "));
    const Ran help = run_ctl(home, {"--help"});
    CHECK(help.code == 0);
    CHECK(help.out.find("approve") != std::string::npos);
    CHECK(run_ctl(home, {"--version"}).out == "escortctl " ESCORT_VERSION "\n");
    for (const Command& command : commands()) {
        std::vector<std::string> words;
        std::istringstream name(command.name);
        for (std::string word; name >> word;)
            words.push_back(word);
        words.emplace_back("--help");
        CAPTURE(command.name);
        const Ran shown = run_ctl(home, words);
        CHECK(shown.code == 0);
        CHECK(shown.out.find("--json") != std::string::npos);
    }
    const Ran reserved = run_ctl(home, {"metrics", "--all"});
    CHECK(reserved.code == 2);
    CHECK(reserved.err == "escortctl: metrics: is not supported yet\n");
    CHECK(run_ctl(home, {"events", "--format", "ocsf", "--follow"}).err ==
          "escortctl: events: is not supported yet\n");

    const Ran down = run_ctl(home, {"status"});
    CHECK(down.code == 3);
    CHECK(down.err.starts_with("escortctl: escortd: can't be reached at " + home.file("run/control.sock")));
    CHECK(down.err.ends_with("See 'systemctl status escortd'.\n"));
    CHECK(run_ctl(home, {"status", "--socket", "/nonexistent"}).code == 3);
    home.write("escortd.yaml", "version: 2\n");
    CHECK(run_ctl(home, {"status"}).code == 1);
}
