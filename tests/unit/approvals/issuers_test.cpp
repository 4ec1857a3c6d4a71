#include "approvals/judge.h"

#include "documents.h"

using namespace escort;
using namespace escort::test;

namespace {

std::string judgement(const std::string& jws, const TrustSet& trust, const IssuerRules& rules) {
    DocumentFacts facts;
    const auto list = judge_document(jws, trust, rules, facts);
    return list ? "accepted" : to_string(list.error().code);
}

IssuerRule rule(std::vector<std::string> keys,
                std::optional<std::vector<std::string>> accounts = std::nullopt) {
    return {kIss, std::move(keys), {"approvals"}, std::move(accounts), {}};
}

} // namespace

TEST_CASE("issuers: without the setting any trusted key may speak for any issuer") {
    const SigningKey key = make_key();
    CHECK(judgement(sign(key, list_of(1, {approval("a")})), trust_of(key), std::nullopt) == "accepted");
}

TEST_CASE("issuers: iss, key and type must stand in one entry") {
    const SigningKey key = make_key();
    const SigningKey other = make_key();
    TrustSet trust = trust_of(key, "broker.pem");
    trust.keys.push_back(trusted(other, "other.pem"));
    const std::string jws = sign(key, list_of(1, {approval("a")}));
    const auto with = [&](std::vector<IssuerRule> rules) { return judgement(jws, trust, rules); };
    CHECK(with({rule({"broker.pem"})}) == "accepted");
    CHECK(with({rule({"x.pem", "broker.pem"})}) == "accepted");
    CHECK(with({}) == "issuer_not_allowed");
    CHECK(with({rule({"other.pem"})}) == "issuer_not_allowed");
    CHECK(with({rule({})}) == "issuer_not_allowed");
    CHECK(with({{"https://broker.example.gov/", {"broker.pem"}, {"approvals"}, {}, {}}}) ==
          "issuer_not_allowed");
    CHECK(with({{kIss, {"broker.pem"}, {"presence", "revocation"}, {}, {}}}) == "issuer_not_allowed");
    CHECK(with({{"https://x", {"broker.pem"}, {"approvals"}, {}, {}}, rule({"other.pem"})}) ==
          "issuer_not_allowed");
    CHECK(with({rule({"other.pem"}), rule({"broker.pem"})}) == "accepted");
    trust.keys.push_back(trusted(key, "broker-again.pem")); // the same key under two names
    CHECK(with({rule({"broker-again.pem"})}) == "accepted");
}

TEST_CASE("issuers: accounts bound what it may approve; one outside refuses the list and is named") {
    const SigningKey key = make_key();
    const TrustSet trust = trust_of(key);
    const auto with = [&](std::optional<std::vector<std::string>> globs, std::vector<Approval> approvals) {
        return judgement(sign(key, list_of(1, std::move(approvals))), trust,
                         std::vector{rule({"broker.pem"}, std::move(globs))});
    };
    Approval also = approval("b");
    also.also = {"azother", "vendor-1"};
    Approval unit = approval("c");
    unit.account.clear();
    unit.unit = "walinuxagent.service";
    CHECK(with(std::nullopt, {approval("a", "anyone"), unit}) == "accepted");
    CHECK(with({{"az*"}}, {approval("a", "azsupport")}) == "accepted");
    CHECK(with({{"az*"}}, {approval("a", "azsupport"), approval("b", "root")}) == "account_not_allowed");
    CHECK(with({{"az*"}}, {also}) == "account_not_allowed");
    CHECK(with({{"az*", "vendor-?"}}, {also}) == "accepted");
    CHECK(with({{"*"}}, {unit}) == "account_not_allowed");
    CHECK(with(std::vector<std::string>{}, {approval("a")}) == "account_not_allowed");
    CHECK(with(std::vector<std::string>{}, {}) == "accepted");

    DocumentFacts facts;
    const auto refused =
        judge_document(sign(key, list_of(7, {approval("a", "azsupport"), approval("bad", "root")})), trust,
                       std::vector{rule({"broker.pem"}, {{"az*"}})}, facts);
    CHECK(refused.error().text ==
          "approvals[1].account: 'https://broker.example.gov' may not approve 'root' (approval bad)");
    CHECK(facts.seq == 7u);
}

TEST_CASE("judging: signature first, then type, issuer, and only then the payload") {
    const SigningKey key = make_key();
    const TrustSet trust = trust_of(key);
    const IssuerRules none = std::vector<IssuerRule>{};
    const std::string jws = sign(key, "not JSON at all");
    CHECK(judgement(jws, trust, none) == "malformed"); // no iss to be judged by
    CHECK(judgement(jws, TrustSet{}, none) == "untrusted_key");
    CHECK(judgement(sign(key, "not JSON", "escort-presence+jwt"), trust, none) == "malformed");
    CHECK(judgement(sign(key, "not JSON", "escort-other+jwt"), trust, none) == "unsupported");
    CHECK(judgement(sign(key, R"({"iss":"x", rubbish)"), trust, none) == "issuer_not_allowed");
    CHECK(judgement(sign(key, R"({"iss":"x", rubbish)"), trust, std::nullopt) == "malformed");
    CHECK(judgement(sign(key, R"({"a":{"iss":"inner"},"b":["iss"],"iss":"x"})"), trust, none) ==
          "issuer_not_allowed");
    CHECK(judgement(sign(key, R"({"iss":{"iss":"x"}})"), trust, none) == "invalid");
    // The first iss is the one that is judged; a second is refused.
    std::string twice = to_payload(list_of(1, {approval("a")}));
    twice.insert(twice.size() - 1, R"(,"iss":"https://allowed.example")");
    CHECK(judgement(sign(key, twice), trust, std::vector{rule({"broker.pem"})}) == "invalid");
    CHECK(judgement(
              sign(key, twice), trust,
              std::vector{IssuerRule{"https://allowed.example", {"broker.pem"}, {"approvals"}, {}, {}}}) ==
          "issuer_not_allowed");
}

TEST_CASE("judging: the facts say no more than what is proven") {
    const SigningKey key = make_key();
    const std::string jws = sign(key, list_of(3, {approval("a")}));
    DocumentFacts unproven;
    CHECK_FALSE(judge_document(jws, TrustSet{}, std::nullopt, unproven));
    CHECK(unproven.sha256 == sha256_hex(jws));
    CHECK(unproven.issuer.empty());
    CHECK(unproven.key.empty());
    CHECK_FALSE(unproven.seq);
    DocumentFacts proven;
    const auto document = judge_document(jws, trust_of(key), std::nullopt, proven);
    REQUIRE(document.has_value());
    const auto* list = std::get_if<ApprovalList>(&*document);
    REQUIRE(list != nullptr);
    CHECK(proven.key == key.thumbprint);
    CHECK(proven.issuer == kIss);
    CHECK(proven.audience == "host:i-0abc");
    CHECK(proven.seq == 3u);
    CHECK(list->sha256 == proven.sha256);
    CHECK(list->key == key.thumbprint);
}
