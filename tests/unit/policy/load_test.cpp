#include "policy/load.h"

#include "base/file.h"
#include "policy/check.h"
#include "policy/complaints.h"
#include "policy/read_policy.h"
#include "policy/schema.h"
#include "temp_folder.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <functional>
#include <sys/stat.h>

using namespace escort;
using namespace escort::test;

namespace {

const std::string kGood = "version: 1\npolicy: p\nprincipals: {users: [a]}\nrequire: {admission: window}\n";

PolicySet accepted(const std::string& text) {
    Diagnostics out;
    auto set = parse_policies({{"f", "f", text}}, out);
    CHECK(all_of(out) == "");
    REQUIRE(set);
    return *set;
}

std::string policy(const std::string& name, const std::string& principals,
                   const std::string& mode = "enforce") {
    return "version: 1\npolicy: " + name + "\nmode: " + mode + "\nprincipals: {" + principals +
           "}\nrequire: {admission: window}\n";
}

} // namespace

TEST_CASE("load: a whole policy") {
    const auto set = accepted("version: 1\n"
                              "policy: vendor\n"
                              "mode: observe\n"
                              "principals:\n"
                              "  users: [azsupport, 'vendor-*', 'CORP\\eve']\n"
                              "  uids: [\"60000-60099\", 1001, '4294967294']\n"
                              "  groups: [cloud-support, domain users]\n"
                              "require: {admission: window, entries: [sshd, cron]}\n"
                              "on_violation: {default: log}\n"
                              "exempt:\n"
                              "  - {unit: puppet.service, accounts: [azsupport]}\n"
                              "  - {unit: 'foo@a\\x2db.service'}\n");
    REQUIRE(set.policies.size() == 1);
    const Policy& p = set.policies[0];
    CHECK(p.name == "vendor");
    CHECK(p.place.text() == "f:2:9");
    CHECK(p.mode.value == Mode::observe);
    CHECK(p.mode.place.text() == "f:3:7");
    REQUIRE(p.principals.users.size() == 3);
    CHECK(p.principals.users[1].value == "vendor-*");
    CHECK(p.principals.users[1].place.text() == "f:5:22");
    REQUIRE(p.principals.uids.size() == 3);
    CHECK(p.principals.uids[0].value.first == 60000);
    CHECK(p.principals.uids[0].value.last == 60099);
    CHECK(p.principals.uids[1].value.last == 1001);
    CHECK(p.principals.uids[2].value.last == 4294967294);
    CHECK(p.principals.groups[1].value == "domain users");
    CHECK(p.require.admission.value == Admission::window);
    CHECK(p.require.entries.value == std::set<Entry>{Entry::sshd, Entry::cron});
    CHECK(p.require.entries.place.text() == "f:8:39");
    CHECK(p.on_violation.value == Violation::log);
    REQUIRE(p.exempt.size() == 2);
    CHECK(p.exempt[0].unit == "puppet.service");
    CHECK(p.exempt[0].accounts == std::vector<std::string>{"azsupport"});
    CHECK(p.exempt[1].accounts.empty());
    CHECK(p.exempt[1].place.text() == "f:12:5");
}

TEST_CASE("load: what holds where a key is absent") {
    const auto set = accepted(kGood);
    const Policy& p = set.policies.at(0);
    CHECK(p.mode.value == Mode::enforce);
    CHECK(p.mode.place.file.empty());
    CHECK(p.require.entries.value == std::set<Entry>{Entry::sshd, Entry::login, Entry::su, Entry::sudo});
    CHECK(p.on_violation.value == Violation::kill);
    CHECK(p.break_glass.value);
    CHECK(p.user_manager.value == UserManager::deny);
    CHECK_FALSE(p.require.escort.required.value);
    CHECK(p.require.escort.absent.value == Absent::freeze);
    CHECK_FALSE(p.require.engineer.location);
    CHECK_FALSE(p.require.ticket);
    CHECK_FALSE(p.require.max_duration);
    CHECK_FALSE(p.notify_before_expiry);
    const auto gate = accepted("version: 1\npolicy: p\nprincipals: {users: [a]}\n");
    CHECK(gate.policies.at(0).require.admission.value == Admission::gate);
    CHECK(gate.policies.at(0).require.admission.place.file.empty());
    CHECK(accepted("version: 1\npolicy: p\nprincipals: {units: [x.service]}\n").policies.size() == 1);
    REQUIRE(p.exempt.size() == 3);
    CHECK(p.exempt[1].unit == "sssd.service");
    CHECK_FALSE(set.allow_empty);
    CHECK(accepted(kGood + "exempt: []\n").policies.at(0).exempt.empty());
    CHECK(accepted(
              "version: 1\npolicy: p\nprincipals: {uids: [5]}\nrequire: {admission: window, entries: []}\n")
              .policies.at(0)
              .require.entries.value.empty());
}

