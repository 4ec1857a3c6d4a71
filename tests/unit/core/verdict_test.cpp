// The verdict engine: a table of sessions and what becomes of them.
#include "core/verdict.h"

#include <doctest/doctest.h>
#include <memory>

using namespace escort;

namespace {

constexpr std::uint64_t kHour = 3600 * kNsPerSecond;
const Moment kNow{1'000'000, 50 * kHour};

struct Situation {
    std::vector<std::unique_ptr<Approval>> approvals;
    ApprovalList list;
    Evidence offered;
    Policy policy;

    Situation() {
        list.issuer = "https://broker.example.gov";
        policy.name = "vendor-support";
        policy.require.admission.value = Admission::window;
        policy.require.entries.value = {Entry::sshd, Entry::su};
        policy.require.entries.place = {"10-vendor.yaml", 7, 3};
    }

    Candidate& offer(const std::string& jti, std::uint64_t lasts = kHour) {
        approvals.push_back(std::make_unique<Approval>());
        Approval& approval = *approvals.back();
        approval.jti = jti;
        approval.account = "azsupport";
        approval.engineer.id = "eng-" + jti;
        Candidate candidate;
        candidate.approval = &approval;
        candidate.list = &list;
        candidate.deadline_boot_ns = kNow.boot_ns + lasts;
        candidate.deadline_live_boot_ns = kNow.boot_ns + lasts;
        offered.candidates.push_back(candidate);
        return offered.candidates.back();
    }

    [[nodiscard]] Verdict judge(Entry entry = Entry::sshd, std::optional<std::string> under = {},
                                std::uint64_t opened = kNow.boot_ns) const {
        SessionFacts facts{"azsupport", entry, opened, {}};
        if (under) facts.approval = ApprovalId{list.issuer, *under};
        return escort::judge(policy, facts, offered, false, kNow);
    }
};

std::string words(const Verdict& verdict) {
    return join(verdict.reasons);
}

} // namespace

TEST_CASE("verdict: an approval in force approves, and says under whose name and until when") {
    Situation situation;
    auto& candidate = situation.offer("a");
    situation.approvals[0]->ticket = Ticket{"snow", "INC1"};
    situation.approvals[0]->also = {"vendor-two"};
    candidate.deadline_live_boot_ns += kHour; // stale_grace
    const auto verdict = situation.judge();
    CHECK(verdict.ruling == Ruling::approved);
    CHECK(words(verdict) == "approved");
    CHECK(verdict.approval->jti == "a");
    CHECK(verdict.engineer == "eng-a");
    CHECK(verdict.ticket == "INC1");
    CHECK(verdict.also == std::vector<std::string>{"vendor-two"});
    CHECK(verdict.deadline_boot_ns == kNow.boot_ns + 2 * kHour);
    CHECK_FALSE(verdict.ends());
}

