#include "nss/protocol.h"

#include <doctest/doctest.h>

using namespace escort;

TEST_CASE("nss protocol: questions come out as they went in") {
    const auto accounts = decode_question(encode_question(AccountsQuestion{{"a", "b\n\"c"}, {"g"}}));
    REQUIRE(accounts);
    CHECK(std::get<AccountsQuestion>(*accounts).users == std::set<std::string>{"a", "b\n\"c"});
    CHECK(std::get<AccountsQuestion>(*accounts).groups == std::set<std::string>{"g"});
    const auto uid = decode_question(encode_question(UidQuestion{4294967294}));
    REQUIRE(uid);
    CHECK(std::get<UidQuestion>(*uid).uid == 4294967294);
    const auto name = decode_question(encode_question(NameQuestion{"x"}));
    REQUIRE(name);
    CHECK(std::get<NameQuestion>(*name).name == "x");
    CHECK(encode_question(AccountsQuestion{{"b\n"}, {}}).find('\n') == std::string::npos);
}

TEST_CASE("nss protocol: answers come out as they went in") {
    AccountsAnswer answer;
    answer.accounts = {{"a", 5, {"g", "h"}}, {"b", 6}};
    answer.users = {{"a", {LookUp::found, 5}}, {"x", {LookUp::absent, 0}}, {"y", {LookUp::failed, 7}}};
    answer.groups = {{"g", LookUp::found}, {"z", LookUp::failed}, {"w", LookUp::absent}};
    answer.enumerated = true;
    const auto back = decode_accounts(encode_accounts(answer));
    REQUIRE(back);
    CHECK(encode_accounts(*back) == encode_accounts(answer));
    CHECK(back->accounts.at(0).groups == std::set<std::string>{"g", "h"});
    CHECK(back->users.at("y").uid == 7);
    CHECK(back->users.at("y").state == LookUp::failed);
    CHECK(back->groups.at("w") == LookUp::absent);
    CHECK(back->enumerated);

    const auto account = decode_account(encode_account(std::optional(Account{"a", 5, {"g"}})));
    REQUIRE(account);
    CHECK((*account)->groups == std::set<std::string>{"g"});
    CHECK_FALSE(*decode_account(encode_account(std::optional<Account>{})));
    const auto error = decode_account(encode_account(fail("x", "look-up failed: why")));
    REQUIRE_FALSE(error);
    CHECK(error.error().why == "x: look-up failed: why");
}

TEST_CASE("nss protocol: a name that isn't UTF-8 does no harm") {
    const auto line = encode_account(std::optional(Account{"a\xff", 5, {}}));
    const auto back = decode_account(line);
    REQUIRE(back);
    CHECK((*back)->uid == 5);
}

TEST_CASE("nss protocol: nonsense is an error") {
    for (const char* line :
         {"", "x", "{}", "[]", "null", R"({"op":"rm"})", R"({"op":"uid"})", R"({"op":"uid","uid":"1"})",
          R"({"op":5})", R"({"op":"accounts","users":5,"groups":[]})"}) {
        CAPTURE(line);
        CHECK_FALSE(decode_question(line));
        CHECK_FALSE(decode_accounts(line));
        CHECK_FALSE(decode_account(line));
    }
}

TEST_CASE("nss protocol: a number that is no uid becomes none") {
    for (const std::string number : {"-1", "1.5", "1e90", "4294967296", "18446744073709551616", "true"}) {
        CAPTURE(number);
        CHECK_FALSE(decode_question(R"({"op":"uid","uid":)" + number + "}"));
        CHECK_FALSE(decode_account(R"({"account":{"name":"a","groups":[],"uid":)" + number + "}}"));
        CHECK_FALSE(decode_accounts(R"({"accounts":[],"groups":{},"enumerated":true,"users":{"a":)"
                                    R"({"state":"found","uid":)" +
                                    number + "}}}"));
    }
}
