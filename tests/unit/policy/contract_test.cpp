// The contract's own example (§3), every key of it: what works is accepted, all else is refused by name at
// its place, and no cut of the text does harm.
#include "policy/load.h"

#include "base/file.h"
#include "policy/yaml.h"

#include <doctest/doctest.h>
#include <filesystem>

using namespace escort;

namespace {

const std::filesystem::path kHere = std::filesystem::path(__FILE__).parent_path();

std::string contract_example() {
    const auto content = read_file(kHere / "contract_policy.yaml", kYamlBytes);
    REQUIRE(content);
    return *content;
}

std::string complaints(const std::string& text) {
    Diagnostics out;
    const auto set = parse_policies({{"f", "f", text}}, out);
    CHECK(set.has_value() != has_errors(out));
    std::string all;
    for (const auto& one : out)
        all += one.text() + "\n";
    return all;
}

// A policy that is accepted, with room for one more key at the top and under each map.
std::string with(const std::string& top, const std::string& require = "",
                 const std::string& principals = "") {
    return "version: 1\npolicy: p\nprincipals: {users: [a]" + principals + "}\nrequire: {admission: window" +
           require + "}\n" + top;
}

} // namespace

TEST_CASE("contract: its example names everything that isn't supported yet, each at its place") {
    CHECK(complaints(contract_example()) ==
          "f:10:3: error: principals.units is not supported yet\n"
          "f:16:14: error: require.admission: gate is not supported yet\n"
          "f:18:16: error: require.engineer.location.allow is not supported yet\n"
          "f:18:29: error: require.engineer.location.deny is not supported yet\n"
          "f:18:53: error: require.engineer.location.max_age is not supported yet\n"
          "f:18:67: error: require.engineer.location.asserted_by is not supported yet\n"
          "f:19:19: error: require.engineer.citizenship.allow is not supported yet\n"
          "f:19:32: error: require.engineer.citizenship.deny is not supported yet\n"
          "f:20:5: error: require.engineer.screening is not supported yet\n"
          "f:22:25: error: require.escort.required.unless.citizenship is not supported yet\n"
          "f:22:44: error: require.escort.required.unless.screening is not supported yet\n"
          "f:23:5: error: require.escort.lease is not supported yet\n"
          "f:24:5: error: require.escort.absent is not supported yet\n"
          "f:25:5: error: require.escort.grace is not supported yet\n"
          "f:26:15: error: require.approvers.min is not supported yet\n"
          "f:27:3: error: require.ticket is not supported yet\n"
          "f:28:3: error: require.source is not supported yet\n"
          "f:29:3: error: require.bind is not supported yet\n"
          "f:30:3: error: require.max_duration is not supported yet\n"
          "f:31:3: error: require.idle_timeout is not supported yet\n"
          "f:32:3: error: require.max_sessions is not supported yet\n"
          "f:33:1: error: break_glass is not supported yet\n"
          "f:36:10: error: restrict.exec.deny is not supported yet\n"
          "f:36:39: error: restrict.exec.allow is not supported yet\n"
          "f:37:13: error: restrict.network.egress is not supported yet\n"
          "f:37:27: error: restrict.network.allow is not supported yet\n"
          "f:38:11: error: restrict.files.deny is not supported yet\n"
          "f:39:3: error: restrict.forwarding is not supported yet\n"
          "f:40:3: error: restrict.user_manager is not supported yet\n"
          "f:41:3: error: restrict.privilege is not supported yet\n"
          "f:44:12: error: on_violation.default: freeze is not supported yet\n"
          "f:45:3: error: on_violation.restrict is not supported yet\n"
          "f:46:10: error: record.exec_per_minute is not supported yet\n"
          "f:46:32: error: record.arguments is not supported yet\n"
          "f:46:50: error: record.terminal is not supported yet\n"
          "f:48:3: error: notify.before_expiry is not supported yet\n");
}

TEST_CASE("contract: each key that isn't supported yet, alone") {
    struct Row {
        std::string text;
        std::string key;
    };
    std::vector<Row> rows{
        {with("", "", ", units: [x.service]"), "principals.units"},
        {with("break_glass: deny"), "break_glass"},
        {with("restrict: {}"), "restrict"},
        {with("record: {}"), "record"},
        {with("notify: {}"), "notify"},
        {with("", ", engineer: {}"), "require.engineer"},
        {with("", ", escort: {required: true}"), "require.escort.required"},
        {with("on_violation: {restrict: freeze}"), "on_violation.restrict"},
    };
    for (const char* require :
         {"engineer: {location: {allow: [US]}}", "engineer: {location: {deny: [CN]}}",
          "engineer: {location: {max_age: 12h}}", "engineer: {location: {asserted_by: [x]}}",
          "engineer: {citizenship: {allow: [US]}}", "engineer: {screening: [t]}", "escort: {lease: 30s}",
          "escort: {absent: kill}", "escort: {grace: 2m}", "approvers: {min: 0}", "ticket: x", "source: [x]",
          "bind: []", "max_duration: 4h", "idle_timeout: 1m", "max_sessions: 1"}) {
        std::string key = "require";
        for (std::string_view rest = require; !rest.empty() && rest[0] != '[';) {
            key += "." + std::string(rest.substr(0, rest.find(':')));
            const auto deeper = rest.find('{');
            rest = deeper == std::string_view::npos ? "" : rest.substr(deeper + 1);
        }
        rows.push_back({with("", std::string(", ") + require), key});
    }
    for (const char* top : {"exec: {allow: []}", "network: {egress: allow}", "files: {deny: []}",
                            "forwarding: allow", "user_manager: deny", "privilege: deny"})
        rows.push_back({with("restrict: {" + std::string(top) + "}"), "restrict"});
    for (const auto& row : rows) {
        CAPTURE(row.text);
        const std::string found = complaints(row.text);
        CHECK(found.starts_with("f:"));
        CHECK(found.find(": error: " + row.key) != std::string::npos);
        CHECK(found.find(" is not supported yet\n") == found.find('\n') - 21);
    }
}

TEST_CASE("contract: what isn't supported yet still has its type") {
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
        {with("restrict: deny"), "restrict must be a map, found a string"},
        {with("record: {arguments: yes}"), "record.arguments must be true or false, found a string"},
        {with("notify: {before_expiry: 1.5}"),
         "notify.before_expiry must be a duration such as 30s, 5m or 2h, found a fraction"},
        {with("", "", ", units: [{name: [x]}]"), "principals.units.name must be a string, found a list"},
        {with("", "", ", units: [3]"), "an item of principals.units must be a string or a map, found a "
                                       "number (put it in quotes to make it a string)"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(complaints(row.text).find(": error: " + row.complaint + "\n") != std::string::npos);
    }
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
