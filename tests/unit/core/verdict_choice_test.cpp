// Which approval a session uses, how that is explained, and when it ends or stands still.
#include "core/pattern.h"
#include "core/scenario.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace escort;
using scenario::kBootNow;
using scenario::merged;

namespace {

constexpr const char* kIssuer = "https://broker.example.gov#";

YAML::Node base() {
    return scenario::load("base.yaml");
}

std::unique_ptr<scenario::Scene> scene_of(const std::string& change) {
    return scenario::read(merged(base(), YAML::Load(change)));
}

// The base with a second approval, `change` of the first.
std::unique_ptr<scenario::Scene> two(const std::string& change, const std::string& more = "{}") {
    YAML::Node node = base();
    YAML::Node second = merged(node["approvals"][0], YAML::Load(change));
    if (!YAML::Load(change)["jti"]) second["jti"] = "apr-2";
    node["approvals"].push_back(second);
    return scenario::read(merged(node, YAML::Load(more)));
}

const RuleOutcome* rule(const Verdict& verdict, const std::string& name) {
    const auto found = std::find_if(verdict.rules.begin(), verdict.rules.end(),
                                    [&](const auto& one) { return one.rule == name; });
    return found == verdict.rules.end() ? nullptr : &*found;
}

std::uint64_t in_seconds(std::int64_t seconds) {
    return kBootNow + static_cast<std::uint64_t>(seconds) * kNsPerSecond;
}

} // namespace

TEST_CASE("verdict choice: of two that fit, each preference in its turn, and the line says which") {
    struct Row {
        const char* second;
        const char* more;
        const char* chosen;
        const char* why;
    };
    const Row rows[] = {
        {"{ssh: {fingerprints: ['SHA256:two']}, exp: 60}", "{session: {key: 'SHA256:two'}}", "apr-2", "fits"},
        {"{ssh: ~, exp: 9999}", "{list: {exp: 9000}, policy: {require: {bind: ~}}}", "apr-1",
         "fits; chosen of 2: it names the session's key"},
        {"{source: ~, exp: 9999}", "{list: {exp: 9000}, policy: {require: {bind: ~}}}", "apr-1",
         "fits; chosen of 2: it names the session's address"},
        {"{exp: 3601}", "{list: {exp: 9000}}", "apr-2", "fits; chosen of 2: it lasts longest"},
        {"{}", "{}", "apr-1", "fits; chosen of 2: it is the first by name"},
        {"{jti: apr-0}", "{presence: {apr-0: {escort: esc-9, iat: -5, exp: 25}}}", "apr-0",
         "fits; chosen of 2: it is the first by name"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.second);
        const auto verdict = two(row.second, row.more)->judge();
        REQUIRE(verdict.approval);
        CHECK(verdict.approval->jti == row.chosen);
        CHECK(rule(verdict, "approval")->detail == row.why);
        CHECK(rule(verdict, "approval")->from == std::string(kIssuer) + row.chosen);
    }
}

TEST_CASE("verdict choice: two engineers share an account; each key has its own approval") {
    const auto scene = two("{engineer: {id: eng-43}, ssh: {fingerprints: ['SHA256:two']}}");
    CHECK(scene->judge().engineer == "eng-42");
    scene->facts.key = "SHA256:two";
    CHECK(scene->judge().engineer == "eng-43");
    scene->facts.key = "SHA256:three";
    CHECK(join(scene->judge().reasons) == "key_mismatch");
}

TEST_CASE("verdict choice: every rule has its line, with the place or the document it comes from") {
    const auto verdict = scenario::read(base())->judge();
    for (const char* name : {"require.entries",
                             "require.admission",
                             "require.idle_timeout",
                             "approval",
                             "require.engineer.location.allow",
                             "require.engineer.location.asserted_by",
                             "require.engineer.location.max_age",
                             "require.engineer.citizenship.allow",
                             "require.engineer.screening",
                             "window",
                             "require.bind.ssh_key",
                             "require.bind.source",
                             "require.source",
                             "approval.source",
                             "require.ticket",
                             "require.approvers.min",
                             "require.escort.required",
                             "require.escort.lease",
                             "require.max_sessions",
                             "approval.max_sessions",
                             "require.max_duration",
                             "approval.max_duration"}) {
        CAPTURE(name);
        REQUIRE(rule(verdict, name) != nullptr);
        CHECK(rule(verdict, name)->check == Check::pass);
        CHECK_FALSE(rule(verdict, name)->detail.empty());
        const bool of_policy = std::string(name).starts_with("require.");
        CHECK(rule(verdict, name)->from.starts_with(of_policy ? "10-vendor.yaml:" : kIssuer));
    }
    CHECK(rule(verdict, "require.engineer.location.allow")->detail == "in US; asked: US");
}

