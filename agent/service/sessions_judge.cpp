// What a session goes on as, or ends: judged by the rules in force, counted, told to the kernel.
#include "service/sessions.h"

#include "base/contains.h"

#include <algorithm>
#include <utility>

namespace escort {

std::optional<Governed> Sessions::governed_of(const Session& session) const {
    return session.unit.empty() ? rulebook_.governed(session.uid) : rulebook_.governed_unit(session.unit);
}

std::vector<const Policy*> Sessions::policies_of(const Session& session) const {
    std::vector<const Policy*> policies;
    if (const auto own = governed_of(session)) policies.push_back(own->policy);
    for (const auto uid : session.entered)
        if (const auto governed = rulebook_.governed(uid)) policies.push_back(governed->policy);
    return policies;
}

SessionFacts Sessions::facts_of(const Session& session) const {
    SessionFacts facts;
    facts.account = session.unit.empty() ? session.account : "";
    facts.unit = session.unit;
    facts.entry = session.entry;
    facts.opened_boot_ns = session.opened_boot_ns;
    // Before its key is known any approval may be the one.
    facts.key_later = session.key_due_boot_ns != 0;
    if (!facts.key_later) facts.approval = session.verdict.approval;
    facts.gated = session.proven.gated;
    facts.source = session.proven.source;
    facts.key = session.proven.key;
    facts.key_id = session.proven.key_id;
    facts.idle_ns = session.idle_ns;
    return facts;
}

void Sessions::all_at_once(const std::function<void()>& act) {
    if (in_use_) return act();
    in_use_ = table_.in_use(0);
    act();
    in_use_.reset();
    for (const auto& account : std::exchange(managers_due_, {}))
        rejudge_user_managers(account);
    if (std::exchange(changed_, false)) note_change();
}

void Sessions::note_change() {
    if (in_use_)
        changed_ = true;
    else if (on_change)
        on_change();
}

void Sessions::count_use(const std::optional<ApprovalId>& approval, int by) {
    if (!in_use_ || !approval) return;
    auto& count = (*in_use_)[*approval];
    if (by > 0)
        ++count;
    else if (count <= 1)
        in_use_->erase(*approval);
    else
        --count;
}

// What a session ends or goes on as, now. Also the way of every later judgement.
void Sessions::judge(Session& session) {
    const auto before = approval_in_use(session);
    judge_once(session);
    count_use(before, -1);
    count_use(approval_in_use(session), 1);
}

void Sessions::judge_once(Session& session) {
    const auto governed = governed_of(session);
    if (!governed) {
        release(session);
        return;
    }
    session.policy = governed->policy->name;
    if (session.user_manager) return judge_user_manager(session);
    const bool overdue = session.key_due_boot_ns != 0 && time_.now().boot_ns >= session.key_due_boot_ns;
    if (overdue) session.key_due_boot_ns = 0;
    SessionFacts facts = facts_of(session);
    if (overdue) facts.approval.reset();
    // A live session is judged by its own approval alone: who else uses it has been asked at its start.
    static const Rulebook::InUse nobody;
    const auto& in_use = facts.approval ? nobody : in_use_.value(); // it is in none itself
    Verdict verdict = rulebook_.judge(*governed, facts, in_use, time_.now(), false);
    if (verdict.reasons != session.verdict.reasons || verdict.approval != session.verdict.approval ||
        verdict.hold != session.verdict.hold || session.verdict.rules.empty())
        verdict = rulebook_.judge(*governed, facts, in_use, time_.now()); // something to explain
    else
        verdict.rules = std::move(session.verdict.rules);
    apply(session, with_entered(session, std::move(verdict)));
}

Verdict Sessions::with_entered(const Session& session, Verdict verdict) const {
    if (verdict.ends()) return verdict;
    const auto also = verdict.ruling == Ruling::approved ? verdict.also : session.verdict.also;
    for (const auto uid : session.entered) {
        const auto governed = rulebook_.governed(uid);
        if (!governed) continue;
        SessionFacts facts = facts_of(session);
        facts.entry = Entry::existing; // the way in was judged when it came
        if (verdict.approval) facts.approval = verdict.approval;
        Verdict other = rulebook_.judge({session.account, governed->policy, !session.unit.empty()}, facts, {},
                                        time_.now());
        if (!contains(also, governed->account)) {
            other.ruling = Ruling::denied;
            other.hold = Hold::none;
            other.reason = Reason::no_approval;
            other.reasons = {Reason::no_approval};
            other.rules.push_back({"approval.also", Check::fail, "has become " + governed->account,
                                   governed->policy->place.text()});
        }
        if (other.ends()) return other;
        if (other.observe || other.log_only) continue; // only watched
        // It stands still for the first that says so, and its own end comes all the same.
        if (verdict.observe || verdict.log_only) { // its own policy decides nothing
            other.also = also;
            verdict = std::move(other);
            continue;
        }
        if (other.freezes() && !verdict.freezes()) {
            verdict.hold = Hold::freeze;
            verdict.held_for = other.held_for.value_or(other.reason);
        }
        if (other.ruling != Ruling::approved) continue;
        // What that policy ends, or asks again, comes no later for being another account's.
        verdict.deadline_boot_ns = std::min(verdict.deadline_boot_ns, other.deadline_boot_ns);
        verdict.recheck_boot_ns = std::min(verdict.recheck_boot_ns, other.recheck_boot_ns);
    }
    return verdict;
}

void Sessions::apply(Session& session, Verdict verdict) {
    const bool changed = !session.reported || verdict.ruling != session.verdict.ruling ||
                         verdict.observe != session.verdict.observe ||
                         verdict.approval != session.verdict.approval;
    // A denied session goes on being counted, and told of, under the approval that it was admitted under.
    if (!verdict.approval && (verdict.hold == Hold::freeze || verdict.ends())) {
        verdict.approval = session.verdict.approval;
        verdict.engineer = session.verdict.engineer;
        verdict.escort = session.verdict.escort;
        verdict.ticket = session.verdict.ticket;
        verdict.also = session.verdict.also;
    }
    session.verdict = std::move(verdict);
    if (session.verdict.ends()) {
        end(session);
        return;
    }
    const bool waits = session.key_due_boot_ns != 0 && session.verdict.ruling == Ruling::approved;
    if (waits)
        session.verdict.recheck_boot_ns = std::min(session.verdict.recheck_boot_ns, session.key_due_boot_ns);
    session.action = session.verdict.freezes()                    ? "freeze"
                     : session.verdict.ruling == Ruling::approved ? "none"
                     : session.verdict.log_only                   ? "log"
                                                                  : "none";
    tell_kernel(session);
    if (changed && !waits) write_verdict(session, 0); // approved is told of when all is proven
    hold(session);
    if (changed && session.verdict.approval) note_change();
}

void Sessions::tell_kernel(Session& session) {
    const bool spared =
        session.verdict.ruling == Ruling::denied || session.verdict.observe || session.verdict.log_only;
    std::vector<std::uint32_t> also;
    for (const auto& account : session.verdict.also)
        if (const auto uid = rulebook_.uid_of(account)) also.push_back(*uid);
    for (const auto uid : session.also)
        if (!contains(also, uid)) kernel_.forbid_also(session.id, uid);
    std::erase_if(also, [&](std::uint32_t uid) { return !kernel_.allow_also(session.id, uid); });
    session.also = std::move(also);
    const std::uint32_t frozen = freezer_.verdict_flag(session.id);
    const bool still = session.verdict.freezes() || session.frozen_by_hand || frozen != 0;
    std::uint64_t deadline = spared ? kNever : session.verdict.deadline_boot_ns;
    // The agent may be gone by then.
    if (!spared && session.key_due_boot_ns != 0)
        deadline = std::min(deadline, session.key_due_boot_ns + kNsPerSecond);
    const auto governed = governed_of(session);
    const Recording record = governed ? governed->policy->record : Recording();
    const std::uint32_t flags = ESCORT_VERDICT_JUDGED | frozen |
                                (spared && !still ? std::uint32_t{ESCORT_VERDICT_OBSERVE} : 0U) |
                                (record.arguments.value ? std::uint32_t{ESCORT_VERDICT_ARGUMENTS} : 0U);
    // Gone meanwhile: its end is on its way.
    (void)kernel_.set_verdict(session.id, {deadline, flags, record.exec_per_minute.value});
}

void Sessions::release(Session& session) {
    session.verdict = {};
    session.verdict.reason = Reason::approved;
    session.verdict.ruling = Ruling::approved;
    session.policy.clear();
    session.action = "none";
    session.frozen_by_hand = false;
    (void)kernel_.set_verdict(session.id, {kNever, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_RELEASED, 0});
    hold(session);
}

void Sessions::rejudge() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, session] : table_.live())
        if (session.stage == Stage::live) ids.push_back(id);
    all_at_once([&] {
        for (const auto id : ids)
            if (Session* session = table_.find(id); session != nullptr && session->stage == Stage::live)
                judge(*session);
    });
}

std::uint64_t Sessions::next_recheck() const {
    std::uint64_t next = kNever;
    for (const auto& [id, session] : table_.live())
        if (session.stage == Stage::live && session.verdict.ruling == Ruling::approved &&
            !session.policy.empty())
            next = std::min({next, session.verdict.deadline_boot_ns, session.verdict.recheck_boot_ns});
    return next;
}

} // namespace escort
