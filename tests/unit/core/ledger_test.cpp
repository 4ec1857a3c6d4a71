#include "core/ledger.h"
#include "moments.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace escort;
using namespace escort::test;

namespace {

Approval approval(const std::string& jti, const std::string& account = "azsupport", std::int64_t nbf = 0,
                  std::int64_t exp = 7200) {
    Approval out;
    out.jti = jti;
    out.account = account;
    out.nbf = kT0 + nbf;
    out.exp = kT0 + exp;
    out.engineer.id = "eng-42";
    return out;
}

ApprovalList list_of(std::uint64_t seq, std::vector<Approval> approvals,
                     std::vector<std::string> revoked = {}, const std::string& sub = "",
                     const std::string& aud = "host:i-0abc") {
    ApprovalList out;
    out.issuer = kIss;
    out.audience = aud;
    out.subject = sub;
    out.iat = kT0;
    out.exp = kT0 + 1800;
    out.seq = seq;
    out.approvals = std::move(approvals);
    out.revoked = std::move(revoked);
    out.sha256 = "sha-" + sub + "-" + std::to_string(seq);
    out.key = "thumbprint";
    return out;
}

Ledger ledger(std::int64_t grace = 0) {
    return Ledger({"i-0abc", {"prod", "tenant-17"}, grace});
}

std::string word(const Judged<LedgerChange>& judged) {
    return judged ? "accepted" : to_string(judged.error().code);
}

ApprovalId id(const std::string& jti) {
    return {kIss, jti};
}

bool admits(const Ledger& l, const std::string& account, const Moment& now) {
    const auto found = l.candidates(account, now);
    return std::any_of(found.begin(), found.end(), [](const Candidate& c) { return c.admits(); });
}

} // namespace

TEST_CASE("ledger: an accepted list grants to its account alone, until the approval's exp") {
    Ledger l = ledger();
    const auto change =
        l.accept(list_of(1, {approval("a", "azsupport", 0, 600), approval("b", "other")}), at(0));
    REQUIRE(change.has_value());
    CHECK(change->added == std::vector{id("a"), id("b")});
    CHECK(admits(l, "azsupport", at(0)));
    CHECK(admits(l, "azsupport", at(599)));
    CHECK_FALSE(admits(l, "azsupport", at(600))); // no skew for an approval's exp
    CHECK(l.candidates("azsupport", at(600)).at(0).expired);
    CHECK(l.candidates("nobody", at(0)).empty());
    CHECK(l.candidates("", at(0)).empty());
    CHECK(l.all(at(0)).size() == 2);
    CHECK(l.candidates("azsupport", at(0)).at(0).deadline_boot_ns == boot(600));
}

TEST_CASE("ledger: whom a list is for") {
    for (const auto& [aud, expected] :
         std::vector<std::pair<std::string, std::string>>{{"host:i-0abc", "accepted"},
                                                          {"group:prod", "accepted"},
                                                          {"group:tenant-17", "accepted"},
                                                          {"group:other", "not_for_this_host"},
                                                          {"host:i-0abcd", "not_for_this_host"},
                                                          {"host:I-0ABC", "not_for_this_host"},
                                                          {"host:prod", "not_for_this_host"},
                                                          {"group:i-0abc", "not_for_this_host"},
                                                          {"i-0abc", "not_for_this_host"},
                                                          {"", "not_for_this_host"}}) {
        const std::string audience = aud; // clang 14 captures no binding
        CAPTURE(audience);
        Ledger l = ledger();
        CHECK(word(l.accept(list_of(1, {approval("a")}, {}, "", aud), at(0))) == expected);
        CHECK(admits(l, "azsupport", at(0)) == (expected == "accepted"));
    }
}

TEST_CASE("ledger: iat and exp have 60 s of skew") {
    const auto at_time = [](std::int64_t s) {
        Ledger l = ledger();
        return word(l.accept(list_of(1, {approval("a")}), at(s)));
    };
    CHECK(at_time(-60) == "accepted");
    CHECK(at_time(-61) == "issued_in_future");
    CHECK(at_time(1859) == "accepted");
    CHECK(at_time(1860) == "expired");
}

TEST_CASE("ledger: nbf has 60 s of skew") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a", "azsupport", 300, 900)}), at(0)));
    CHECK(l.candidates("azsupport", at(239)).at(0).not_yet_valid);
    CHECK(admits(l, "azsupport", at(240)));
}