TEST_CASE("verdict choice: a denied account is no further account either") {
    const auto scene = scene_of("{deny: {accounts: [vendor-two]}}");
    Approval approval = *scene->evidence.candidates[0].approval;
    approval.also = {"vendor-two", "vendor-new"};
    scene->evidence.candidates[0].approval = &approval;
    CHECK(scene->judge().also == std::vector<std::string>{"vendor-new"});
}

TEST_CASE("verdict choice: the deadline is the first of all ends; recheck the first change") {
    struct Row {
        const char* what;
        const char* change;
        std::int64_t deadline, recheck; // seconds from now
    };
    // The base: the lease ends in 25 s, its grace in 145 s.
    const Row rows[] = {
        {"grace", "{}", 145, 25},
        {"policy's lease", "{presence: {apr-1: {exp: 100}}}", 145, 25},
        {"shorter exp", "{presence: {apr-1: {exp: 10}}}", 130, 10},
        {"kill at once", "{policy: {require: {escort: {absent: kill, grace: ~}}}}", 25, 25},
        {"no grace: the list's end", "{policy: {require: {escort: {grace: ~}}}}", 1260, 25},
        {"approval's exp", "{policy: {require: {escort: ~}}, approvals: [{exp: 500}]}", 500, 500},
        {"idle", "{policy: {require: {escort: ~}}, session: {idle: 100}}", 1260, 800},
        {"place", "{policy: {require: {escort: ~, engineer: {location: {max_age: 10m}}}}}", 300, 300},
        {"approval's max_duration", "{policy: {require: {escort: ~}}, session: {opened: 7100}}", 100, 100},
        {"policy's max_duration", "{policy: {require: {escort: ~, max_duration: 2m}}}", 120, 120},
        {"held", "{session: {approval: apr-1, opened: 60}, presence: {apr-1: {iat: -40}}}", 110, 110},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        const auto verdict = scene_of(row.change)->judge();
        CHECK(verdict.ruling == Ruling::approved);
        CHECK(verdict.deadline_boot_ns == in_seconds(row.deadline));
        CHECK(verdict.recheck_boot_ns == in_seconds(row.recheck));
    }
}

TEST_CASE("verdict choice: the kernel's window is shut by all that is certain, and by nothing that isn't") {
    const auto window = [](const std::string& change) {
        const auto scene = scene_of(change);
        return window_until(scene->policy, scene->evidence, scenario::kMoment);
    };
    CHECK(window("{}") == in_seconds(25)); // the escort's lease
    CHECK(window("{session: {key: 'SHA256:two', source: 10.0.0.1, entry: cron, gated: false, idle: 9999}}") ==
          in_seconds(25));
    CHECK(window("{policy: {require: {escort: ~}}}") == in_seconds(1260));
    CHECK(window("{policy: {require: {escort: ~, engineer: {location: {max_age: 10m}}}}}") ==
          in_seconds(300));
    for (const char* change :
         {"{approvals: [{engineer: {location: {country: CA}}}]}", "{approvals: [{exp: 0}]}",
          "{approvals: [~]}", "{list: {revoked: [apr-1]}}", "{list: {exp: -60}}",
          "{deny: {accounts: [azsupport]}}", "{deny: {engineers: [eng-42]}}", "{approvals: [{ssh: ~}]}",
          "{approvals: [{source: ~}]}", "{approvals: [{ticket: ~}]}", "{presence: {apr-1: ~}}",
          "{sessions: {apr-1: 1}}", "{list: {break_glass: true}, policy: {break_glass: deny}}"}) {
        CAPTURE(change);
        CHECK(window(change) == 0);
    }
}

TEST_CASE("verdict choice: a pattern compiled ahead is used as it is") {
    const auto scene = scenario::read(base());
    Patterns patterns;
    patterns.add("INC[0-9]{7}");
    scene->evidence.patterns = &patterns;
    CHECK(scene->judge().ruling == Ruling::approved);
    scene->policy.require.ticket->value = "CHG.*";
    CHECK(join(scene->judge().reasons) == "ticket_invalid");
}

TEST_CASE("verdict choice: of very many approvals explain lists some, and says how many more there are") {
    YAML::Node node = base();
    for (int i = 2; i < 52; ++i) {
        YAML::Node more = YAML::Clone(node["approvals"][0]);
        more["jti"] = "x-" + std::to_string(i);
        more["ticket"] = "none";
        node["approvals"].push_back(more);
    }
    const auto verdict = scenario::read(node)->judge();
    CHECK(verdict.approval->jti == "apr-1");
    const auto lines = std::count_if(verdict.rules.begin(), verdict.rules.end(),
                                     [](const auto& one) { return one.rule == "approval"; });
    CHECK(lines == 33);
    CHECK(verdict.rules.back().detail == "19 more, none of which came nearer");
}
