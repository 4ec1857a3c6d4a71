// The ledger's ways of finding an approval: by account, by unit, by id, over lists that come and go.
#include "core/ledger.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

constexpr std::int64_t kT0 = 1'767'225'600;
constexpr const char* kIssuer = "https://broker.example.gov";
const Moment kNow{kT0, 1000 * kNsPerSecond};

Approval approval(const std::string& jti, const std::string& account, const std::string& unit = "",
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
    list.issuer = kIssuer;
    list.audience = "host:h";
    list.subject = sub;
    list.iat = kT0;
    list.exp = kT0 + 20'000;
    list.seq = seq;
    list.approvals = std::move(approvals);
    list.revoked = std::move(revoked);
    list.sha256 = sub + std::to_string(seq);
    REQUIRE(ledger.accept(std::move(list), kNow));
}

} // namespace

TEST_CASE("ledger index: an approval is found by its id, in the list where it lasts longest") {
    Ledger ledger({"h", {}, 0});
    give(ledger, "", 1, {approval("a", "azsupport"), approval("b", "azsupport")});
    give(ledger, "other", 1, {approval("a", "azsupport", "", 7200)});
    const ApprovalId a{kIssuer, "a"};
    REQUIRE(ledger.find(a, kNow));
    CHECK(ledger.find(a, kNow)->approval->exp == kT0 + 7200);
    CHECK_FALSE(ledger.find({"https://other.example.gov", "a"}, kNow));
    CHECK_FALSE(ledger.find({kIssuer, ""}, kNow));
    // Either list may go first: the index points into both.
    (void)ledger.withdraw({kIssuer, "host:h", ""});
    CHECK_FALSE(ledger.find({kIssuer, "b"}, kNow));
    REQUIRE(ledger.find(a, kNow));
    CHECK(ledger.find(a, kNow)->list->subject == "other");
    (void)ledger.withdraw({kIssuer, "host:h", "other"});
    CHECK_FALSE(ledger.find(a, kNow));
    CHECK(ledger.candidates("azsupport", kNow).empty());
}

TEST_CASE("ledger index: a replaced list leaves nothing behind, and the index moves with the ledger") {
    Ledger first({"h", {}, 0});
    for (std::uint64_t seq = 1; seq <= 3; ++seq)
        give(first, "", seq, {approval("a", "azsupport"), approval("c" + std::to_string(seq), "azsupport")});
    Ledger ledger = std::move(first);
    CHECK(ledger.candidates("azsupport", kNow).size() == 2);
    CHECK(ledger.find({kIssuer, "c3"}, kNow));
    CHECK_FALSE(ledger.find({kIssuer, "c2"}, kNow));
}

TEST_CASE("ledger index: a unit's approvals are found by the unit alone") {
    Ledger ledger({"h", {}, 0});
    give(ledger, "", 1,
         {approval("u", "", "walinuxagent.service"), approval("v", "", "other.service"),
          approval("a", "azsupport")});
    REQUIRE(ledger.unit_candidates("walinuxagent.service", kNow).size() == 1);
    CHECK(ledger.unit_candidates("walinuxagent.service", kNow)[0].approval->jti == "u");
    CHECK(ledger.unit_candidates("", kNow).empty());
    CHECK(ledger.candidates("walinuxagent.service", kNow).empty());
    CHECK(ledger.candidates("", kNow).empty());
    CHECK(ledger.unit_candidates("azsupport", kNow).empty());
    give(ledger, "", 2, {approval("v", "", "other.service")});
    CHECK(ledger.unit_candidates("walinuxagent.service", kNow).empty());
    CHECK(ledger.tombstones("walinuxagent.service", kNow).size() == 1); // withdrawn
}

TEST_CASE("ledger index: a tombstone is found by its id while it is remembered") {
    Ledger ledger({"h", {}, 0});
    give(ledger, "", 1, {approval("a", "azsupport")}, {"a"});
    REQUIRE(ledger.tombstone({kIssuer, "a"}, kNow));
    CHECK(ledger.tombstone({kIssuer, "a"}, kNow)->tombstone.account == "azsupport");
    CHECK_FALSE(ledger.tombstone({kIssuer, "b"}, kNow));
    CHECK_FALSE(ledger.tombstone({kIssuer, "a"}, {kT0 + 3600, 5000 * kNsPerSecond}));
}