TEST_CASE("ledger: seq only grows") {
    constexpr std::uint64_t kBase = 812;
    constexpr std::uint64_t kJump = std::uint64_t{1} << 32;
    for (const auto& [seq, expected] :
         std::vector<std::pair<std::uint64_t, std::string>>{{kBase + 1, "accepted"},
                                                            {kBase - 1, "rollback"},
                                                            {0, "rollback"},
                                                            {kBase, "equivocation"},
                                                            {kBase + kJump, "accepted"},
                                                            {kBase + kJump + 1, "seq_jump"},
                                                            {(std::uint64_t{1} << 53) - 1, "seq_jump"}}) {
        const std::uint64_t next_seq = seq;
        CAPTURE(next_seq);
        Ledger l = ledger();
        REQUIRE(l.accept(list_of(kBase, {approval("a")}), at(0)));
        ApprovalList next = list_of(seq, {approval("b")});
        next.sha256 = "other";
        const auto judged = l.accept(next, at(1));
        CHECK(word(judged) == expected);
        // A refusal changes nothing.
        CHECK(l.find(id("a"), at(1)).has_value() == (expected != "accepted"));
        CHECK(l.find(id("b"), at(1)).has_value() == (expected == "accepted"));
    }
}

TEST_CASE("ledger: the first list of an identity may have any seq") {
    Ledger l = ledger();
    CHECK(l.accept(list_of((std::uint64_t{1} << 53) - 1, {approval("a")}), at(0)).has_value());
}

TEST_CASE("ledger: the same bytes again change nothing") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a")}), at(0)));
    const auto plan = l.plan(list_of(1, {approval("a")}), at(5));
    REQUIRE(plan.has_value());
    CHECK(plan->duplicate);
    const auto again = l.accept(list_of(1, {approval("a")}), at(5000)); // even once expired: no alarm
    REQUIRE(again.has_value());
    CHECK(again->added.empty());
    CHECK(again->removed.empty());
}

TEST_CASE("ledger: an old list that has expired as well is told as a rollback") {
    Ledger l = ledger();
    ApprovalList newer = list_of(2, {approval("a")});
    newer.exp = kT0 + 80'000;
    REQUIRE(l.accept(newer, at(0)));
    CHECK(word(l.accept(list_of(1, {approval("a")}), at(4000))) == "rollback");
}

TEST_CASE("ledger: lists of other identities stand beside each other; in force is the union") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(5, {approval("a")}), at(0)));
    REQUIRE(l.accept(list_of(1, {approval("b")}, {}, "second"), at(0)));
    REQUIRE(l.accept(list_of(1, {approval("c")}, {}, "", "group:prod"), at(0)));
    CHECK(l.candidates("azsupport", at(0)).size() == 3);
    REQUIRE(l.accept(list_of(6, {}), at(1)));
    CHECK(l.candidates("azsupport", at(1)).size() == 2);
}

