// Values of `require:` and of units, one by one: what is refused, where, and how it is said.
#include "policy/complaints.h"
#include "policy/load.h"
#include "policy/patterns.h"
#include "policy/values.h"

#include <chrono>
#include <doctest/doctest.h>

using namespace escort;
using namespace escort::test;

namespace {

// Line 4 from column 11 on is what the test is about.
std::string require(const std::string& keys) {
    return complaints("version: 1\npolicy: p\nprincipals: {users: [a]}\nrequire: {" + keys + "}\n");
}

std::string units(const std::string& list, const std::string& rest = "") {
    return complaints("version: 1\npolicy: p\nprincipals:\n  units: " + list + "\n" + rest);
}

} // namespace

TEST_CASE("values: networks") {
    for (const char* good : {"203.0.113.0/24", "0.0.0.0/0", "10.1.2.3/32", "2001:db8::/32", "::/0",
                             "2001:db8::1/128", "::ffff:10.0.0.0/104"})
        CHECK(wrong_network(good).why == "");
    const std::string why = "is no network such as 203.0.113.0/24 or 2001:db8::/32";
    for (const char* bad :
         {"", "/", "/24", "203.0.113.0/", "203.0.113.0/33", "203.0.113.0/-1", "203.0.113.0/+8",
          "203.0.113.0/024", "203.0.113.0/24/24", "203.0.113/24", "203.0.113.0/24 ", "::/129", "host/24",
          "203.0.113.0/255.255.255.0", "fe80::1%eth0/64", "203.0.113.0/4294967320"}) {
        CAPTURE(bad);
        CHECK(wrong_network(bad).why == why);
        CHECK(wrong_network(bad).hint == "");
    }
    CHECK(wrong_network("203.0.113.7").hint == "for one address write 203.0.113.7/32");
    CHECK(wrong_network("2001:db8::1").hint == "for one address write 2001:db8::1/128");
    CHECK(wrong_network("203.0.113.7/24").why == "has bits set behind its length, 24");
    CHECK(wrong_network("203.0.113.7/24").hint == "the network is 203.0.113.0/24");
    CHECK(wrong_network("203.0.113.128/25").why == "");
    CHECK(wrong_network("203.0.113.128/24").hint == "the network is 203.0.113.0/24");
    CHECK(wrong_network("2001:db8::1/32").hint == "the network is 2001:db8::/32");
    CHECK(require("source: [203.0.113.7/24]") == "f:4:20: error: require.source: \"203.0.113.7/24\" has bits "
                                                 "set behind its length, 24 (the network is 203.0.113.0/24)");
    CHECK(require("source: [203.0.113.0/24, all]") == "f:4:36: error: require.source: \"all\" " + why);
    CHECK(require("source: [10.0.0.0/8, '2001:db8::/32']") == "");
}

TEST_CASE("values: countries") {
    const std::string why = "is no country code: two capital letters (ISO 3166-1 alpha-2)";
    for (const char* bad : {"", "us", "USA", "U", "U1", "Us"})
        CHECK(wrong_country(bad) == why);
    CHECK(wrong_country("US") == "");
    for (const char* known : {"US", "NO", "AD", "ZW", "XK", "ZZ", "AA", "QM", "QZ"})
        CHECK(is_country(known));
    for (const char* unknown : {"UK", "EU", "QL", "SU", "D ", " A", "A", ""})
        CHECK_FALSE(is_country(unknown));
    CHECK(require("engineer: {location: {allow: [us]}}") ==
          "f:4:41: error: require.engineer.location.allow: \"us\" " + why);
    CHECK(require("engineer: {location: {deny: [CN, russia]}}") ==
          "f:4:44: error: require.engineer.location.deny: \"russia\" " + why);
    CHECK(require("engineer: {citizenship: {allow: [usa]}}") ==
          "f:4:44: error: require.engineer.citizenship.allow: \"usa\" " + why);
    CHECK(require("engineer: {citizenship: {deny: [k]}}") ==
          "f:4:43: error: require.engineer.citizenship.deny: \"k\" " + why);
    CHECK(require("escort: {required: {unless: {citizenship: [k]}}}") ==
          "f:4:54: error: require.escort.required.unless.citizenship: \"k\" " + why);
    // Norway is no boolean (YAML 1.2).
    CHECK(require("engineer: {citizenship: {allow: [NO]}}") == "");
}

