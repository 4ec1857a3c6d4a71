// What the journal is told of a session.
#include "service/sessions.h"

#include "output/records.h"

namespace escort {

SessionRecord Sessions::record_of(const Session& session) const {
    const Verdict& verdict = session.verdict;
    SessionRecord record;
    record.id = session.id == 0 ? "" : session_name(session.id);
    record.account = session.account;
    record.uid = session.uid;
    record.entry = to_string(session.entry);
    record.source = session.proven.source.value_or("");
    record.tty = session.tty;
    record.logind_session = session.logind_session;
    record.proven_key = session.proven.key.value_or("");
    record.audit_session = session.audit_session;
    record.verdict = verdict.ruling == Ruling::approved    ? "approved"
                     : verdict.observe || verdict.log_only ? "observed"
                                                           : "denied";
    record.reason = to_string(verdict.reason);
    for (const auto reason : verdict.reasons)
        record.reasons.emplace_back(to_string(reason));
    record.action = session.action;
    record.policy = session.policy;
    if (const auto governed = governed_of(session))
        record.mode =
            rulebook_.observing() || governed->policy->mode.value == Mode::observe ? "observe" : "enforce";
    record.pid = static_cast<pid_t>(session.pid);
    record.started = session.started;
    record.ended = session.ended;
    if (session.killed > 0) record.processes = session.killed;
    if (const auto hand = by_hand_.find(session.id); hand != by_hand_.end()) {
        record.operated_by = hand->second.operated_by;
        record.note = hand->second.note;
    }
    if (!verdict.approval) return record;
    record.approval = verdict.approval->jti;
    record.issuer = verdict.approval->issuer;
    record.engineer = verdict.engineer;
    record.escort = verdict.escort;
    record.ticket = verdict.ticket;
    const Moment now = time_.now();
    if (const auto candidate = rulebook_.ledger().find(*verdict.approval, now)) {
        record.approvers = candidate->approval->approvers;
        if (const auto& emergency = candidate->approval->emergency) {
            record.authority = emergency->authority;
            record.emergency = emergency->reason;
        }
        if (const auto& location = candidate->approval->engineer.location) {
            record.country = location->country;
            record.asserted_by = location->asserted_by;
        }
    }
    if (verdict.ruling == Ruling::approved && verdict.deadline_boot_ns > now.boot_ns)
        record.deadline =
            now.trusted + static_cast<std::int64_t>((verdict.deadline_boot_ns - now.boot_ns) / kNsPerSecond);
    return record;
}

// Why it stands still, or goes on.
SessionRecord Sessions::hold_record_of(const Session& session) const {
    SessionRecord record = record_of(session);
    if (const auto hand = held_by_hand_.find(session.id); hand != held_by_hand_.end()) {
        record.operated_by = hand->second.operated_by;
        record.note = hand->second.note;
    }
    if (session.verdict.held_for) record.reason = to_string(*session.verdict.held_for);
    record.action = session.frozen ? "freeze" : "none";
    return record;
}

void Sessions::write_verdict(const Session& session, std::uint64_t latency_ns) {
    SessionRecord record = record_of(session);
    if (session.refused_at_birth)
        record.latency_us = latency_ns / 1000;
    else if (!session.reported && session.entry != Entry::existing)
        record.latency_us = (time_.now().boot_ns - session.opened_boot_ns) / 1000; // to its first verdict
    if (!session.reported && !session.refused_at_birth) journal_.write(session_opened(record));
    table_.find(session.id)->reported = true;
    journal_.write(session.verdict.ruling == Ruling::approved ? session_approved(record)
                                                              : session_denied(record));
    if (session.verdict.reason == Reason::break_glass) journal_.write(break_glass_used(record));
}

} // namespace escort