TEST_CASE("verdict: each thing that speaks against an approval has its own reason") {
    struct Row {
        const char* what;
        void (*spoil)(Candidate&);
        const char* reasons;
    };
    const Row rows[] = {
        {"revoked", [](Candidate& c) { c.revoked = true; }, "revoked"},
        {"expired", [](Candidate& c) { c.expired = true; }, "expired"},
        {"not yet", [](Candidate& c) { c.not_yet_valid = true; }, "not_yet_valid"},
        {"stale", [](Candidate& c) { c.list_stale = true; }, "list_stale"},
        {"all", [](Candidate& c) { c.revoked = c.expired = c.list_stale = true; },
         "revoked,expired,list_stale"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        Situation situation;
        row.spoil(situation.offer("a"));
        const auto verdict = situation.judge();
        CHECK(verdict.ruling == Ruling::denied);
        CHECK(words(verdict) == row.reasons);
        CHECK(verdict.ends());
    }
}

TEST_CASE("verdict: without a candidate there is no approval; a tombstone says that it was revoked") {
    Situation situation;
    CHECK(words(situation.judge()) == "no_approval");
    CHECK(words(situation.judge(Entry::cron)) == "no_approval,entry_denied");
    situation.offered.tombstones.push_back(
        {{situation.list.issuer, "gone"}, {"azsupport", 2'000'000, false}});
    CHECK(words(situation.judge()) == "revoked");
}

TEST_CASE("verdict: a way in that the policy doesn't list may use no approval") {
    Situation situation;
    situation.offer("a");
    const auto verdict = situation.judge(Entry::cron);
    CHECK(words(verdict) == "entry_denied");
    CHECK(verdict.rules.front().rule == "require.entries");
    CHECK(verdict.rules.front().check == Check::fail);
    CHECK(verdict.rules.front().from == "10-vendor.yaml:7:3");
    CHECK(situation.judge(Entry::su).ruling == Ruling::approved);
    CHECK(situation.judge(Entry::existing).ruling == Ruling::approved); // its way in isn't known
}

TEST_CASE("verdict: of several that fail, the one that came nearest gives the reason") {
    Situation situation;
    situation.offer("a").revoked = true;
    situation.offer("b").not_yet_valid = true;
    situation.offer("c").expired = true;
    CHECK(words(situation.judge()) == "not_yet_valid");
}

TEST_CASE("verdict: of several that fit, the choice is the same whatever their order") {
    for (const bool swapped : {false, true}) {
        Situation situation;
        if (swapped) situation.offer("long", 2 * kHour);
        situation.offer("short", kHour);
        if (!swapped) situation.offer("long", 2 * kHour);
        CHECK(situation.judge().approval->jti == "long");
    }
    Situation same;
    same.offer("b");
    same.offer("a");
    CHECK(same.judge().approval->jti == "a");
}

TEST_CASE("verdict: a live session stays under its own approval; no other can save it") {
    Situation situation;
    situation.offer("own").revoked = true;
    situation.offer("other");
    CHECK(words(situation.judge(Entry::sshd, "own")) == "revoked");
    CHECK(situation.judge(Entry::sshd, "other").ruling == Ruling::approved);
    CHECK(words(situation.judge(Entry::sshd, "withdrawn")) == "revoked"); // in no list any more
}

TEST_CASE("verdict: a live session outlasts a stale list by the grace, and not a moment more") {
    Situation situation;
    auto& candidate = situation.offer("a");
    candidate.list_stale = true;
    candidate.deadline_live_boot_ns = kNow.boot_ns + 1;
    CHECK(situation.judge(Entry::sshd, "a").ruling == Ruling::approved);
    CHECK(words(situation.judge()) == "list_stale"); // a new one may not come in
    candidate.deadline_live_boot_ns = kNow.boot_ns;
    CHECK(words(situation.judge(Entry::sshd, "a")) == "list_stale");
}

TEST_CASE("verdict: max_duration counts from the session's start, on CLOCK_BOOTTIME") {
    Situation situation;
    situation.offer("a", 10 * kHour);
    situation.approvals[0]->max_duration = 3600;
    CHECK(situation.judge(Entry::sshd, "a", kNow.boot_ns - kHour + 1).deadline_boot_ns == kNow.boot_ns + 1);
    CHECK(words(situation.judge(Entry::sshd, "a", kNow.boot_ns - kHour)) == "duration_exceeded");
}

TEST_CASE("verdict: observe and log judge the same and end nothing") {
    Situation situation;
    situation.policy.mode.value = Mode::observe;
    CHECK(situation.judge().ruling == Ruling::denied);
    CHECK(situation.judge().observe);
    CHECK_FALSE(situation.judge().ends());
    situation.policy.mode.value = Mode::enforce;
    situation.policy.on_violation.value = Violation::log;
    CHECK_FALSE(situation.judge().ends());
    situation.policy.on_violation.value = Violation::kill;
    CHECK(situation.judge().ends());
    CHECK(judge(situation.policy, {"azsupport", Entry::sshd, 0, {}}, {}, true, kNow).observe);
}

TEST_CASE("verdict: the window is the latest deadline of those that admit") {
    Situation situation;
    CHECK(window_until(situation.offered.candidates) == 0);
    situation.offer("a", kHour);
    situation.offer("b", 3 * kHour).revoked = true;
    situation.offer("c", 2 * kHour);
    CHECK(window_until(situation.offered.candidates) == kNow.boot_ns + 2 * kHour);
}

TEST_CASE("verdict: what was revoked before doesn't hide why the approval in force can't be used") {
    Situation situation;
    situation.offer("now");
    situation.offered.tombstones.push_back(
        {{situation.list.issuer, "before"}, {"azsupport", kNow.trusted + 600, false}});
    Denials denials;
    denials.engineers.insert("eng-now");
    situation.offered.denials = &denials;
    CHECK(words(situation.judge()) == "denied_locally");
    situation.offered.candidates.clear();
    CHECK(words(situation.judge()) == "revoked"); // nothing is listed: the past is all that explains
}
