// Sessions that no event told of: those before the agent, before its restart, or behind a lost event.
#include "service/sessions.h"

#include "kernel/running_units.h"
#include "output/records.h"

#include <algorithm>
#include <cstring>

namespace escort {

namespace {

bool gone(const escort_task& task) {
    return (task.flags & ESCORT_TASK_GONE) != 0;
}

using Tasks = std::vector<const escort_task*>;

// Of each session; sorted once, since there may be thousands.
std::map<std::uint64_t, Tasks> by_session(const std::vector<escort_task>& tasks) {
    std::map<std::uint64_t, Tasks> sorted;
    for (const auto& task : tasks)
        sorted[task.id].push_back(&task);
    return sorted;
}

// The oldest task speaks for the session.
const escort_task* eldest(const Tasks& tasks) {
    const escort_task* first = nullptr;
    for (const auto* task : tasks)
        if (!gone(*task) && (first == nullptr || task->start_ns < first->start_ns)) first = task;
    return first;
}

bool is_dead(const std::optional<escort_verdict>& verdict) {
    return verdict && (verdict->flags & ESCORT_VERDICT_DEAD) != 0;
}

// Neither only watched nor let go.
bool is_enforced(const std::optional<escort_verdict>& verdict) {
    return verdict &&
           (verdict->flags & (ESCORT_VERDICT_DEAD | ESCORT_VERDICT_OBSERVE | ESCORT_VERDICT_RELEASED)) == 0;
}

void mark_killed(Session& session, Reason reason) {
    session.stage = Stage::ending;
    session.action = "kill";
    session.verdict.ruling = Ruling::denied;
    session.verdict.reason = reason;
    session.verdict.reasons = {reason};
}

// What the daemon before this one knew.
void recall(Session& session, const KeptSession& kept) {
    session.verdict.approval = kept.approval;
    session.proven = kept.proven;
    session.user_manager = kept.user_manager;
    session.frozen_by_hand = kept.frozen_by_hand;
    session.entered = kept.entered;
    session.verdict.also = kept.also;
}

} // namespace

// What the kernel alone says of a session.
Session Sessions::describe(std::uint64_t id, const escort_session& facts,
                           const std::optional<Governed>& governed, const std::string& unit) const {
    Session session;
    session.id = id;
    session.account = governed ? governed->account : "uid " + std::to_string(facts.uid);
    session.unit = unit;
    session.uid = facts.uid;
    session.entry = static_cast<Entry>(facts.entry);
    session.opened_boot_ns = facts.opened_ns;
    const Moment now = time_.now();
    session.started = now.trusted - static_cast<std::int64_t>((now.boot_ns - facts.opened_ns) / kNsPerSecond);
    return session;
}

// The one listed unit in which all those tasks stand that stand in any: some may have just gone, root have
// moved some away. Empty: there is none, or not one.
std::string Sessions::listed_unit(const std::vector<const escort_task*>& tasks) const {
    std::string listed;
    for (const auto* task : tasks) {
        auto unit = gone(*task) ? "" : unit_of_process(static_cast<pid_t>(task->tgid));
        if (unit.empty() || unit == listed || !rulebook_.governed_unit(unit)) continue;
        if (!listed.empty()) return "";
        listed = std::move(unit);
    }
    return listed;
}

void Sessions::found(std::uint64_t id, const escort_session& facts,
                     const std::vector<const escort_task*>& tasks) {
    const escort_task* task = eldest(tasks);
    const auto entry = static_cast<Entry>(facts.entry);
    const auto kept = restored_.find(session_name(id));
    if (task == nullptr) {
        if (!is_over(id, facts.live > 0)) return; // its last task is on its way out: the event comes
        if (kept == restored_.end()) return kernel_.forget(id, {});
        return ended_unseen(id, facts, kept->second);
    }
    std::string unit;
    if (entry == Entry::unit) {
        unit = kept != restored_.end() ? kept->second.unit : listed_unit(tasks);
        // Its tasks may all have been on their way when they were looked at. Till the next look it has what
        // the kernel gave it: the deadline of its window.
        if (unit.empty() && !unplaced_before_.contains(id) && is_enforced(kernel_.verdict(id))) {
            unplaced_now_.insert(id);
            return;
        }
    }
    const auto governed = unit.empty() ? rulebook_.governed(facts.uid) : rulebook_.governed_unit(unit);
    const auto verdict = kernel_.verdict(id);
    Session session = describe(id, facts, governed, unit);
    session.tty = task->tty;
    session.pid = task->tgid;
    session.comm = task->comm;
    session.audit_session =
        task->audit_session == UINT32_MAX ? std::nullopt : std::optional(task->audit_session);
    session.login_uid = task->loginuid == UINT32_MAX ? std::nullopt : std::optional(task->loginuid);
    session.events = facts.events;
    // Judged by the daemon before: then its opening is in the journal already.
    session.reported = verdict && (verdict->flags & ESCORT_VERDICT_JUDGED) != 0;
    if (kept != restored_.end()) {
        recall(session, kept->second);
        restored_.erase(kept);
    }
    Session& added = table_.add(std::move(session));
    count_use(approval_in_use(added), 1);
    find_source(added);
    find_entered(added, tasks);
    if (verdict && (verdict->flags & ESCORT_VERDICT_FROZEN) != 0) {
        added.frozen = true; // by the daemon before this one
        freezer_.adopt(id);
    }
    if (is_dead(verdict)) {
        if (governed) added.policy = governed->policy->name;
        added.refused_at_birth = (facts.flags & ESCORT_SESSION_REFUSED) != 0;
        if (attackers_.erase(id) != 0) added.verdict.reason = Reason::restricted;
        added.verdict.reasons = {added.verdict.reason};
        end(added);
        return;
    }
    if (entry == Entry::unit && unit.empty()) {
        // Whose it is can't be found out: what the kernel let in for a listed unit ends.
        if (is_enforced(verdict)) return deny(added, Reason::unproven);
    }
    judge(added);
}

// Accounts that its tasks have turned into: by what way is not known. True: there was a new one.
bool Sessions::find_entered(Session& session, const std::vector<const escort_task*>& tasks) {
    const std::size_t known = session.entered.size();
    for (const auto* task : tasks)
        if (task->uid != session.uid && rulebook_.governed(task->uid)) session.entered.insert(task->uid);
    if (session.entered.size() == known) return false;
    note_change();
    return true;
}

// It was known to the daemon before this one, and ended while none was there.
void Sessions::ended_unseen(std::uint64_t id, const escort_session& facts, const KeptSession& kept) {
    const auto governed =
        kept.unit.empty() ? rulebook_.governed(facts.uid) : rulebook_.governed_unit(kept.unit);
    Session session = describe(id, facts, governed, kept.unit);
    if (governed) session.policy = governed->policy->name;
    recall(session, kept);
    session.reported = true;
    restored_.erase(session_name(id));
    Session& added = table_.add(std::move(session));
    count_use(approval_in_use(added), 1);
    // Why the daemon before this one has marked it dead is not known.
    if (is_dead(kernel_.verdict(id)))
        mark_killed(added, attackers_.erase(id) != 0 ? Reason::restricted : added.verdict.reason);
    finish_unseen(added);
}

// Of a session of which no task was found: is it over? By the kernel's count its last task is gone: that
// event was lost. Where the count says otherwise an exit was missed between a scan and its label, or the look
// at the tasks missed one that was just forked: twice in a row it doesn't.
bool Sessions::is_over(std::uint64_t id, bool counted) {
    if (!counted || gone_before_.contains(id)) return true;
    gone_now_.insert(id);
    return false;
}

// Live for us, dead for the kernel: it attacked, and we have not heard of it.
void Sessions::mark_attacker(Session& session) {
    if (session.stage != Stage::live || session.refused_at_birth) return;
    if (!is_dead(kernel_.verdict(session.id))) return;
    mark_killed(session, Reason::restricted);
    tell_unheard_attack(session.id);
}

// No event told of its end. What the kernel did to it is in its verdict.
void Sessions::finish_unseen(Session& session) {
    mark_attacker(session);
    const auto verdict = kernel_.verdict(session.id);
    if (session.stage == Stage::live && verdict && verdict->deadline_ns <= time_.now().boot_ns)
        mark_killed(session, Reason::expired);
    finish({session.id, 0, 0});
}

void Sessions::reconcile() {
    const auto tasks = kernel_.labelled(0);
    if (!tasks) return;
    gone_before_ = std::exchange(gone_now_, {});
    unplaced_before_ = std::exchange(unplaced_now_, {});
    auto tasks_of = by_session(*tasks);
    std::set<std::uint64_t> kernel_knows;
    const auto look_at = [&](std::uint64_t id, const escort_session& facts) {
        const auto& own = tasks_of[id];
        if (table_.live().contains(id)) {
            Session& session = *table_.find(id);
            if (session.stage != Stage::live) return;
            if (eldest(own) == nullptr) {
                if (is_over(id, facts.live > 0)) finish_unseen(session);
                return;
            }
            if (find_entered(session, own)) judge(session);
        } else if ((facts.flags & ESCORT_SESSION_PROBE) == 0) {
            found(id, facts, own);
        }
    };
    all_at_once([&] {
        for (const auto& [id, facts] : kernel_.sessions()) {
            kernel_knows.insert(id);
            look_at(id, facts);
        }
    });
    std::vector<std::uint64_t> lost;
    for (const auto& [id, session] : table_.live())
        if (!kernel_knows.contains(id) && !kernel_.session(id)) lost.push_back(id); // keys may be missed
    for (const auto id : lost)
        finish({id, 0, 0}); // its last event was lost
}

std::set<std::uint32_t> Sessions::adopt() {
    std::set<std::uint32_t> unknown;
    const auto tasks = kernel_.adopt();
    if (!tasks) return unknown;
    std::set<std::uint64_t> fresh;
    for (const auto& task : *tasks) {
        if ((task.flags & ESCORT_TASK_UNKNOWN) != 0) unknown.insert(task.uid);
        if ((task.flags & ESCORT_TASK_ADOPTED) != 0) fresh.insert(task.id);
        if ((task.flags & ESCORT_TASK_ATTRIBUTED) != 0 && attributed_told_.insert(task.tgid).second) {
            SessionRecord record;
            record.account = rulebook_.governed(task.loginuid)->account;
            record.uid = task.uid;
            record.entry = to_string(Entry::existing);
            record.action = "none";
            record.pid = static_cast<pid_t>(task.tgid);
            record.note = std::string(task.comm) +
                          " was there before the agent and carries the account's login uid, "
                          "but runs as another account: reported, left alone";
            journal_.write(session_opened(record));
        }
    }
    auto tasks_of = by_session(*tasks);
    all_at_once([&] {
        for (const auto id : fresh)
            if (const auto facts = kernel_.session(id); facts && !table_.live().contains(id))
                found(id, *facts, tasks_of[id]);
    });
    return unknown;
}

} // namespace escort
