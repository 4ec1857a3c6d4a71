#include "escortctl/broker.h"

#include "fake_daemon.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::ctl;
using namespace escort::ctl::test;

namespace {

Approval approval(const std::string& jti, std::int64_t exp) {
    Approval made;
    made.jti = jti;
    made.account = "azsupport";
    made.nbf = exp - 3600;
    made.exp = exp;
    made.engineer.id = "eng-42";
    return made;
}

} // namespace

TEST_CASE("broker: the first list of a host") {
    const auto list = with_approval(std::nullopt, "host-1", approval("apr-1", kNow + 3600), kNow);
    REQUIRE(list);
    CHECK(list->issuer == "escortctl:host-1");
    CHECK(list->audience == "host:host-1");
    CHECK(list->subject == "local");
    CHECK(list->seq == static_cast<std::uint64_t>(kNow));
    CHECK(list->iat == kNow);
    CHECK(list->exp == kNow + 3600);
    REQUIRE(list->approvals.size() == 1);
    CHECK(list->revoked.empty());
}

TEST_CASE("broker: the next list keeps what is not past, and its end is that of the last approval") {
    const auto first = with_approval(std::nullopt, "h", approval("a", kNow + 60), kNow);
    const auto second = with_approval(*first, "h", approval("b", kNow + 7200), kNow + 10);
    REQUIRE(second);
    CHECK(second->seq == first->seq + 1);
    CHECK(second->approvals.size() == 2);
    CHECK(second->exp == kNow + 7200);
    const auto third = with_approval(*second, "h", approval("c", kNow + 100), kNow + 60); // `a` is past now
    REQUIRE(third);
    REQUIRE(third->approvals.size() == 2);
    CHECK(third->approvals[0].jti == "b");
}

TEST_CASE("broker: a list lives from 5 minutes to 24 hours, and no approval may outlast it") {
    CHECK(list_expiry(kNow, 0) == kNow + 300);
    CHECK(list_expiry(kNow, kNow + 90'000) == kNow + 86'400);
    CHECK(with_approval(std::nullopt, "h", approval("a", kNow + 10), kNow)->exp == kNow + 300);
    CHECK(with_approval(std::nullopt, "h", approval("a", kNow + 86'400), kNow)->exp == kNow + 86'400);
    const auto longer = with_approval(std::nullopt, "h", approval("a", kNow + 86'401), kNow);
    REQUIRE_FALSE(longer);
    CHECK(longer.error().why.find("24 h") != std::string::npos);
    CHECK_FALSE(with_approval(std::nullopt, "h", approval("a", kNow), kNow));
}

TEST_CASE("broker: revoking") {
    const auto first = with_approval(std::nullopt, "h", approval("a", kNow + 3600), kNow);
    const auto none = without_approval(*first, "h", "a", kNow + 5);
    REQUIRE(none);
    CHECK(none->approvals.empty());
    CHECK(none->revoked == std::vector<std::string>{"a"});
    CHECK(none->seq == first->seq + 1);
    CHECK(none->exp == kNow + 305);
    CHECK_FALSE(without_approval(*first, "h", "b", kNow));
    CHECK_FALSE(without_approval(std::nullopt, "h", "a", kNow));
}
