#include "policy/principals.h"

#include "policy/load.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

struct Written {
    std::string principals;
    std::string mode = "enforce";
};

PolicySet set_of(const std::vector<Written>& policies) {
    PolicySources sources;
    for (const auto& one : policies) {
        const std::string name = "p" + std::to_string(sources.size());
        sources.push_back({name, name,
                           "version: 1\npolicy: " + name + "\nmode: " + one.mode + "\nprincipals: {" +
                               one.principals + "}\nrequire: {admission: window}\n"});
    }
    Diagnostics out;
    auto set = parse_policies(sources, out);
    REQUIRE(set);
    return *set;
}

AccountsAnswer answer_of(std::vector<Account> accounts) {
    AccountsAnswer answer;
    answer.accounts = std::move(accounts);
    answer.enumerated = true;
    return answer;
}

std::string warnings_of(const ResolvedPrincipals& resolved) {
    std::string all;
    for (const auto& one : resolved.warnings)
        all += one.text() + "\n";
    return all;
}

} // namespace

TEST_CASE("principals: by name, glob, uid and group") {
    const auto set = set_of({{"users: [a, 'v-*'], uids: ['50-51', 4294967294], groups: [g]"}});
    auto answer =
        answer_of({{"a", 10}, {"v-1", 11}, {"w", 12}, {"m", 13, {"g"}}, {"n", 50}, {"b", 14, {"h"}}});
    answer.users["a"] = {LookUp::found, 10};
    answer.groups["g"] = LookUp::found;
    const auto resolved = resolve_principals(set, answer);
    CHECK(warnings_of(resolved) == "");
    CHECK_FALSE(resolved.degraded);
    std::map<std::uint32_t, std::string> names;
    for (const auto& [uid, principal] : resolved.by_uid)
        names[uid] = principal.account;
    CHECK(names == std::map<std::uint32_t, std::string>{
                       {10, "a"}, {11, "v-1"}, {13, "m"}, {50, "n"}, {51, ""}, {4294967294, ""}});
}

TEST_CASE("principals: the first policy governs, but enforce beats observe") {
    const auto set =
        set_of({{"users: [a, b]", "observe"}, {"users: [a]"}, {"users: [a, b]"}, {"uids: [7]", "observe"}});
    auto answer = answer_of({{"a", 1}, {"b", 2}, {"c", 7}});
    answer.users = {{"a", {LookUp::found, 1}}, {"b", {LookUp::found, 2}}};
    const auto resolved = resolve_principals(set, answer);
    CHECK(resolved.by_uid.at(1).policy == 1);
    CHECK(resolved.by_uid.at(2).policy == 2);
    CHECK(resolved.by_uid.at(7).policy == 3);
    CHECK(resolved.by_uid.at(7).account == "c");
    CHECK(governs(set, {"a", 1}) == 1);
    CHECK(governs(set, {"x", 7}) == 3);
    CHECK(governs(set, {"x", 8}) == std::nullopt);
    CHECK(governs_uid(set, 7) == 3);
    CHECK(governs_uid(set, 8) == std::nullopt);
    CHECK(governs_name(set, "b") == 2);
    CHECK(governs_name(set, "x") == std::nullopt);
}

TEST_CASE("principals: two accounts of one uid") {
    const auto set = set_of({{"users: [a]", "observe"}, {"users: [b]"}});
    auto answer = answer_of({{"a", 5}, {"b", 5}});
    answer.users = {{"a", {LookUp::found, 5}}, {"b", {LookUp::found, 5}}};
    const auto resolved = resolve_principals(set, answer);
    CHECK(resolved.by_uid.at(5).policy == 1);
}

TEST_CASE("principals: an account that NSS knows in other letters") {
    const auto set = set_of({{"users: [AzSupport]"}});
    auto answer = answer_of({{"azsupport", 9}});
    answer.users["AzSupport"] = {LookUp::found, 9};
    CHECK(resolve_principals(set, answer).by_uid.at(9).account == "azsupport");
}

TEST_CASE("principals: root is never one") {
    const auto set = set_of({{"users: ['*'], groups: [wheel]"}});
    auto answer = answer_of({{"root", 0, {"wheel"}}, {"toor", 0}, {"a", 1}});
    answer.groups["wheel"] = LookUp::found;
    const auto resolved = resolve_principals(set, answer);
    CHECK(resolved.by_uid.size() == 1);
    CHECK(warnings_of(resolved) == "p0:2:9: warning: account \"root\" is uid 0: root is never a principal\n"
                                   "p0:2:9: warning: account \"toor\" is uid 0: root is never a principal\n");
    CHECK(governs(set, {"root", 0, {"wheel"}}) == std::nullopt);
    CHECK(governs(set, {"new", 77, {"wheel"}}) == 0);
}

