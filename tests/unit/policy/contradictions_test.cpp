#include "policy/contradictions.h"

#include "policy/load.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

std::string warnings(const std::string& rest, const std::string& principals = "users: [a]") {
    Diagnostics out;
    const auto set = parse_policies(
        {{"f", "f", "version: 1\npolicy: p\nprincipals: {" + principals + "}\n" + rest + "\n"}}, out);
    CHECK(set); // warnings never refuse
    std::string all;
    for (const auto& one : out)
        all += (all.empty() ? "" : "\n") + one.text();
    return all;
}

} // namespace

TEST_CASE("contradictions: what is warned of") {
    struct Row {
        std::string rest;
        std::string warning;
    };
    const Row rows[] = {
        {"require: {escort: {lease: 30s}}",
         "f:4:27: warning: require.escort.lease means nothing: no escort is "
         "required (write require.escort.required: true)"},
        {"require: {escort: {required: false, absent: kill}}",
         "f:4:45: warning: require.escort.absent means nothing: no escort is required (write "
         "require.escort.required: true)"},
        {"require: {escort: {grace: 30s}}",
         "f:4:27: warning: require.escort.grace means nothing: no escort is "
         "required (write require.escort.required: true)"},
        {"require: {escort: {required: true, absent: kill, grace: 30s}}",
         "f:4:57: warning: require.escort.grace means nothing with absent: kill (grace is how long a session "
         "may stay frozen)"},
        {"require: {engineer: {location: {allow: []}}}",
         "f:4:40: warning: require.engineer.location.allow is empty: nobody can meet it"},
        {"require: {engineer: {location: {asserted_by: []}}}",
         "f:4:46: warning: require.engineer.location.asserted_by is empty: nobody can meet it"},
        {"require: {engineer: {citizenship: {allow: []}}}",
         "f:4:43: warning: require.engineer.citizenship.allow is empty: nobody can meet it"},
        {"require: {source: []}", "f:4:19: warning: require.source is empty: nobody can meet it"},
        {"require: {engineer: {location: {}}}",
         "f:4:32: warning: require.engineer.location asks for nothing"},
        {"require: {engineer: {location: {deny: [UK]}}}",
         "f:4:39: warning: require.engineer.location.deny: \"UK\" is no country's code in ISO 3166-1 (the "
         "United Kingdom is GB)"},
        {"require: {engineer: {citizenship: {allow: [EU]}}}",
         "f:4:43: warning: require.engineer.citizenship.allow: \"EU\" is no country's code in ISO 3166-1"},
        {"require: {escort: {required: {unless: {citizenship: [EU]}}}}",
         "f:4:30: warning: require.escort.required.unless.citizenship: \"EU\" is no country's code in ISO "
         "3166-1"},
        {"require: {engineer: {citizenship: {allow: [US, GB], deny: [GB]}}}",
         "f:4:59: warning: require.engineer.citizenship.deny: \"GB\" is allowed too (deny outranks allow)"},
        {"require: {entries: [su], bind: [ssh_key]}",
         "f:4:33: warning: require.bind: only sshd proves a key, and require.entries has no sshd"},
        {"require: {entries: [login], bind: [source]}",
         "f:4:36: warning: require.bind: only sshd proves a source, and require.entries has no sshd"},
        {"require: {max_duration: 1h, idle_timeout: 60m}",
         "f:4:43: warning: require.idle_timeout is no shorter than require.max_duration"},
        {"require: {max_duration: 4m}\nnotify: {before_expiry: 5m}",
         "f:5:25: warning: notify.before_expiry is no shorter than require.max_duration"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.rest);
        CHECK(warnings(row.rest) == row.warning);
    }
    CHECK(warnings("require: {bind: [source]}", "users: [a], units: [x.service]") ==
          "f:4:18: warning: require.bind: source is never proven by a session of principals.units (give the "
          "units a policy of their own)");
    CHECK(
        warnings("exempt: [{unit: x.service}]", "units: [x.service]") ==
        "f:4:10: warning: exempt: x.service is also in principals.units (what it opens is a session, exempt "
        "or not)");
}

TEST_CASE("contradictions: what is no contradiction") {
    for (const char* fine :
         {"require: {escort: {required: true, lease: 30s, absent: freeze, grace: 2m}}",
          "require: {escort: {required: {unless: {screening: [tier5]}}, lease: 30s}}",
          "require: {escort: {required: true, absent: kill}}", "require: {entries: []}",
          "require: {bind: [source, ssh_key]}", "require: {entries: [sshd, su], bind: [ssh_key]}",
          "require: {max_duration: 1h, idle_timeout: 15m}", "require: {engineer: {location: {max_age: 1h}}}",
          "require: {engineer: {citizenship: {allow: [US], deny: [KP]}}}",
          "require: {engineer: {location: {deny: []}}}"})
        CHECK(warnings(fine) == "");
    CHECK(warnings("", "units: [sssd.service]") == ""); // the default exemptions are nobody's words
}

TEST_CASE("contradictions: units that several policies name, or one names twice") {
    const auto of = [](const std::string& name, const std::string& units, const std::string& mode) {
        return PolicySource{name, name,
                            "version: 1\npolicy: " + name + "\nmode: " + mode + "\nprincipals: {units: [" +
                                units + "]}\n"};
    };
    const auto all = [](const PolicySources& sources) {
        Diagnostics out;
        const auto set = parse_policies(sources, out);
        CHECK(set.has_value() != has_errors(out));
        std::string text;
        for (const auto& one : out)
            text += (text.empty() ? "" : "\n") + one.text();
        return text;
    };
    CHECK(all({of("a", "x.service", "enforce"), of("b", "y.service", "enforce")}) == "");
    CHECK(all({of("a", "x.service", "observe"), of("b", "{name: x.service}", "enforce")}) ==
          "b:4:22: warning: unit \"x.service\" is also named by policy \"a\" in a:4:22 (policy \"b\" governs "
          "it)");
    CHECK(all({of("a", "x.service, x.service", "enforce")}) ==
          "a:4:33: error: unit \"x.service\" is also in a:4:22");
    std::string many;
    for (int i = 0; i < 33; ++i)
        many += "u" + std::to_string(i) + ".service,";
    CHECK(all({of("a", many, "enforce")})
              .ends_with("error: all policies together hold more than 32 units in principals.units"));
    std::string programs = "{name: x.service, may_run: [";
    for (int i = 0; i < 257; ++i)
        programs += "/p" + std::to_string(i) + ",";
    CHECK(all({of("a", programs + "]}", "enforce")}) ==
          "a:4:22: error: all policies together hold more than 256 programs in may_run");
    std::string exempt = "\nexempt: [";
    for (int i = 0; i < 33; ++i)
        exempt += "{unit: e" + std::to_string(i) + ".service},";
    auto twice = of("a", "x.service", "enforce");
    twice.content += exempt + "]\n";
    CHECK(all({twice}).ends_with("error: all policies together hold more than 32 units in exempt"));
}
