// The contract's own example (§3), every key of it: what works is accepted, all else is refused by name at
// its place, and no cut of the text does harm.
#include "policy/load.h"

#include "base/file.h"
#include "policy/complaints.h"
#include "policy/yaml.h"

#include <doctest/doctest.h>
#include <filesystem>

using namespace escort;
using namespace escort::test;

namespace {

const std::filesystem::path kHere = std::filesystem::path(__FILE__).parent_path();

std::string contract_example() {
    const auto content = read_file(kHere / "contract_policy.yaml", kYamlBytes);
    REQUIRE(content);
    return *content;
}

// A policy that is accepted, with room for one more key at the top and under each map.
std::string with(const std::string& top, const std::string& require = "",
                 const std::string& principals = "") {
    return "version: 1\npolicy: p\nprincipals: {users: [a]" + principals + "}\nrequire: {admission: window" +
           require + "}\n" + top;
}

} // namespace

TEST_CASE("contract: its example names everything that isn't supported yet, each at its place") {
    CHECK(complaints(contract_example()) == "f:36:10: error: restrict.exec.deny is not supported yet\n"
                                            "f:36:39: error: restrict.exec.allow is not supported yet\n"
                                            "f:37:13: error: restrict.network.egress is not supported yet\n"
                                            "f:37:27: error: restrict.network.allow is not supported yet\n"
                                            "f:38:11: error: restrict.files.deny is not supported yet\n"
                                            "f:39:3: error: restrict.forwarding is not supported yet\n"
                                            "f:41:3: error: restrict.privilege is not supported yet\n"
                                            "f:45:3: error: on_violation.restrict is not supported yet");
}