TEST_CASE("ledger: what is revoked never grants again") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a")}), at(0)));
    const auto change = l.accept(list_of(2, {approval("b")}, {"a"}), at(1));
    REQUIRE(change.has_value());
    CHECK(change->revoked == std::vector{id("a")});
    CHECK(change->removed.empty());
    CHECK(change->added == std::vector{id("b")});

    SUBCASE("listed again") {
        const auto back = l.accept(list_of(3, {approval("a")}), at(2));
        REQUIRE(back.has_value());
        CHECK(back->added.empty());
        CHECK_FALSE(admits(l, "azsupport", at(2)));
        CHECK(l.find(id("a"), at(2))->revoked);
    }
    SUBCASE("listed again with a later end, after the first one's") {
        ApprovalList later = list_of(3, {approval("a", "azsupport", 0, 40'000)});
        REQUIRE(l.accept(later, at(2)));
        ApprovalList after = list_of(4, {approval("a", "azsupport", 0, 40'000)});
        after.iat = kT0 + 8000;
        after.exp = kT0 + 20'000;
        REQUIRE(l.accept(after, at(8000))); // past the 7200 of the first
        CHECK_FALSE(admits(l, "azsupport", at(8001)));
    }
    SUBCASE("by another list of the same issuer") {
        REQUIRE(l.accept(list_of(1, {approval("a")}, {}, "second"), at(2)));
        CHECK(l.find(id("a"), at(2))->revoked);
    }
    SUBCASE("another issuer's approval of that jti is another approval") {
        ApprovalList other = list_of(1, {approval("a")});
        other.issuer = "https://other.example.gov";
        REQUIRE(l.accept(other, at(2)));
        CHECK(admits(l, "azsupport", at(2)));
    }
    SUBCASE("its tombstone tells the account why") {
        const auto stones = l.tombstones("azsupport", at(2));
        REQUIRE(stones.size() == 1);
        CHECK(stones[0].id == id("a"));
        CHECK_FALSE(stones[0].tombstone.absent);
        CHECK(l.tombstones("azsupport", at(7200)).empty());
        CHECK(l.tombstones("other", at(2)).empty());
    }
}

TEST_CASE("ledger: revoked in the very list that holds it, and revoked before it was ever seen") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a")}, {"a", "unseen"}), at(0)));
    CHECK_FALSE(admits(l, "azsupport", at(0)));
    CHECK(l.memory().revoked.at(id("unseen")).until == kT0 + kRevokedUnknownFor);
    CHECK(l.memory().revoked.at(id("a")).until == kT0 + 7200);
    REQUIRE(l.accept(list_of(2, {approval("unseen")}), at(1)));
    CHECK_FALSE(admits(l, "azsupport", at(1)));
}

TEST_CASE("ledger: a list may revoke what stands in another list of its issuer") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a")}), at(0)));
    const auto change = l.accept(list_of(1, {}, {"a"}, "second"), at(1));
    REQUIRE(change.has_value());
    CHECK(change->revoked == std::vector{id("a")});
    CHECK_FALSE(admits(l, "azsupport", at(1)));
}

TEST_CASE("ledger: absent from the next list ends as revoked does") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a"), approval("b")}), at(0)));
    const auto change = l.accept(list_of(2, {approval("b")}), at(1));
    REQUIRE(change.has_value());
    CHECK(change->removed == std::vector{id("a")});
    CHECK(change->revoked.empty());
    CHECK_FALSE(l.find(id("a"), at(1)));
    CHECK(l.tombstones("azsupport", at(1)).at(0).tombstone.absent);
    REQUIRE(l.accept(list_of(3, {approval("a"), approval("b")}), at(2)));
    CHECK(l.find(id("a"), at(2))->revoked);
    CHECK(l.find(id("b"), at(2))->admits());
}

TEST_CASE("ledger: absent from one list but held by another of its issuer lives on") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a")}), at(0)));
    REQUIRE(l.accept(list_of(1, {approval("a")}, {}, "second"), at(0)));
    const auto change = l.accept(list_of(2, {}), at(1));
    REQUIRE(change.has_value());
    CHECK(change->removed.empty());
    CHECK(l.find(id("a"), at(1))->admits());
}

TEST_CASE("ledger: an approval that had expired is not remembered when it goes") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a", "azsupport", 0, 100)}), at(0)));
    const auto change = l.accept(list_of(2, {}), at(101));
    REQUIRE(change.has_value());
    CHECK(change->removed.empty());
    CHECK(l.memory().revoked.empty());
}

TEST_CASE("ledger: a stale list admits nobody; live sessions have stale_grace") {
    Ledger l = ledger(300);
    REQUIRE(l.accept(list_of(1, {approval("a")}), at(0)));
    const Candidate fresh = *l.find(id("a"), at(0));
    CHECK(fresh.deadline_boot_ns == boot(1860));
    CHECK(fresh.deadline_live_boot_ns == boot(2160));
    CHECK(admits(l, "azsupport", at(1859)));
    CHECK_FALSE(admits(l, "azsupport", at(1860)));
    CHECK(l.find(id("a"), at(1860))->list_stale);
    CHECK_FALSE(l.find(id("a"), at(1860))->expired);
}

TEST_CASE("ledger: a clock set back gives no extra time, one set forward ends at once") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a", "azsupport", 0, 600)}), at(0)));
    SUBCASE("set back by an hour") {
        const Moment back{kT0 - 3600, boot(10)};
        l.retime(back);
        CHECK(l.find(id("a"), back)->deadline_boot_ns == boot(600));
        CHECK(l.find(id("a"), Moment{kT0 - 3000, boot(600)})->expired);
    }
    SUBCASE("set forward by 500 s") {
        const Moment forward{kT0 + 500, boot(10)};
        l.retime(forward);
        CHECK(l.find(id("a"), forward)->deadline_boot_ns == boot(110));
        l.retime(at(11)); // and back: the earlier deadline stays
        CHECK(l.find(id("a"), at(11))->deadline_boot_ns == boot(110));
        CHECK(l.find(id("a"), at(110))->expired);
    }
    SUBCASE("set forward past the end") {
        const Moment past{kT0 + 700, boot(10)};
        CHECK(l.find(id("a"), past)->expired); // even before retime
        l.retime(past);
        CHECK(l.find(id("a"), past)->deadline_boot_ns == 0);
    }
}