TEST_CASE("values: patterns") {
    CHECK(wrong_pattern("INC[0-9]{7}") == "");
    CHECK(wrong_pattern("^(INC|CHG)\\d+$") == "");
    for (const char* bad : {"(", "[z-a]", "*", "a{"})
        CHECK(wrong_pattern(bad).find("is no regular expression: ") == 0);
    CHECK(wrong_pattern("(a)\\1") != "");
    CHECK(wrong_pattern(std::string(256, 'a')) == "");
    CHECK(wrong_pattern(std::string(257, 'a')) == "is longer than 256 characters");
    const std::string much = "repeats too much: written out it has more than 1024 characters";
    CHECK(wrong_pattern("a{1024}") == "");
    CHECK(wrong_pattern("a{1025}") == much);
    CHECK(wrong_pattern("a{0,1025}") == much);
    CHECK(wrong_pattern("(a{30}){30}") == "");
    CHECK(wrong_pattern("(a{40}){40}") == much);
    CHECK(wrong_pattern("a{40}{40}") == much);
    CHECK(wrong_pattern("(((((a?b?){5}){5}){5}){5}){5}") == much);
    CHECK(wrong_pattern("[{9]{1000}") == "");
    CHECK(wrong_pattern("[\\]{9]{1000}") == "");
    CHECK(wrong_pattern("\\[{1025}") == much);
    CHECK(wrong_pattern("a{99999999999999999999999}") == much);
    CHECK(wrong_pattern("[a]{1000}[b]{1000}") == much);
    CHECK(require("ticket: 'INC('").find("f:4:19: error: require.ticket: \"INC(\" is no regular") == 0);
    CHECK(require("ticket: 'INC[0-9]{7}'") == "");
}

TEST_CASE("values: the worst patterns that are taken are compiled in no time") {
    const auto begin = std::chrono::steady_clock::now();
    for (const char* pattern : {"((((a?){4}){4}){4})", "(a?){300}", "(a*)*(a|aa)+(.*.*.*)*", "(a?b?){200}"})
        CHECK(wrong_pattern(pattern) == "");
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20)); // some 20 ms when not starved
}

TEST_CASE("values: programs of units") {
    for (const char* good :
         {"/usr/sbin/ip", "/usr/bin/python3*", "/opt/x y/[ab]", "/bin/sh -c which?getenforce", "/a"})
        CHECK(wrong_program(good) == "");
    CHECK(wrong_program("ip") == "is no absolute path");
    CHECK(wrong_program("") == "is no absolute path");
    for (const char* bad : {"/", "/usr/sbin/", "//usr", "/usr/./ip", "/usr/../ip", "/usr/..", "/."})
        CHECK(wrong_program(bad) == "is no plain path of a program");
    CHECK(wrong_program("/bin/a\x01") == "holds a control character");
    CHECK(wrong_program("/" + std::string(126, 'x')) == "");
    CHECK(wrong_program("/" + std::string(127, 'x')) == "is longer than 127 bytes");
    CHECK(wrong_program("/" + std::string(112, 'x') + "[0-9]") == "");
    CHECK(wrong_program("/" + std::string(113, 'x') + "[0-9]") == "is longer than 127 bytes");
    CHECK(wrong_program("/" + std::string(125, 'x') + "[") == "");
    CHECK(wrong_program("/a -u bin/Agent-*.egg ../x //") == ""); // arguments are no paths
    CHECK(wrong_program("/a\nb") == "holds a control character");
    const std::string bracket = "holds a bracket with a named class or more than 6 ranges";
    CHECK(wrong_program("/[[:digit:]]") == bracket);
    CHECK(wrong_program("/[abcdefg]") == bracket);
    CHECK(wrong_program("/[a-z0-9cdef]") == "");
    CHECK(wrong_program("/[!abcdef]") == "");
    CHECK(wrong_program("/[]abcde]") == "");
    CHECK(units("[{name: a.service, may_run: [ip]}]") ==
          "f:4:39: error: principals.units.may_run: \"ip\" is no absolute path");
    CHECK(units("[a]") == "f:4:11: error: principals.units: \"a\" is no name of a service, such as "
                          "puppet.service");
    CHECK(units("[{name: a}]") == "f:4:18: error: principals.units: \"a\" is no name of a service, such as "
                                  "puppet.service");
    CHECK(units("[{may_run: [/a]}]") == "f:4:11: error: an item of principals.units has no name");
    CHECK(units("[a.service, {name: b.service, may_run: []}]") == "");
}

