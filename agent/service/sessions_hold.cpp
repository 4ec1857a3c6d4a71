// Sessions that stand still, and what is said on their terminals.
#include "service/sessions.h"

#include "base/clock.h"
#include "output/notices.h"
#include "output/records.h"
#include "process/terminal.h"

#include <algorithm>

namespace escort {

const Sessions::Terminals& Sessions::terminals() {
    std::uint64_t turn = 0;
    (void)sd_event_get_iteration(loop_, &turn);
    if (turn != 0 && turn == terminals_turn_) return terminals_;
    terminals_turn_ = turn;
    terminals_.clear();
    if (const auto tasks = kernel_.labelled(0))
        for (const auto& task : *tasks)
            if (task.tty[0] != '\0' && (task.flags & ESCORT_TASK_GONE) == 0)
                terminals_[task.id].insert(task.tty);
    return terminals_;
}

bool Sessions::say(const Session& session, const std::string& line) {
    bool told = false;
    const auto& all = terminals();
    if (const auto names = all.find(session.id); names != all.end())
        for (const auto& name : names->second)
            told = write_line(name, line).has_value() || told;
    return told;
}

// Stands still or goes on, as its verdict and the operator have it now.
void Sessions::hold(Session& session, Freezer::Done done) {
    const bool still = (session.verdict.freezes() || session.frozen_by_hand) && !session.policy.empty();
    if (still == session.frozen) {
        if (still && done) freezer_.freeze(session.id, std::move(done)); // it stands, or will soon
        return;
    }
    session.frozen = still;
    if (still) {
        const bool told = say(session, freeze_notice(hold_record_of(session)));
        freezer_.freeze(session.id, std::move(done), told ? kLineLead : std::chrono::microseconds(0));
        if (!session.user_manager) rejudge_user_managers(session.account);
        return;
    }
    freezer_.thaw(session.id);
    if (!session.policy.empty()) tell_kernel(session);
    const SessionRecord record = hold_record_of(session);
    held_by_hand_.erase(session.id);
    journal_.write(session_thawed(record));
    (void)say(session, thaw_notice(record));
    if (!session.user_manager) rejudge_user_managers(session.account);
}

void Sessions::on_frozen(const Frozen& frozen) {
    const Session* session = table_.find(frozen.id);
    if (frozen.gone || session == nullptr || session->stage != Stage::live) return;
    SessionRecord record = hold_record_of(*session);
    record.processes = frozen.processes;
    record.latency_us = frozen.elapsed_ns / 1000;
    journal_.write(session_frozen(record));
}

bool Sessions::freeze(std::uint64_t id, const ByHand& by, Freezer::Done done) {
    Session* session = table_.find(id);
    if (session == nullptr || session->stage != Stage::live) return false;
    session->frozen_by_hand = true;
    held_by_hand_[id] = by;
    tell_kernel(*session);
    hold(*session, std::move(done));
    if (on_change) on_change();
    return true;
}

bool Sessions::thaw(std::uint64_t id, const ByHand& by) {
    Session* session = table_.find(id);
    if (session == nullptr || session->stage != Stage::live || !session->frozen_by_hand) return false;
    session->frozen_by_hand = false;
    held_by_hand_[id] = by;
    tell_kernel(*session);
    hold(*session);
    if (on_change) on_change();
    return true;
}

void Sessions::found_logind(std::uint32_t leader, std::optional<std::uint32_t> audit_session,
                            const std::string& logind_id, const std::string& scope) {
    for (const auto& [id, known] : table_.live()) {
        Session& session = *table_.find(id);
        if (!session.logind_session.empty() || session.user_manager) continue;
        const bool same = session.pid == leader || (audit_session && session.audit_session == audit_session);
        if (!same) continue;
        session.logind_session = logind_id;
        session.scope = scope;
        if (!session.audit_session) session.audit_session = audit_session;
        return;
    }
}

void Sessions::find_terminals() {
    const Terminals& all = terminals();
    for (auto& [id, session] : table_.live())
        if (const auto names = all.find(id); session.tty.empty() && names != all.end())
            session.tty = *names->second.begin();
}

// One pass over the tasks, and only where a session's policy asks for it.
void Sessions::look_at_terminals() {
    std::vector<std::uint64_t> timed, warned;
    for (const auto& [id, session] : table_.live()) {
        if (session.stage != Stage::live || session.policy.empty()) continue;
        const auto policies = policies_of(session);
        if (std::any_of(policies.begin(), policies.end(),
                        [](const Policy* policy) { return policy->require.idle_timeout.has_value(); }))
            timed.push_back(id);
        if (!policies.empty() && policies.front()->notify_before_expiry) warned.push_back(id);
    }
    for (const auto id : timed)
        look_how_idle(*table_.find(id));
    for (const auto id : warned)
        warn(*table_.find(id));
}

// By its terminals' last input; where it has none, by its last activity.
void Sessions::look_how_idle(Session& session) {
    std::optional<std::uint64_t> idle;
    const auto& all = terminals();
    if (const auto names = all.find(session.id); names != all.end())
        for (const auto& name : names->second)
            if (const auto one = terminal_idle_ns(name, wall_seconds()))
                idle = std::min(idle.value_or(kNever), *one);
    if (!idle) {
        const std::uint64_t now = time_.now().boot_ns;
        if (const auto facts = kernel_.session(session.id))
            idle = now - std::min(now, std::uint64_t{std::max(facts->activity_ns, facts->opened_ns)});
    }
    session.idle_ns = idle.value_or(0);
}

// Of its end, once: as long before as the policy of its account says.
void Sessions::warn(Session& session) {
    const auto governed = governed_of(session);
    if (!governed || !governed->policy->notify_before_expiry || session.verdict.ruling != Ruling::approved)
        return;
    const std::uint64_t now = time_.now().boot_ns;
    const std::uint64_t end = session.verdict.deadline_boot_ns;
    const std::uint64_t left = end - std::min(end, now);
    const auto before = static_cast<std::uint64_t>(governed->policy->notify_before_expiry->value);
    if (end == kNever || left > before * kNsPerSecond || session.warned_deadline_ns == end) return;
    session.warned_deadline_ns = end;
    (void)say(session, expiry_notice(record_of(session), left / kNsPerSecond));
}

} // namespace escort
