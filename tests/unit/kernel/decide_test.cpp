// The kernel's one decision (bpf/decide.h), compiled natively.
#include "decide.h"

#include <doctest/doctest.h>
#include <initializer_list>

namespace {

constexpr __u64 kNow = 1000;

escort_facts newcomer() {
    escort_facts facts{};
    facts.now_ns = kNow;
    facts.enters = 1;
    facts.governed = 1;
    facts.uid = 1001;
    facts.entry = ESCORT_ENTRY_SSHD;
    facts.entries = 1U << ESCORT_ENTRY_SSHD;
    return facts;
}

escort_facts member() {
    escort_facts facts{};
    facts.now_ns = kNow;
    facts.labelled = 1;
    facts.verdict_known = 1;
    facts.session_uid = 1001;
    facts.verdict = {kNow + 1, ESCORT_VERDICT_JUDGED, 0};
    return facts;
}

} // namespace

TEST_CASE("decide: a task that is nobody's is left alone") {
    escort_facts facts{};
    facts.now_ns = kNow;
    const auto decision = escort_decide(&facts);
    CHECK(decision.open == 0);
    CHECK(decision.refuse == 0);
    CHECK(decision.signal == 0);
}

TEST_CASE("decide: a session without a window is opened, refused and killed") {
    const auto facts = newcomer();
    const auto decision = escort_decide(&facts);
    CHECK(decision.open == 1);
    CHECK(decision.refuse == 1);
    CHECK(decision.signal == 1);
    CHECK(decision.reason == ESCORT_REASON_NO_WINDOW);
}

TEST_CASE("decide: a window admits until its very end, not at it") {
    auto facts = newcomer();
    facts.window_until = kNow + 1;
    CHECK(escort_decide(&facts).refuse == 0);
    CHECK(escort_decide(&facts).open == 1);
    facts.window_until = kNow;
    CHECK(escort_decide(&facts).refuse == 1);
}

TEST_CASE("decide: a way in that isn't listed may not use the window") {
    auto facts = newcomer();
    facts.window_until = kNow + 1;
    facts.entry = ESCORT_ENTRY_CRON;
    const auto decision = escort_decide(&facts);
    CHECK(decision.signal == 1);
    CHECK(decision.reason == ESCORT_REASON_ENTRY);
}

TEST_CASE("decide: observe and log record the refusal and signal nobody") {
    for (const auto flag : {ESCORT_PRINCIPAL_OBSERVE, ESCORT_PRINCIPAL_LOG}) {
        auto facts = newcomer();
        facts.principal_flags = flag;
        const auto decision = escort_decide(&facts);
        CHECK(decision.open == 1);
        CHECK(decision.refuse == 1);
        CHECK(decision.observe == 1);
        CHECK(decision.signal == 0);
    }
    auto facts = member();
    facts.verdict.flags |= ESCORT_VERDICT_DEAD | ESCORT_VERDICT_OBSERVE;
    CHECK(escort_decide(&facts).signal == 0);
}

TEST_CASE("decide: a container's uid and an exempt job open nothing") {
    auto container = newcomer();
    container.governed = 0;
    CHECK(escort_decide(&container).open == 0);
    CHECK(escort_decide(&container).signal == 0);
    auto job = newcomer();
    job.exempt = 1;
    CHECK(escort_decide(&job).open == 0);
    CHECK(escort_decide(&job).signal == 0);
    CHECK(escort_decide(&job).reason == ESCORT_REASON_EXEMPT);
}

TEST_CASE("decide: a label outranks an exemption") {
    auto facts = member();
    facts.verdict.flags |= ESCORT_VERDICT_DEAD;
    facts.exempt = 1;
    CHECK(escort_decide(&facts).signal == 1);
}

TEST_CASE("decide: a thread whose leader is another is refused, but not signalled") {
    auto facts = newcomer();
    facts.foreign_leader = 1;
    const auto decision = escort_decide(&facts);
    CHECK(decision.open == 1);
    CHECK(decision.refuse == 1);
    CHECK(decision.signal == 0);
}