TEST_CASE("principals: what doesn't exist and what could not be looked up") {
    const auto set = set_of({{"users: [gone, unsure, 'v-*'], groups: [nogroup, maybe]"}});
    AccountsAnswer answer;
    answer.users = {{"gone", {LookUp::absent, 0}}, {"unsure", {LookUp::failed, 0}}};
    answer.groups = {{"nogroup", LookUp::absent}, {"maybe", LookUp::failed}};
    const auto resolved = resolve_principals(set, answer);
    CHECK(resolved.degraded);
    CHECK(warnings_of(resolved) ==
          "p0:4:22: warning: there is no account \"gone\"\n"
          "p0:4:28: warning: account \"unsure\" could not be looked up: what was known of it still holds\n"
          "p0:4:36: warning: pattern \"v-*\" could not be looked up: what was known of it still holds\n"
          "p0:4:53: warning: there is no group \"nogroup\"\n"
          "p0:4:62: warning: group \"maybe\" could not be looked up: what was known of it still holds\n");
    CHECK_FALSE(resolve_principals(set_of({{"users: [gone]"}}), answer).degraded);
}

TEST_CASE("accounts: the question holds what is written out, globs apart") {
    const auto question =
        question_of(set_of({{"users: [a, 'v-*', b], groups: [g]"}, {"users: [c], groups: [h]"}}));
    CHECK(question.users == std::set<std::string>{"a", "b", "c"});
    CHECK(question.groups == std::set<std::string>{"g", "h"});
}

TEST_CASE("accounts: a failed look-up never removes a principal") {
    const auto set = set_of({{"users: [a, 'v-*'], groups: [g]"}});
    AccountsAnswer good = answer_of({{"a", 1}, {"v-1", 2}, {"m", 3, {"g"}}, {"x", 4}});
    good.users["a"] = {LookUp::found, 1};
    good.groups["g"] = LookUp::found;
    const auto uids = [&](const AccountsAnswer& answer) {
        std::set<std::uint32_t> all;
        for (const auto& [uid, principal] : resolve_principals(set, answer).by_uid)
            all.insert(uid);
        return all;
    };
    CHECK(uids(good) == std::set<std::uint32_t>{1, 2, 3});

    SUBCASE("everything fails, again and again") {
        AccountsAnswer nothing;
        nothing.users["a"] = {};
        nothing.groups["g"] = LookUp::failed;
        auto last = good;
        for (int i = 0; i < 3; ++i)
            last = merge(last, nothing);
        CHECK(uids(last) == std::set<std::uint32_t>{1, 2, 3});
        CHECK(resolve_principals(set, last).degraded);
    }
    SUBCASE("only the directory's account fails") {
        AccountsAnswer fresh = answer_of({{"m", 3, {"g"}}});
        fresh.users["a"] = {};
        fresh.groups["g"] = LookUp::found;
        CHECK(uids(merge(merge(good, fresh), fresh)) == std::set<std::uint32_t>{1, 3});
    }
    SUBCASE("only the group fails") {
        AccountsAnswer fresh = answer_of({{"a", 1}, {"m", 3}, {"new", 5}});
        fresh.users["a"] = {LookUp::found, 1};
        fresh.groups["g"] = LookUp::failed;
        CHECK(uids(merge(good, fresh)) == std::set<std::uint32_t>{1, 3});
    }
    SUBCASE("passwd can't be read to its end") {
        AccountsAnswer fresh;
        fresh.users["a"] = {LookUp::absent, 0};
        fresh.groups["g"] = LookUp::found;
        CHECK(uids(merge(good, fresh)) == std::set<std::uint32_t>{2, 3});
    }
    SUBCASE("what is surely gone goes") {
        AccountsAnswer fresh = answer_of({{"v-1", 2}, {"m", 3}});
        fresh.users["a"] = {LookUp::absent, 0};
        fresh.groups["g"] = LookUp::found;
        CHECK(uids(merge(good, fresh)) == std::set<std::uint32_t>{2});
    }
    SUBCASE("an account known under other letters") {
        AccountsAnswer last = answer_of({{"aa", 1}});
        last.users["a"] = {LookUp::found, 1};
        AccountsAnswer fresh = answer_of({});
        fresh.users["a"] = {};
        fresh.groups["g"] = LookUp::absent;
        CHECK(uids(merge(last, fresh)) == std::set<std::uint32_t>{1});
    }
}
