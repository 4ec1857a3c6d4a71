#include "policy/show.h"

#include "policy/load.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace escort;

namespace {

PolicySet example() {
    Diagnostics out;
    auto set = parse_policies(
        {{"a.yaml", "/p/a.yaml",
          "version: 1\npolicy: vendor\nprincipals:\n  users: [az]\n  uids: ['5-6', 9]\n  groups: "
          "[g]\nrequire: {admission: window}\non_violation: {default: log}\n"
          "exempt: [{unit: puppet.service, accounts: [az]}]\n"}},
        out);
    REQUIRE(set);
    return *set;
}

std::string padded(const std::string& key, const std::string& value, const std::string& place) {
    const auto wide = [](std::string text, std::size_t width) {
        text.resize(std::max(text.size(), width), ' ');
        return text;
    };
    return "  " + wide(key, 38) + " " + wide(value, 32) + " " + place + "\n";
}

} // namespace

TEST_CASE("show: each rule with the place it came from") {
    auto set = example();
    set.sha256 = "0123";
    CHECK(show_text(set) == "sha256 0123\n"
                            "\n"
                            "policy vendor\n" +
                                padded("mode", "enforce", "(default)") +
                                padded("principals.users", "az", "/p/a.yaml:4:11") +
                                padded("principals.uids", "5-6", "/p/a.yaml:5:10") +
                                padded("principals.uids", "9", "/p/a.yaml:5:17") +
                                padded("principals.groups", "g", "/p/a.yaml:6:12") +
                                padded("require.entries", "sshd, login, su, sudo", "(default)") +
                                padded("require.admission", "window", "/p/a.yaml:7:22") +
                                padded("require.escort.required", "false", "(default)") +
                                padded("break_glass", "allow", "(default)") +
                                padded("restrict.user_manager", "deny", "(default)") +
                                padded("on_violation.default", "log", "/p/a.yaml:8:25") +
                                padded("record.exec_per_minute", "600", "(default)") +
                                padded("record.arguments", "false", "(default)") +
                                padded("exempt", "puppet.service: az", "/p/a.yaml:9:10"));
    CHECK(show_text({}) == "sha256 \nno policy\n");
    CHECK(show_text({{}, true, "ab"}) == "sha256 ab\nno policy, as allow_empty says\n");
}

TEST_CASE("show: the same as JSON") {
    auto set = example();
    set.sha256 = "0123";
    CHECK(show_json(set) == nlohmann::json::parse(R"({"sha256": "0123", "allow_empty": false, "policies": [{
        "name": "vendor", "file": "/p/a.yaml", "line": 2, "column": 9,
        "mode": {"value": "enforce", "file": null, "line": 0, "column": 0},
        "principals": {"users": [{"value": "az", "file": "/p/a.yaml", "line": 4, "column": 11}],
                       "uids": [{"value": "5-6", "file": "/p/a.yaml", "line": 5, "column": 10},
                                {"value": "9", "file": "/p/a.yaml", "line": 5, "column": 17}],
                       "groups": [{"value": "g", "file": "/p/a.yaml", "line": 6, "column": 12}],
                       "units": []},
        "require": {"admission": {"value": "window", "file": "/p/a.yaml", "line": 7, "column": 22},
                    "entries": {"value": ["sshd", "login", "su", "sudo"],
                                "file": null, "line": 0, "column": 0},
                    "escort": {"required": {"value": false, "file": null, "line": 0, "column": 0}}},
        "record": {"exec_per_minute": {"value": 600, "file": null, "line": 0, "column": 0},
                   "arguments": {"value": false, "file": null, "line": 0, "column": 0}},
        "break_glass": {"value": "allow", "file": null, "line": 0, "column": 0},
        "restrict": {"user_manager": {"value": "deny", "file": null, "line": 0, "column": 0}},
        "on_violation": {"default": {"value": "log", "file": "/p/a.yaml", "line": 8, "column": 25}},
        "exempt": [{"unit": "puppet.service", "accounts": ["az"],
                    "file": "/p/a.yaml", "line": 9, "column": 10}]}]})"));
}