TEST_CASE("decide: a live session goes on, a dead one or one past its deadline does not") {
    auto facts = member();
    CHECK(escort_decide(&facts).refuse == 0);
    facts.verdict.deadline_ns = kNow;
    CHECK(escort_decide(&facts).reason == ESCORT_REASON_DEADLINE);
    CHECK(escort_decide(&facts).signal == 1);
    facts = member();
    facts.verdict.flags |= ESCORT_VERDICT_DEAD;
    CHECK(escort_decide(&facts).reason == ESCORT_REASON_DEAD);
    CHECK(escort_decide(&facts).signal == 1);
}

TEST_CASE("decide: a label without a verdict is refused") {
    auto facts = member();
    facts.verdict_known = 0;
    CHECK(escort_decide(&facts).reason == ESCORT_REASON_UNKNOWN_SESSION);
    CHECK(escort_decide(&facts).signal == 1);
}

TEST_CASE("decide: a session may become its own account and those of its approval's `also`, no other") {
    auto facts = member();
    facts.enters = 1;
    facts.uid = 1001;
    CHECK(escort_decide(&facts).refuse == 0);
    facts.uid = 1002;
    facts.window_until = kNow + 5; // its own window is no licence
    facts.entries = ~0U;
    CHECK(escort_decide(&facts).reason == ESCORT_REASON_ALSO);
    CHECK(escort_decide(&facts).signal == 1);
    facts.also = 1;
    CHECK(escort_decide(&facts).refuse == 0);
}

TEST_CASE("decide: a session not yet judged needs an open window for the account it becomes") {
    auto facts = member();
    facts.verdict.flags = 0;
    facts.enters = 1;
    facts.uid = 1002;
    facts.entry = ESCORT_ENTRY_SU;
    facts.entries = 1U << ESCORT_ENTRY_SU;
    CHECK(escort_decide(&facts).signal == 1);
    facts.window_until = kNow + 5;
    CHECK(escort_decide(&facts).refuse == 0);
}

TEST_CASE("decide: a released session is nobody's until it enters an account again") {
    auto facts = member();
    facts.verdict = {0, ESCORT_VERDICT_RELEASED, 0};
    CHECK(escort_decide(&facts).refuse == 0);
    facts.enters = 1;
    facts.uid = 1001;
    CHECK(escort_decide(&facts).signal == 1);
}

TEST_CASE("decide: entering an account whose policy only logs ends nothing") {
    auto facts = member();
    facts.enters = 1;
    facts.uid = 1002;
    facts.principal_flags = ESCORT_PRINCIPAL_OBSERVE;
    CHECK(escort_decide(&facts).refuse == 1);
    CHECK(escort_decide(&facts).observe == 1);
    CHECK(escort_decide(&facts).signal == 0);
    facts.verdict.flags |= ESCORT_VERDICT_DEAD; // but a dead session is dead
    CHECK(escort_decide(&facts).signal == 1);
}

TEST_CASE("decide: an account with a gate takes no newcomer without a label, window or not") {
    auto facts = newcomer();
    facts.principal_flags = ESCORT_PRINCIPAL_GATE;
    for (const __u64 until : {__u64{0}, kNow + 5}) {
        facts.window_until = until;
        CHECK(escort_decide(&facts).open == 1);
        CHECK(escort_decide(&facts).signal == 1);
        CHECK(escort_decide(&facts).reason == ESCORT_REASON_UNGATED);
    }
    facts.exempt = 1;
    CHECK(escort_decide(&facts).refuse == 0);
    facts.exempt = 0;
    facts.principal_flags |= ESCORT_PRINCIPAL_OBSERVE;
    CHECK(escort_decide(&facts).signal == 0);
    CHECK(escort_decide(&facts).observe == 1);
}

