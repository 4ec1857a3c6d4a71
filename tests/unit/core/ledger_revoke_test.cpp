// One approval revoked by an event.
#include "core/ledger.h"
#include "moments.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::test;

namespace {

constexpr const char* kOther = "https://other.example.gov";

Approval approval_until(const std::string& jti, std::int64_t exp = 7200) {
    Approval out;
    out.jti = jti;
    out.account = "azsupport";
    out.nbf = kT0;
    out.exp = kT0 + exp;
    out.engineer.id = "eng-42";
    return out;
}

ApprovalList list_from(std::uint64_t seq, std::vector<Approval> approvals, const std::string& issuer = kIss) {
    ApprovalList out;
    out.issuer = issuer;
    out.audience = "host:i-0abc";
    out.iat = kT0;
    out.exp = kT0 + 1800;
    out.seq = seq;
    out.approvals = std::move(approvals);
    out.sha256 = "sha-" + std::to_string(seq);
    return out;
}

Ledger ledger_with(LedgerMemory memory = {}) {
    return Ledger({"i-0abc", {}, 0}, std::move(memory));
}

} // namespace

TEST_CASE("ledger: an event revokes what is listed, and says what it changed; planning changes nothing") {
    Ledger l = ledger_with();
    REQUIRE(l.accept(list_from(1, {approval_until("a"), approval_until("b")}), at(0)));
    const auto plan = l.plan_revocation("a", {kIss, kOther}, at(5));
    REQUIRE(plan.has_value());
    CHECK(plan->change.revoked == std::vector<ApprovalId>{{kIss, "a"}});
    REQUIRE(plan->tombstones.size() == 1); // no other issuer has listed it
    CHECK(plan->tombstones.begin()->second.until == kT0 + 7200);
    CHECK(plan->tombstones.begin()->second.account == "azsupport");
    CHECK(l.find({kIss, "a"}, at(5))->admits());
    CHECK(l.after(*plan).revoked.size() == 1);
    CHECK(l.commit(*plan).revoked.size() == 1);
    CHECK(l.find({kIss, "a"}, at(5))->revoked);
    CHECK(l.find({kIss, "b"}, at(5))->admits());
    CHECK(l.plan_revocation("a", {kIss}, at(6))->tombstones.empty());
    CHECK_FALSE(l.tombstones("azsupport", at(6))[0].tombstone.absent);
}

TEST_CASE("ledger: an event before the approval holds for every issuer that it may speak for") {
    Ledger l = ledger_with();
    l.commit(l.plan_revocation("later", {kIss, kOther}, at(0)).value());
    CHECK(l.memory().revoked.size() == 2);
    CHECK(l.memory().revoked.at({kOther, "later"}).until == kT0 + kRevokedUnknownFor);
    CHECK(l.plan_revocation("later", {kIss}, at(1000))->tombstones.empty()); // a replay prolongs nothing
    REQUIRE(l.accept(list_from(1, {approval_until("later")}, kOther), at(1)));
    CHECK(l.find({kOther, "later"}, at(1))->revoked);
}

TEST_CASE("ledger: what ended by its absence is revoked by name all the same") {
    Ledger l = ledger_with();
    REQUIRE(l.accept(list_from(1, {approval_until("a")}), at(0)));
    REQUIRE(l.accept(list_from(2, {}), at(1)));
    REQUIRE(l.memory().revoked.at({kIss, "a"}).absent);
    const auto plan = l.plan_revocation("a", {kIss}, at(2));
    CHECK(plan->change.revoked.empty());
    l.commit(*plan);
    CHECK_FALSE(l.memory().revoked.at({kIss, "a"}).absent);
    CHECK(l.memory().revoked.at({kIss, "a"}).account == "azsupport");
}

TEST_CASE("ledger: a full memory still takes the revocation of what is in force") {
    LedgerMemory memory;
    Ledger first = ledger_with();
    REQUIRE(first.accept(list_from(1, {approval_until("a")}), at(0)));
    memory = first.memory();
    for (std::size_t i = 0; i < kRevokedLimit; ++i)
        memory.revoked[{kIss, "r" + std::to_string(i)}] = {"azsupport", kT0 + 100, false};
    Ledger l = ledger_with(std::move(memory));
    REQUIRE(l.reinstate(list_from(1, {approval_until("a")}), at(0)));
    const auto unknown = l.plan_revocation("never-seen", {kIss}, at(1));
    REQUIRE_FALSE(unknown.has_value());
    CHECK(unknown.error().code == RefusalCode::revoked_memory_full);
    CHECK(l.plan_revocation("r5", {kIss}, at(1))->tombstones.empty());
    CHECK(l.commit(l.plan_revocation("a", {kIss}, at(1)).value()).revoked.size() == 1);
    CHECK(l.find({kIss, "a"}, at(1))->revoked);
    CHECK(l.plan_revocation("never-seen", {kIss}, at(100)).has_value()); // theirs are past
}

TEST_CASE("ledger: break-glass lists have a sequence and a place of their own") {
    Ledger l = ledger_with();
    REQUIRE(l.accept(list_from(800, {approval_until("a")}), at(0)));
    ApprovalList emergency = list_from(1, {approval_until("brk")});
    emergency.break_glass = true;
    REQUIRE(l.accept(emergency, at(1)));
    CHECK(l.lists().size() == 2);
    CHECK(l.find({kIss, "a"}, at(1))->admits());
    CHECK(l.find({kIss, "brk"}, at(1))->list->break_glass);
    CHECK(l.list({kIss, "host:i-0abc", ""})->seq == 800);
    CHECK(l.list({kIss, "host:i-0abc", "", true})->seq == 1);
    const auto gone = l.accept(list_from(801, {}), at(2));
    CHECK(gone->removed == std::vector<ApprovalId>{{kIss, "a"}});
    CHECK(l.find({kIss, "brk"}, at(2))->admits());
    l.withdraw({kIss, "host:i-0abc", "", true});
    CHECK_FALSE(l.find({kIss, "brk"}, at(2)));
}