TEST_CASE("show: every key of the contract that is supported") {
    Diagnostics out;
    auto set =
        parse_policies({{"f", "f",
                         "version: 1\n"
                         "policy: p\n"
                         "mode: observe\n"
                         "principals:\n"
                         "  units: [{name: a.service, may_run: [/b, /c]}, d.service]\n"
                         "require:\n"
                         "  entries: []\n"
                         "  engineer:\n"
                         "    location: {allow: [US, GB], deny: [KP], max_age: 12h, asserted_by: [x]}\n"
                         "    citizenship: {allow: [US], deny: [CN]}\n"
                         "    screening: [tier3]\n"
                         "  escort:\n"
                         "    required: {unless: {citizenship: [US], screening: [t4, t5]}}\n"
                         "    lease: 90s\n"
                         "    absent: freeze\n"
                         "    grace: 2m\n"
                         "  approvers: {min: 2}\n"
                         "  ticket: 'INC[0-9]'\n"
                         "  source: [10.0.0.0/8]\n"
                         "  max_duration: 120m\n"
                         "  idle_timeout: 15m\n"
                         "  max_sessions: 3\n"
                         "break_glass: deny\n"
                         "restrict: {user_manager: allow}\n"
                         "on_violation: {default: freeze}\n"
                         "notify: {before_expiry: 5m}\n"
                         "exempt: []\n"
                         "record: {exec_per_minute: 0, arguments: true, terminal: false}\n"}},
                       out);
    REQUIRE(set);
    CHECK(show_text(*set).substr(show_text(*set).find("  mode")) ==
          padded("mode", "observe", "f:3:7") +
              padded("principals.units", "a.service may run /b, /c", "f:5:11") +
              padded("principals.units", "d.service", "f:5:49") +
              padded("require.entries", "nothing", "f:7:12") +
              padded("require.admission", "gate", "(default)") +
              padded("require.engineer.location.allow", "US, GB", "f:9:23") +
              padded("require.engineer.location.deny", "KP", "f:9:39") +
              padded("require.engineer.location.max_age", "12h", "f:9:54") +
              padded("require.engineer.location.asserted_by", "x", "f:9:72") +
              padded("require.engineer.citizenship.allow", "US", "f:10:26") +
              padded("require.engineer.citizenship.deny", "CN", "f:10:38") +
              padded("require.engineer.screening", "tier3", "f:11:16") +
              padded("require.escort.required", "unless citizenship US; screening t4, t5", "f:13:15") +
              padded("require.escort.lease", "90s", "f:14:12") +
              padded("require.escort.absent", "freeze", "f:15:13") +
              padded("require.escort.grace", "2m", "f:16:12") +
              padded("require.approvers.min", "2", "f:17:20") +
              padded("require.ticket", "INC[0-9]", "f:18:11") +
              padded("require.source", "10.0.0.0/8", "f:19:11") +
              padded("require.max_duration", "2h", "f:20:17") +
              padded("require.idle_timeout", "15m", "f:21:17") +
              padded("require.max_sessions", "3", "f:22:17") + padded("break_glass", "deny", "f:23:14") +
              padded("restrict.user_manager", "allow", "f:24:26") +
              padded("on_violation.default", "freeze", "f:25:25") +
              padded("record.exec_per_minute", "0", "f:28:27") +
              padded("record.arguments", "true", "f:28:41") +
              padded("notify.before_expiry", "5m", "f:26:25"));
    const auto shown = show_json(*set)["policies"][0];
    CHECK(shown["require"]["escort"]["required"]["value"] ==
          nlohmann::json::parse(R"({"unless": {"citizenship": ["US"], "screening": ["t4", "t5"]}})"));
    CHECK(shown["require"]["engineer"]["location"]["allow"]["value"] == nlohmann::json({"US", "GB"}));
    CHECK(shown["require"]["approvers"]["min"]["value"] == 2);
    CHECK(shown["principals"]["units"] == nlohmann::json::parse(R"([
        {"name": "a.service", "may_run": ["/b", "/c"], "file": "f", "line": 5, "column": 11},
        {"name": "d.service", "may_run": [], "file": "f", "line": 5, "column": 49}])"));
    CHECK(shown["exempt"] == nlohmann::json::array());
}

TEST_CASE("show: what is bound, each at its place") {
    Diagnostics out;
    auto set = parse_policies({{"f", "f",
                                "version: 1\npolicy: p\nprincipals: {users: [a]}\n"
                                "require: {bind: [ssh_key, source]}\n"}},
                              out);
    REQUIRE(set);
    CHECK(show_json(*set)["policies"][0]["require"]["bind"] == nlohmann::json::parse(R"([
        {"value": "source", "file": "f", "line": 4, "column": 27},
        {"value": "ssh_key", "file": "f", "line": 4, "column": 18}])"));
    CHECK(show_text(*set).find(padded("require.bind", "ssh_key", "f:4:18")) != std::string::npos);
}