TEST_CASE("decide: a label that the gate gave opens its own account, and no other's gate") {
    auto facts = member();
    facts.principal_flags = ESCORT_PRINCIPAL_GATE;
    facts.enters = 1;
    facts.uid = 1001;
    CHECK(escort_decide(&facts).refuse == 0);
    facts.uid = 1002;
    facts.window_until = kNow + 5;
    facts.entries = ~0U;
    facts.verdict.flags = 0; // not judged
    CHECK(escort_decide(&facts).reason == ESCORT_REASON_UNGATED);
    CHECK(escort_decide(&facts).signal == 1);
    facts.also = 1;
    CHECK(escort_decide(&facts).refuse == 0);
    facts.also = 0;
    facts.verdict.flags = ESCORT_VERDICT_RELEASED;
    CHECK(escort_decide(&facts).signal == 1);
}

TEST_CASE("decide: a frozen session is stopped, unless it must die or is only watched") {
    auto facts = member();
    CHECK(escort_decide(&facts).stop == 0);
    facts.verdict.flags |= ESCORT_VERDICT_FROZEN;
    CHECK(escort_decide(&facts).stop == 1);
    CHECK(escort_decide(&facts).signal == 0);
    CHECK(escort_decide(&facts).refuse == 0);
    for (const auto flag : {ESCORT_VERDICT_OBSERVE, ESCORT_VERDICT_RELEASED}) {
        auto watched = facts;
        watched.verdict.flags |= flag;
        CHECK(escort_decide(&watched).stop == 0);
    }
    auto thread = facts;
    thread.foreign_leader = 1; // SIGSTOP would stop a bystander
    CHECK(escort_decide(&thread).stop == 0);
    auto entering = facts; // an account that it may not become, whose policy only logs
    entering.enters = 1;
    entering.uid = 1002;
    entering.principal_flags = ESCORT_PRINCIPAL_LOG;
    CHECK(escort_decide(&entering).signal == 0);
    CHECK(escort_decide(&entering).stop == 1);
    entering.principal_flags = 0;
    CHECK(escort_decide(&entering).signal == 1);
    CHECK(escort_decide(&entering).stop == 0);
    facts.verdict.flags |= ESCORT_VERDICT_DEAD;
    CHECK(escort_decide(&facts).signal == 1);
    CHECK(escort_decide(&facts).stop == 0);
    facts = member();
    facts.verdict = {kNow, ESCORT_VERDICT_FROZEN, 0};
    CHECK(escort_decide(&facts).signal == 1);
    CHECK(escort_decide(&facts).stop == 0);
}

TEST_CASE("decide: a unit's session is judged by its window") {
    auto facts = newcomer();
    facts.uid = 0;
    facts.entry = ESCORT_ENTRY_UNIT;
    facts.entries = 1U << ESCORT_ENTRY_UNIT;
    CHECK(escort_decide(&facts).signal == 1);
    CHECK(escort_decide(&facts).reason == ESCORT_REASON_NO_WINDOW);
    facts.window_until = kNow + 1;
    CHECK(escort_decide(&facts).open == 1);
    CHECK(escort_decide(&facts).refuse == 0);
}

TEST_CASE("decide: a session that is only watched is no way into an account whose policy enforces") {
    escort_facts facts{};
    facts.now_ns = 10;
    facts.labelled = 1;
    facts.verdict_known = 1;
    facts.verdict = {UINT64_MAX, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_OBSERVE, 0};
    facts.session_uid = 1001;
    facts.governed = 1;
    facts.enters = 1;
    facts.uid = 1002; // under another policy, which enforces
    auto decision = escort_decide(&facts);
    CHECK(decision.refuse == 1);
    CHECK(decision.signal == 1);
    facts.principal_flags = ESCORT_PRINCIPAL_OBSERVE; // which watches too
    decision = escort_decide(&facts);
    CHECK(decision.observe == 1);
    CHECK(decision.signal == 0);
    // What it does as itself is never refused.
    facts.enters = 0;
    facts.verdict.deadline_ns = 5;
    decision = escort_decide(&facts);
    CHECK(decision.signal == 0);
}