TEST_CASE("load: what is refused, and where") {
    struct Row {
        std::string text;
        std::string complaint;
    };
    const std::string head = "version: 1\npolicy: p\n";
    const std::string tail = "\nrequire: {admission: window}\n";
    const auto users = [&](const std::string& list) {
        return head + "principals: {users: " + list + "}" + tail;
    };
    const auto uids = [&](const std::string& list) {
        return head + "principals: {uids: " + list + "}" + tail;
    };
    const auto rest = [&](const std::string& line) { return kGood + line + "\n"; };
    const Row rows[] = {
        {"policy: p\nprincipals: {users: [a]}" + tail, "f:1:1: error: version is missing (write version: 1)"},
        {"version: 2\npolicy: p\nprincipals: {users: [a]}" + tail,
         "f:1:10: error: version 2 is not supported: only 1 is"},
        {"version: \"1\"\npolicy: p\nprincipals: {users: [a]}" + tail,
         "f:1:10: error: version must be a whole number, 0 or more, found a string"},
        {"version: 1\nprincipals: {users: [a]}" + tail,
         "f:1:1: error: policy is missing (give the policy a name, unique on this host)"},
        {"version: 1\npolicy: 2026\nprincipals: {users: [a]}" + tail,
         "f:2:9: error: policy must be a string, found a number (put it in quotes to make it a string)"},
        {"version: 1\npolicy: ''\nprincipals: {users: [a]}" + tail,
         "f:2:9: error: policy must be a string, found an empty one"},
        {"version: 1\npolicy:\nprincipals: {users: [a]}" + tail,
         "f:2:1: error: policy must be a string, found nothing"},
        {"version: 1\npolicy: |\n  a\n  b\nprincipals: {users: [a]}" + tail,
         "f:2:9: error: the policy's name must be a single line"},
        {head + "require: {admission: window}\n",
         "f:1:1: error: principals is missing (a policy says whose sessions it governs)"},
        {head + "principals: {}" + tail,
         "f:3:13: error: a policy without principals governs nobody (name users, uids, groups or units)"},
        {head + "principals: {users: [], groups: []}" + tail,
         "f:3:13: error: a policy without principals governs nobody (name users, uids, groups or units)"},
        {head + "principals:" + tail, "f:3:1: error: principals must be a map, found nothing"},
        {users("a"), "f:3:21: error: principals.users must be a list, found a string"},
        {users("[1000]"),
         "f:3:22: error: an item of principals.users must be a string, found a number (put it in "
         "quotes to make it a string)"},
        {users("[root]"), "f:3:22: error: root can't be a principal"},
        {users("['a:b']"),
         "f:3:22: error: principals.users: \"a:b\" holds a character that no account name can have"},
        {users("[' a']"), "f:3:22: error: principals.users: \" a\" starts or ends with a space"},
        {users("[" + std::string(257, 'x') + "]"),
         "f:3:22: error: principals.users: \"" + std::string(60, 'x') + "...\" is longer than 256 bytes"},
        {head + "principals: {groups: ['cloud-*']}" + tail,
         "f:3:23: error: principals.groups: a group is named in full, without * ? ["},
        {uids("[0]"), "f:3:21: error: principals.uids: \"0\" holds uid 0: root can't be a principal"},
        {uids("['0-10']"), "f:3:21: error: principals.uids: \"0-10\" holds uid 0: root can't be a principal"},
        {uids("['9-5']"), "f:3:21: error: principals.uids: \"9-5\" ends before it starts"},
        {uids("[4294967295]"),
         "f:3:21: error: principals.uids: \"4294967295\" is above the highest uid, 4294967294"},
        {uids("['1-99999999999999999999']"),
         "f:3:21: error: principals.uids: \"1-99999999999999999999\" is neither a "
         "uid nor a range such as 60000-60099"},
        {uids("['5 - 6']"),
         "f:3:21: error: principals.uids: \"5 - 6\" is neither a uid nor a range such as 60000-60099"},
        {uids("['5-6-7']"),
         "f:3:21: error: principals.uids: \"5-6-7\" is neither a uid nor a range such as 60000-60099"},
        {uids("[-5]"),
         "f:3:21: error: an item of principals.uids must be a whole number, 0 or more, found \"-5\""},
        {uids("[1.5]"),
         "f:3:21: error: an item of principals.uids must be a string or a whole number, 0 or more, "
         "found a fraction (put it in quotes to make it a string)"},
        {uids("['1-65537']"),
         "f:3:21: error: all policies together hold more than 65536 uids in principals.uids"},
        {head + "principals: {users: [a]}\nrequire: {admission: windw}\n",
         "f:4:22: error: require.admission must be one of gate, window, found \"windw\" (did you mean "
         "\"window\"?)"},
        {head + "principals: {users: [a]}\nrequire: {admission: window, entries: [unit]}\n",
         "f:4:40: error: an item of require.entries must be one of sshd, login, su, sudo, cron, at, systemd, "
         "found "
         "\"unit\""},
        {head + "principals: {users: [a]}\nrequire: {admission: window, entries: [existing, other]}\n",
         "f:4:40: error: an item of require.entries must be one of sshd, login, su, sudo, cron, at, systemd, "
         "found "
         "\"existing\"\n"
         "f:4:50: error: an item of require.entries must be one of sshd, login, su, sudo, cron, at, systemd, "
         "found "
         "\"other\""},
        {rest("mode: enfore"),
         "f:5:7: error: mode must be one of enforce, observe, found \"enfore\" (did you mean \"enforce\"?)"},
        {rest("mode: true"), "f:5:7: error: mode must be one of enforce, observe, found a boolean"},
        {rest("allow_empty: yes"), "f:5:14: error: allow_empty must be true or false, found a string"},
        {rest("on_violation: kill"), "f:5:15: error: on_violation must be a map, found a string"},
        {rest("on_violation: {default: stop}"), "f:5:25: error: on_violation.default must be one of log, "
                                                "kill_process, kill, freeze, found \"stop\""},
        {rest("on_violation: {defautl: kill}"),
         "f:5:16: error: unknown key \"defautl\" under on_violation (did you mean \"default\"?)"},
        {rest("princpals: {}"), "f:5:1: error: unknown key \"princpals\" (did you mean \"principals\"?)"},
        {rest("something: 1"), "f:5:1: error: unknown key \"something\""},
        {rest("\"" + std::string(100, 'k') + "\": 1"),
         "f:5:1: error: unknown key \"" + std::string(60, 'k') + "...\""},
        {rest("exempt: [puppet.service]"), "f:5:10: error: an item of exempt must be a map, found a string"},
        {rest("exempt: [{accounts: [a]}]"), "f:5:10: error: an item of exempt has no unit"},
        {rest("exempt: [{unit: puppet}]"),
         "f:5:17: error: exempt.unit: \"puppet\" is no name of a service, such as puppet.service"},
        {rest("exempt: [{unit: a/b.service}]"),
         "f:5:17: error: exempt.unit: \"a/b.service\" is no name of a service, such as puppet.service"},
        {rest("exempt: [{unit: " + std::string(56, 'u') + ".service}]"),
         "f:5:17: error: exempt.unit: \"" + std::string(56, 'u') + ".ser...\" is longer than 63 bytes"},
        {rest("exempt: [{unit: a.service, accounts: []}]"),
         "f:5:38: error: exempt.accounts is empty (leave it out for all accounts)"},
        {rest("exempt: [{unit: a.service, accounts: ['x:y']}]"),
         "f:5:39: error: exempt.accounts: \"x:y\" holds a character that no account name can have"},
        {"- a\n", "f:1:1: error: the document must be a map, found a list"},
        {"hello\n", "f:1:1: error: the document must be a map, found a string"},
        {"{}\n", "f:1:1: error: version is missing (write version: 1)\n"
                 "f:1:1: error: policy is missing (give the policy a name, unique on this host)\n"
                 "f:1:1: error: principals is missing (a policy says whose sessions it governs)"},
        {"", "f: error: holds nothing"},
        {"version: 1\nallow_empty: false\n",
         "f:1:1: error: policy is missing (give the policy a name, unique on this host)\n"
         "f:1:1: error: principals is missing (a policy says whose sessions it governs)"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(complaints(row.text) == row.complaint);
    }
}

TEST_CASE("load: a file may only say that an empty set is meant") {
    const auto set = accepted("version: 1\nallow_empty: true\n");
    CHECK(set.allow_empty);
    CHECK(set.policies.empty());
    CHECK(accepted(kGood + "allow_empty: true\n").allow_empty);
}

TEST_CASE("load: rules between the policies of a set") {
    const auto two = [](const std::string& a, const std::string& b) {
        return complaints({{"a", "a", a}, {"b", "b", b}});
    };
    CHECK(two(policy("p", "users: [x]"), policy("p", "users: [y]")) ==
          "b:2:9: error: policy \"p\" is also in a:2:9");
    CHECK(two(policy("p", "users: [x]"), policy("q", "users: [y]")) == "");
    CHECK(two(policy("p", "users: [x]"), policy("q", "users: [y, x]")) ==
          "b:4:25: warning: account \"x\" is also named by policy \"p\" in a:4:22 (policy \"p\" governs it)");
    CHECK(two(policy("p", "users: [x]", "observe"), policy("q", "users: [x]")) ==
          "b:4:22: warning: account \"x\" is also named by policy \"p\" in a:4:22 (policy \"q\" governs it)");
    CHECK(
        two(policy("p", "users: ['v-*']"), policy("q", "users: [v-1]")) ==
        "b:4:22: warning: account \"v-1\" is also named by policy \"p\" in a:4:22 (policy \"p\" governs it)");
    CHECK(
        two(policy("p", "users: [v-1]"), policy("q", "users: ['v-*']")) ==
        "b:4:22: warning: account \"v-1\" is also named by policy \"p\" in a:4:22 (policy \"p\" governs it)");
    CHECK(
        two(policy("p", "users: ['v-*']"), policy("q", "users: ['v-*']")) ==
        "b:4:22: warning: pattern \"v-*\" is also named by policy \"p\" in a:4:22 (policy \"p\" governs it)");
    CHECK(two(policy("p", "groups: [g]"), policy("q", "groups: [g]")) ==
          "b:4:23: warning: group \"g\" is also named by policy \"p\" in a:4:23 (policy \"p\" governs it)");
    CHECK(two(policy("p", "uids: ['10-20']"), policy("q", "uids: ['15-30', 10]")) ==
          "b:4:21: warning: uids 15-20 is also named by policy \"p\" in a:4:21 (policy \"p\" governs it)\n"
          "b:4:30: warning: uid 10 is also named by policy \"p\" in a:4:21 (policy \"p\" governs it)");
    CHECK(two(policy("p", "uids: ['1-65000']"), policy("q", "uids: ['70000-70536']")) ==
          "b:4:21: error: all policies together hold more than 65536 uids in principals.uids");
    CHECK(two(policy("p", "uids: ['1-65000']"), policy("q", "uids: ['70000-70535']")) == "");
}

TEST_CASE("load: more names than are looked up") {
    std::string users = "users: [";
    for (int i = 0; i < 4097; ++i)
        users += "u" + std::to_string(i) + ",";
    const std::string found = complaints(policy("p", users + "]"));
    CHECK(found.ends_with("error: all policies together hold more than 4096 users and groups"));
    CHECK(found.find('\n') == std::string::npos);
}

TEST_CASE("load: diagnostics of all files come together, in order") {
    CHECK(complaints({{"b", "b", "hello"}, {"a", "a", "version: 1\nx: 1\ny: 2\n"}}) ==
          "b:1:1: error: the document must be a map, found a string\n"
          "a:2:1: error: unknown key \"x\"\n"
          "a:3:1: error: unknown key \"y\"");
}

TEST_CASE("load: the fingerprint is over names and bytes") {
    const auto of = [](const PolicySources& sources) {
        Diagnostics out;
        const auto set = parse_policies(sources, out);
        REQUIRE(set);
        return set->sha256;
    };
    const std::string base = of({{"a.yaml", "/x/a.yaml", kGood}});
    CHECK(base.size() == 64);
    CHECK(of({{"a.yaml", "/y/a.yaml", kGood}}) == base);
    CHECK(of({{"b.yaml", "/x/b.yaml", kGood}}) != base);
    CHECK(of({{"a.yaml", "/x/a.yaml", kGood + "#"}}) != base);
    CHECK(of({{"a.yaml", "a", kGood}, {"e.yaml", "e", "{version: 1, allow_empty: true}"}}) != base);
    // SHA-256 of nothing
    CHECK(of({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("load: a folder") {
    const TempFolder folder;
    folder.write("20-b.yaml", policy("b", "users: [b]"));
    folder.write("10-a.yaml", policy("a", "users: [a]"));
    folder.write("30-c.yml", "not read");
    folder.write("note.txt", "not read");
    folder.write(".hidden.yaml", "not read");
    Diagnostics out;
    const auto set = load_policies(folder.path(), out);
    REQUIRE(set);
    REQUIRE(set->policies.size() == 2);
    CHECK(set->policies[0].name == "a");
    CHECK(set->policies[1].place.file == folder.path("20-b.yaml"));
    CHECK(all_of(out) == folder.path("30-c.yml") + ": warning: is not read: policy files end in .yaml");
}

TEST_CASE("load: what can't be read refuses the whole folder") {
    const TempFolder folder;
    folder.write("10-a.yaml", policy("a", "users: [a]"));
    const auto refused = [&] {
        Diagnostics out;
        CHECK_FALSE(load_policies(folder.path(), out));
        return all_of(out);
    };
    REQUIRE(::mkfifo(folder.path("20.yaml").c_str(), 0600) == 0);
    CHECK(refused() == folder.path("20.yaml") + ": error: is not a regular file");
    std::filesystem::remove(folder.path("20.yaml"));
    std::filesystem::create_symlink("/nowhere", folder.path("20.yaml"));
    CHECK(refused() == folder.path("20.yaml") + ": error: open: No such file or directory");
    std::filesystem::remove(folder.path("20.yaml"));
    folder.write("20.yaml", std::string(kYamlBytes + 1, '#'));
    CHECK(refused() == folder.path("20.yaml") + ": error: is larger than 1048576 bytes");
    std::filesystem::remove(folder.path("20.yaml"));
    for (int i = 0; i < 8; ++i)
        folder.write("3" + std::to_string(i) + ".yaml", std::string(kYamlBytes, '#'));
    CHECK(refused() == folder.path() + ": error: holds more than 1000 policy files or 8388608 bytes");

    Diagnostics out;
    CHECK_FALSE(load_policies(folder.path("absent"), out));
    CHECK(all_of(out) == folder.path("absent") + ": error: can't be listed: No such file or directory");
}

TEST_CASE("check: folders are sets, single files are one set") {
    const TempFolder one;
    const TempFolder other;
    one.write("a.yaml", policy("p", "users: [x]"));
    other.write("a.yaml", policy("p", "users: [x]"));
    CHECK(check_policies({one.path(), other.path()}).empty());
    CHECK(all_of(check_policies({one.path("a.yaml"), other.path("a.yaml")})) ==
          other.path("a.yaml") + ":2:9: error: policy \"p\" is also in " + one.path("a.yaml") + ":2:9");
    CHECK(all_of(check_policies({one.path("no.yaml")})) ==
          one.path("no.yaml") + ": error: open: No such file or directory");
    const TempFolder empty;
    CHECK(all_of(check_policies({empty.path()})) ==
          empty.path() + ": warning: holds no policy files (*.yaml)");
}

TEST_CASE("check: the policies that come with the program") {
    const auto folder = std::filesystem::path(__FILE__).parent_path() / "../../../policies";
    Diagnostics out;
    const auto set = load_policies(folder, out);
    CHECK(all_of(out) == "");
    REQUIRE(set);
    REQUIRE(set->policies.size() == 6);
    CHECK(set->policies[0].name == "example");
    CHECK(set->policies[0].mode.value == Mode::observe);
    for (std::size_t i = 1; i < 5; ++i) { // the clouds' guest agents
        CHECK(set->policies[i].mode.value == Mode::observe);
        CHECK_FALSE(set->policies[i].principals.units.empty());
    }
    const Policy& vendor = set->policies[5];
    CHECK(vendor.name == "vendor-support");
    CHECK(vendor.mode.value == Mode::enforce);
    CHECK(vendor.require.admission.value == Admission::gate);
    CHECK(vendor.require.escort.has_unless);
    CHECK(vendor.require.ticket);
    CHECK(vendor.exempt.size() == 4);
}

TEST_CASE("policy: the manual and the man page name every key") {
    const auto root = std::filesystem::path(__FILE__).parent_path() / "../../..";
    const auto manual = read_file(root / "docs/policy.md", kYamlBytes);
    const auto page = read_file(root / "packaging/man/escort-policy.5", kYamlBytes);
    REQUIRE(manual);
    REQUIRE(page);
    const std::function<void(const Shape&)> look = [&](const Shape& shape) {
        for (const auto& part : shape.parts)
            look(part);
        for (const auto& key : shape.keys) {
            CAPTURE(key.name);
            if (key.support == Support::later) continue;
            CHECK(manual->find(key.name) != std::string::npos);
            CHECK(page->find(key.name) != std::string::npos);
            look(key.shape);
        }
    };
    look(policy_shape());
}