TEST_CASE("contract: each key that isn't supported yet, alone") {
    struct Row {
        std::string text;
        std::string key;
    };
    std::vector<Row> rows{
        {with("record: {terminal: true}"), "record.terminal: true"},
        {with("on_violation: {restrict: freeze}"), "on_violation.restrict"},
        {with("restrict: {exec: {allow: []}}"), "restrict.exec.allow"},
        {with("restrict: {exec: {deny: []}}"), "restrict.exec.deny"},
        {with("restrict: {network: {egress: allow}}"), "restrict.network.egress"},
        {with("restrict: {network: {}}"), "restrict.network"},
        {with("restrict: {files: {deny: []}}"), "restrict.files.deny"},
        {with("restrict: {forwarding: allow}"), "restrict.forwarding"},
        {with("restrict: {privilege: deny}"), "restrict.privilege"},
        {with("restrict: {user_manager: allow, privilege: deny}"), "restrict.privilege"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        const std::string found = complaints(row.text) + "\n";
        CHECK(found.starts_with("f:"));
        CHECK(found.find(": error: " + row.key) != std::string::npos);
        CHECK(found.find(" is not supported yet\n") == found.find('\n') - 21);
    }
}

TEST_CASE("contract: every key has its type, supported yet or not") {
    struct Row {
        std::string text;
        std::string complaint;
    };
    const Row rows[] = {
        {with("", ", escort: {lease: 30}"),
         "require.escort.lease must be a duration such as 30s, 5m or 2h, found a number"},
        {with("", ", escort: {lease: soon}"),
         "require.escort.lease must be a duration such as 30s, 5m or 2h, found \"soon\""},
        {with("", ", escort: {absent: leave}"),
         "require.escort.absent must be one of freeze, kill, found \"leave\""},
        {with("", ", escort: {required: [x]}"),
         "require.escort.required must be true or false or a map, found a list"},
        {with("", ", engineer: {location: [US]}"), "require.engineer.location must be a map, found a list"},
        {with("", ", engineer: {location: {alow: [US]}}"),
         "unknown key \"alow\" under require.engineer.location (did you mean \"allow\"?)"},
        {with("", ", bind: [ssh_kye]"), "an item of require.bind must be one of source, ssh_key, found "
                                        "\"ssh_kye\" (did you mean \"ssh_key\"?)"},
        {with("", ", max_sessions: one"),
         "require.max_sessions must be a whole number, 0 or more, found a string"},
        {with("", ", max_sessions: -1"),
         "require.max_sessions must be a whole number, 0 or more, found \"-1\""},
        {with("", ", approvers: 2"), "require.approvers must be a map, found a number"},
        {with("restrict: {network: {egress: maybe}}"),
         "restrict.network.egress must be one of allow, deny, found \"maybe\""},
        {with("restrict: {user_manager: maybe}"),
         "restrict.user_manager must be one of allow, deny, found \"maybe\""},
        {with("restrict: {privilege: root}"),
         "restrict.privilege must be one of allow, contain, deny, found \"root\""},
        {with("restrict: deny"), "restrict must be a map, found a string"},
        {with("record: {arguments: yes}"), "record.arguments must be true or false, found a string"},
        {with("record: {exec_per_minute: -1}"),
         "record.exec_per_minute must be a whole number, 0 or more, found \"-1\""},
        {with("record: {exec_per_minute: 60001}"), "record.exec_per_minute must be 0 to 60000"},
        {with("record: {exec_per_minute: 99999999999999}"), "record.exec_per_minute must be 0 to 60000"},
        {with("record: {execs_per_minute: 1}"), "unknown key \"execs_per_minute\" under record (did you mean "
                                                "\"exec_per_minute\"?)"},
        {with("notify: {before_expiry: 1.5}"),
         "notify.before_expiry must be a duration such as 30s, 5m or 2h, found a fraction"},
        {with("", "", ", units: [{name: [x]}]"), "principals.units.name must be a string, found a list"},
        {with("", "", ", units: [3]"), "an item of principals.units must be a string or a map, found a "
                                       "number (put it in quotes to make it a string)"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK((complaints(row.text) + "\n").find(": error: " + row.complaint + "\n") != std::string::npos);
    }
}

TEST_CASE("contract: its example without what isn't supported yet is read, every key of it") {
    std::string text = contract_example();
    for (const char* later :
         {"  exec: {", "  network: {", "  files: {", "  forwarding: ", "  privilege: ", "  restrict: "}) {
        const auto from = text.find(later);
        REQUIRE(from != std::string::npos);
        text.erase(from, text.find('\n', from) + 1 - from);
    }
    Diagnostics out;
    const auto set = parse_policies({{"f", "f", text}}, out);
    REQUIRE(out.size() == 2); // it binds units to proofs that they can't bring
    CHECK(out[0].text().starts_with("f:29:10: warning: require.bind: source is never proven by"));
    CHECK(out[1].text().starts_with("f:29:18: warning: require.bind: ssh_key is never proven by"));
    REQUIRE(set);
    REQUIRE(set->policies.size() == 1);
    const Policy& p = set->policies[0];
    REQUIRE(p.principals.units.size() == 2);
    CHECK(p.principals.units[0].name == "walinuxagent.service");
    CHECK(p.principals.units[0].may_run == std::vector<std::string>{"/usr/sbin/ip", "/usr/bin/systemctl"});
    CHECK(p.principals.units[0].place.text() == "f:10:11");
    CHECK(p.principals.units[1].name == "plain.service");
    CHECK(p.principals.units[1].may_run.empty());
    const Requirements& r = p.require;
    CHECK(r.admission.value == Admission::gate);
    CHECK(r.admission.place.text() == "f:16:14");
    CHECK(r.engineer.location->text() == "f:18:15");
    CHECK(r.engineer.country.allow->value == std::vector<std::string>{"US"});
    CHECK(r.engineer.country.allow->place.text() == "f:18:23");
    CHECK(r.engineer.country.deny->value == std::vector<std::string>{"CN", "RU", "IR", "KP"});
    CHECK(r.engineer.location_max_age->value == 12 * 3600);
    CHECK(r.engineer.location_asserted_by->value == std::vector<std::string>{"device-posture", "facility"});
    CHECK(r.engineer.citizenship.allow->value == std::vector<std::string>{"US"});
    CHECK(r.engineer.citizenship.deny->value == std::vector<std::string>{"KP"});
    CHECK(r.engineer.screening->value == std::vector<std::string>{"tier3"});
    CHECK(r.escort.required.value);
    CHECK(r.escort.required.place.text() == "f:22:15");
    CHECK(r.escort.has_unless);
    CHECK(r.escort.unless_citizenship == std::vector<std::string>{"US"});
    CHECK(r.escort.unless_screening == std::vector<std::string>{"tier5"});
    CHECK(r.escort.lease->value == 30);
    CHECK(r.escort.absent.value == Absent::freeze);
    CHECK(r.escort.absent.place.text() == "f:24:13");
    CHECK(r.escort.grace->value == 120);
    CHECK(r.approvers_min->value == 1);
    CHECK(r.ticket->value == "INC[0-9]{7}");
    CHECK(r.source->value == std::vector<std::string>{"203.0.113.0/24"});
    CHECK(r.bind_source->text() == "f:29:10");
    CHECK(r.bind_ssh_key->text() == "f:29:18");
    CHECK(r.max_duration->value == 4 * 3600);
    CHECK(r.idle_timeout->value == 15 * 60);
    CHECK(r.max_sessions->value == 1);
    CHECK(p.break_glass.value);
    CHECK(p.break_glass.place.text() == "f:33:14");
    CHECK(p.user_manager.value == UserManager::deny);
    CHECK(p.user_manager.place.line == 36);
    CHECK(p.on_violation.value == Violation::freeze);
    CHECK(p.record.exec_per_minute.value == 600);
    CHECK(p.record.exec_per_minute.place.line == 40);
    CHECK_FALSE(p.record.arguments.value);
    CHECK(p.record.arguments.place.line == 40);
    CHECK(p.notify_before_expiry->value == 5 * 60);
}

TEST_CASE("contract: the example cut after every byte is refused or whole, never worse") {
    const std::string whole = contract_example();
    for (std::size_t end = 0; end < whole.size(); ++end) {
        Diagnostics out;
        const auto set = parse_policies({{"f", "f", whole.substr(0, end)}}, out);
        CHECK(set.has_value() != has_errors(out));
    }
}

TEST_CASE("contract: the example with bytes replaced is refused or whole, never worse") {
    const std::string whole = contract_example();
    const std::string replacements = "\"[}:\n\t&\x04-'";
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string changed = whole;
        changed[at] = replacements[at % replacements.size()];
        Diagnostics out;
        const auto set = parse_policies({{"f", "f", changed}}, out);
        CHECK(set.has_value() != has_errors(out));
    }
}
