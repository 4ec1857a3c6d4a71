// The records of a session's life.
#include "output/records.h"
#include "output/session_fields.h"

#include <fmt/format.h>

namespace escort {

namespace {

Record about(Event event, const SessionRecord& session, std::string text) {
    Record record(event, std::move(text));
    set_session(record, session);
    return record;
}

std::string processes_text(const SessionRecord& session) {
    if (!session.processes) return "its processes";
    return fmt::format("{} process{}", *session.processes, *session.processes == 1 ? "" : "es");
}

// "; by uid 0: drill".
std::string by_hand(const SessionRecord& session) {
    std::string text;
    if (!session.operated_by.empty()) text += "; by " + session.operated_by;
    if (!session.note.empty()) text += ": " + session.note;
    return text;
}

} // namespace

Record session_opened(const SessionRecord& session) {
    return about(Event::session_opened, session,
                 fmt::format("Session {} opened: {}.", session.id, session_phrase(session)));
}

Record session_approved(const SessionRecord& session) {
    std::string text = fmt::format("Session {} approved: {}, under approval {} of {}", session.id,
                                   session_phrase(session), session.approval, session.issuer);
    if (!session.ticket.empty()) text += ", ticket " + session.ticket;
    if (session.deadline != 0) text += ", until " + utc_text(session.deadline);
    return about(Event::session_approved, session,
                 text + "."); // an emergency's: break_glass_used is the alert
}

Record session_denied(const SessionRecord& session) {
    const std::string what =
        session.verdict == "observed" ? "would have been denied (the policy only observes)" : "denied";
    const std::string name =
        session.id.empty() ? "A session" : "Session " + session.id; // no room for a number
    std::string text = fmt::format("{} {}: {}: {}", name, what, session_phrase(session), session.reason);
    if (session.reasons.size() > 1) text += " (all: " + joined(session.reasons) + ")";
    text += ".";
    if (const std::string what_to_do = advice(session.reason); !what_to_do.empty()) text += " " + what_to_do;
    return about(Event::session_denied, session, text);
}

Record session_killed(const SessionRecord& session) {
    std::string text = fmt::format("Session {} killed: {}: {}; {} dead", session.id, session_phrase(session),
                                   session.reason, processes_text(session));
    if (session.latency_us) text += fmt::format(" within {} us", *session.latency_us);
    return about(Event::session_killed, session, text + by_hand(session) + ".");
}

Record session_frozen(const SessionRecord& session) {
    std::string text =
        fmt::format("Session {} frozen: {}: {}; {} stand{} still", session.id, session_phrase(session),
                    session.reason, processes_text(session), session.processes == 1U ? "s" : "");
    if (session.latency_us) text += fmt::format(" within {} us", *session.latency_us);
    return about(Event::session_frozen, session, text + by_hand(session) + ".");
}

Record session_thawed(const SessionRecord& session) {
    return about(
        Event::session_thawed, session,
        fmt::format("Session {} goes on: {}{}.", session.id, session_phrase(session), by_hand(session)));
}

Record break_glass_used(const SessionRecord& session) {
    std::string text = fmt::format("Emergency approval {} of {} is used by session {}: {}", session.approval,
                                   session.issuer, session.id, session_phrase(session));
    if (!session.authority.empty()) text += "; authority " + session.authority;
    if (!session.emergency.empty()) text += ": " + session.emergency;
    return about(Event::break_glass_used, session,
                 text + ". Ask the authority whether there is such an emergency.");
}

Record session_ended(const SessionRecord& session) {
    std::string text = fmt::format("Session {} ended: {}", session.id, session_phrase(session));
    if (session.started != 0 && session.ended >= session.started)
        text += fmt::format(", after {} s", session.ended - session.started);
    return about(Event::session_ended, session, text + ".");
}

} // namespace escort