TEST_CASE("ledger: 64 lists an issuer; lists that can grant nothing make room") {
    Ledger l = ledger();
    for (int i = 0; i < 64; ++i)
        REQUIRE(word(l.accept(list_of(1, {}, {}, "sub" + std::to_string(i)), at(0))) == "accepted");
    CHECK(word(l.accept(list_of(1, {}, {}, "sub64"), at(0))) == "too_many_lists");
    CHECK(word(l.accept(list_of(2, {}, {}, "sub63"), at(0))) == "accepted"); // a renewal is no new list
    ApprovalList other = list_of(1, {}, {}, "sub64");
    other.issuer = "https://other.example.gov";
    CHECK(word(l.accept(other, at(0))) == "accepted");
    ApprovalList later = list_of(1, {}, {}, "sub64");
    later.exp = kT0 + 9000;
    CHECK(word(l.accept(later, at(1860))) == "accepted");
    CHECK(l.lists().size() == 2); // the 64 spent ones are gone
    CHECK_FALSE(l.memory().sequences.at({kIss, "host:i-0abc", "sub0"}).kept);
    ApprovalList replay = list_of(0, {}, {}, "sub0");
    replay.exp = kT0 + 9000;
    CHECK(word(l.accept(replay, at(1861))) == "rollback"); // their seq outlives them
}

TEST_CASE("ledger: a full memory of revoked approvals refuses new lists and forgets nothing") {
    LedgerMemory memory;
    for (std::size_t i = 0; i < kRevokedLimit - 1; ++i)
        memory.revoked[id("r" + std::to_string(i))] = {"azsupport", kT0 + 100, false};
    Ledger l({"i-0abc", {}, 0}, memory);
    CHECK(word(l.accept(list_of(1, {}, {"x", "y"}), at(0))) == "revoked_memory_full");
    CHECK(word(l.accept(list_of(1, {}, {"x", "r5"}), at(0))) == "accepted");
    CHECK(l.memory().revoked.size() == kRevokedLimit);
    CHECK(word(l.accept(list_of(2, {approval("a")}), at(0))) == "revoked_memory_full");
    CHECK(l.memory().revoked.size() == kRevokedLimit);
    CHECK(word(l.accept(list_of(2, {approval("a")}), at(100))) == "accepted"); // their approvals are past
    CHECK(l.memory().revoked.size() == 2); // x and r5, revoked by a list that did not know r5's end
}

TEST_CASE("ledger: after a restart only the very list that was accepted comes back") {
    Ledger before = ledger();
    REQUIRE(before.accept(list_of(1, {approval("a"), approval("gone")}), at(0)));
    REQUIRE(before.accept(list_of(2, {approval("a")}, {"r"}), at(1)));
    Ledger l({"i-0abc", {}, 0}, before.memory());
    CHECK_FALSE(admits(l, "azsupport", at(2)));
    CHECK(word(l.reinstate(list_of(1, {approval("gone")}), at(2))) == "rollback");
    CHECK(word(l.reinstate(list_of(2, {approval("a")}, {}, "x"), at(2))) == "rollback");
    ApprovalList forged = list_of(2, {approval("gone")});
    forged.sha256 = "other";
    CHECK(word(l.reinstate(forged, at(2))) == "rollback");
    CHECK(word(l.reinstate(list_of(2, {approval("a")}), at(2))) == "accepted");
    CHECK(admits(l, "azsupport", at(2)));
    CHECK(word(l.accept(list_of(1, {approval("gone")}), at(2))) == "rollback");
    REQUIRE(l.accept(list_of(3, {approval("gone"), approval("r")}), at(3)));
    CHECK(l.find(id("gone"), at(3))->revoked);
    CHECK(l.find(id("r"), at(3))->revoked);
}

TEST_CASE("ledger: a list withdrawn grants nothing at once, keeps its seq and may come back") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(4, {approval("a")}), at(0)));
    CHECK(l.withdraw({kIss, "host:i-0abc", ""}).removed == std::vector{id("a")});
    CHECK_FALSE(admits(l, "azsupport", at(1)));
    CHECK(l.tombstones("azsupport", at(1)).empty());
    CHECK(word(l.accept(list_of(3, {approval("a")}), at(1))) == "rollback");
    CHECK(word(l.accept(list_of(4, {approval("a")}), at(1))) == "accepted"); // the same bytes, trusted again
    CHECK(admits(l, "azsupport", at(1)));
}

TEST_CASE("ledger: planning changes nothing until it is committed") {
    Ledger l = ledger();
    REQUIRE(l.accept(list_of(1, {approval("a")}), at(0)));
    auto plan = l.plan(list_of(2, {approval("b")}, {"a"}), at(1));
    REQUIRE(plan.has_value());
    CHECK(l.find(id("a"), at(1))->admits());
    CHECK(l.memory().sequences.begin()->second.seq == 1);
    const LedgerMemory next = l.after(*plan);
    CHECK(next.sequences.begin()->second.seq == 2);
    CHECK(next.revoked.contains(id("a")));
    l.commit(std::move(*plan), at(1));
    CHECK(l.memory().revoked.contains(id("a")));
    CHECK_FALSE(l.find(id("a"), at(1)));
}