TEST_CASE("values: counts, durations and what must not be empty") {
    struct Row {
        std::string keys;
        std::string complaint;
    };
    const Row rows[] = {
        {"max_sessions: 0", "f:4:25: error: require.max_sessions must be 1 to 1000000"},
        {"max_sessions: 1000001", "f:4:25: error: require.max_sessions must be 1 to 1000000"},
        {"max_sessions: 1000000", ""},
        {"approvers: {min: 0}", "f:4:28: error: require.approvers.min must be 1 to 64"},
        {"approvers: {min: 65}", "f:4:28: error: require.approvers.min must be 1 to 64"},
        {"approvers: {min: 64}", ""},
        {"approvers: {}", ""},
        {"max_duration: 0s", "f:4:25: error: require.max_duration must be longer than nothing"},
        {"idle_timeout: 0m", "f:4:25: error: require.idle_timeout must be longer than nothing"},
        {"max_duration: 366h", ""},
        {"max_duration: 9000h", "f:4:25: error: require.max_duration must be a duration such as 30s, 5m or "
                                "2h, found \"9000h\""},
        {"escort: {required: true, lease: 0s}",
         "f:4:43: error: require.escort.lease must be longer than nothing"},
        {"escort: {required: true, grace: 0s}",
         "f:4:43: error: require.escort.grace must be longer than nothing"},
        {"engineer: {location: {max_age: 0h}}",
         "f:4:42: error: require.engineer.location.max_age must be longer than nothing"},
        {"escort: {required: {}}",
         "f:4:30: error: require.escort.required has no unless (or write required: true)"},
        {"escort: {required: {unless: {}}}", "f:4:39: error: require.escort.required.unless asks for "
                                             "nothing, so nobody would need an escort (name "
                                             "citizenship or screening)"},
        {"escort: {required: {unless: {screening: []}}}",
         "f:4:39: error: require.escort.required.unless asks for nothing, so nobody would need an escort "
         "(name "
         "citizenship or screening)"},
        {"ticket: ''", "f:4:19: error: require.ticket must be a string, found an empty one"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.keys);
        CHECK(require(row.keys) == row.complaint);
    }
    CHECK(complaints("version: 1\npolicy: p\nprincipals: {users: [a]}\nnotify: {before_expiry: 0s}\n") ==
          "f:4:25: error: notify.before_expiry must be longer than nothing");
}

TEST_CASE("values: words, each of them") {
    const auto read = [](const std::string& rest) {
        Diagnostics out;
        const auto set =
            parse_policies({{"f", "f", "version: 1\npolicy: p\nprincipals: {users: [a]}\n" + rest}}, out);
        REQUIRE(set);
        return set->policies.at(0);
    };
    CHECK(read("on_violation: {default: log}").on_violation.value == Violation::log);
    CHECK(read("on_violation: {default: kill_process}").on_violation.value == Violation::kill_process);
    CHECK(read("on_violation: {default: kill}").on_violation.value == Violation::kill);
    CHECK(read("on_violation: {default: freeze}").on_violation.value == Violation::freeze);
    CHECK(read("break_glass: allow").break_glass.value);
    CHECK_FALSE(read("break_glass: deny").break_glass.value);
    CHECK(read("restrict: {user_manager: allow}").user_manager.value == UserManager::allow);
    CHECK(read("restrict: {user_manager: deny}").user_manager.value == UserManager::deny);
    CHECK(read("restrict: {}").user_manager.value == UserManager::deny);
    CHECK(read("require: {escort: {required: true, absent: kill}}").require.escort.absent.value ==
          Absent::kill);
    CHECK(read("require: {escort: {required: true}}").require.escort.required.value);
    CHECK_FALSE(read("require: {escort: {required: true}}").require.escort.has_unless);
    CHECK_FALSE(read("require: {escort: {required: false}}").require.escort.required.value);
    CHECK(read("require: {bind: [ssh_key]}").require.bind_ssh_key);
    CHECK_FALSE(read("require: {bind: [ssh_key]}").require.bind_source);
    CHECK(read("require: {admission: gate}").require.admission.value == Admission::gate);
}
