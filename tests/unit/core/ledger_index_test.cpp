// The ledger's ways of finding an approval: by account, by unit, by id, over lists that come and go.
#include "core/ledger.h"
#include "moments.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::test;

namespace {

Approval approval_of(const std::string& jti, const std::string& account, const std::string& unit = "",
                     std::int64_t lasts = 3600) {
    Approval out;
    out.jti = jti;
    out.account = account;
    out.unit = unit;
    out.nbf = kT0;
    out.exp = kT0 + lasts;
    out.engineer.id = "eng-42";
    return out;
}

void give(Ledger& ledger, const std::string& sub, std::uint64_t seq, std::vector<Approval> approvals,
          std::vector<std::string> revoked = {}) {
    ApprovalList list;
    list.issuer = kIss;
    list.audience = "host:h";
    list.subject = sub;
    list.iat = kT0;
    list.exp = kT0 + 20'000;
    list.seq = seq;
    list.approvals = std::move(approvals);
    list.revoked = std::move(revoked);
    list.sha256 = sub + std::to_string(seq);
    REQUIRE(ledger.accept(std::move(list), at(0)));
}

} // namespace

TEST_CASE("ledger index: an approval is found by its id, in the list where it lasts longest") {
    Ledger ledger({"h", {}, 0});
    give(ledger, "", 1, {approval_of("a", "azsupport"), approval_of("b", "azsupport")});
    give(ledger, "other", 1, {approval_of("a", "azsupport", "", 7200)});
    const ApprovalId a{kIss, "a"};
    REQUIRE(ledger.find(a, at(0)));
    CHECK(ledger.find(a, at(0))->approval->exp == kT0 + 7200);
    CHECK_FALSE(ledger.find({"https://other.example.gov", "a"}, at(0)));
    CHECK_FALSE(ledger.find({kIss, ""}, at(0)));
    // Either list may go first: the index points into both.
    (void)ledger.withdraw({kIss, "host:h", ""});
    CHECK_FALSE(ledger.find({kIss, "b"}, at(0)));
    REQUIRE(ledger.find(a, at(0)));
    CHECK(ledger.find(a, at(0))->list->subject == "other");
    (void)ledger.withdraw({kIss, "host:h", "other"});
    CHECK_FALSE(ledger.find(a, at(0)));
    CHECK(ledger.candidates("azsupport", at(0)).empty());
}

TEST_CASE("ledger index: a replaced list leaves nothing behind, and the index moves with the ledger") {
    Ledger first({"h", {}, 0});
    for (std::uint64_t seq = 1; seq <= 3; ++seq)
        give(first, "", seq,
             {approval_of("a", "azsupport"), approval_of("c" + std::to_string(seq), "azsupport")});
    Ledger ledger = std::move(first);
    CHECK(ledger.candidates("azsupport", at(0)).size() == 2);
    CHECK(ledger.find({kIss, "c3"}, at(0)));
    CHECK_FALSE(ledger.find({kIss, "c2"}, at(0)));
}

TEST_CASE("ledger index: a unit's approvals are found by the unit alone") {
    Ledger ledger({"h", {}, 0});
    give(ledger, "", 1,
         {approval_of("u", "", "walinuxagent.service"), approval_of("v", "", "other.service"),
          approval_of("a", "azsupport")});
    REQUIRE(ledger.unit_candidates("walinuxagent.service", at(0)).size() == 1);
    CHECK(ledger.unit_candidates("walinuxagent.service", at(0))[0].approval->jti == "u");
    CHECK(ledger.unit_candidates("", at(0)).empty());
    CHECK(ledger.candidates("walinuxagent.service", at(0)).empty());
    CHECK(ledger.candidates("", at(0)).empty());
    CHECK(ledger.unit_candidates("azsupport", at(0)).empty());
    give(ledger, "", 2, {approval_of("v", "", "other.service")});
    CHECK(ledger.unit_candidates("walinuxagent.service", at(0)).empty());
    CHECK(ledger.tombstones("walinuxagent.service", at(0)).size() == 1); // withdrawn
}

TEST_CASE("ledger index: a tombstone is found by its id while it is remembered") {
    Ledger ledger({"h", {}, 0});
    give(ledger, "", 1, {approval_of("a", "azsupport")}, {"a"});
    REQUIRE(ledger.tombstone({kIss, "a"}, at(0)));
    CHECK(ledger.tombstone({kIss, "a"}, at(0))->tombstone.account == "azsupport");
    CHECK_FALSE(ledger.tombstone({kIss, "b"}, at(0)));
    CHECK_FALSE(ledger.tombstone({kIss, "a"}, {kT0 + 3600, 5000 * kNsPerSecond}));
}
