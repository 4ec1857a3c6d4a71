#include "policy/show.h"

#include "policy/load.h"

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

} // namespace

TEST_CASE("show: each rule with the file and line it came from") {
    auto set = example();
    set.sha256 = "0123";
    CHECK(show_text(set) == "sha256 0123\n"
                            "\n"
                            "policy vendor\n"
                            "  mode                   enforce                          (default)\n"
                            "  principals.users       az                               /p/a.yaml:4\n"
                            "  principals.uids        5-6                              /p/a.yaml:5\n"
                            "  principals.uids        9                                /p/a.yaml:5\n"
                            "  principals.groups      g                                /p/a.yaml:6\n"
                            "  require.admission      window                           /p/a.yaml:7\n"
                            "  require.entries        sshd, login, su, sudo            (default)\n"
                            "  on_violation.default   log                              /p/a.yaml:8\n"
                            "  exempt                 puppet.service: az               /p/a.yaml:9\n");
    CHECK(show_text({}) == "sha256 \nno policy\n");
    CHECK(show_text({{}, true, "ab"}) == "sha256 ab\nno policy, as allow_empty says\n");
}

TEST_CASE("show: the same as JSON") {
    auto set = example();
    set.sha256 = "0123";
    CHECK(show_json(set) == nlohmann::json::parse(R"({"sha256": "0123", "allow_empty": false, "policies": [{
        "name": "vendor", "file": "/p/a.yaml", "line": 2,
        "mode": {"value": "enforce", "file": null, "line": 0},
        "principals": {"users": [{"value": "az", "file": "/p/a.yaml", "line": 4}],
                       "uids": [{"value": "5-6", "file": "/p/a.yaml", "line": 5},
                                {"value": "9", "file": "/p/a.yaml", "line": 5}],
                       "groups": [{"value": "g", "file": "/p/a.yaml", "line": 6}]},
        "require": {"admission": {"value": "window", "file": "/p/a.yaml", "line": 7},
                    "entries": {"value": ["sshd", "login", "su", "sudo"], "file": null, "line": 0}},
        "on_violation": {"default": {"value": "log", "file": "/p/a.yaml", "line": 8}},
        "exempt": [{"unit": "puppet.service", "accounts": ["az"], "file": "/p/a.yaml", "line": 9}]}]})"));
}
