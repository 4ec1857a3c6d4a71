#include "output/notices.h"

#include "output/session_fields.h"

#include <fmt/format.h>

namespace escort {

namespace {

// What the person who was refused does next; without an end.
const char* next_step(Reason reason) {
    switch (reason) {
    case Reason::approved:
    case Reason::break_glass:
        return "Try again";
    case Reason::denied_locally:
        return "Ask this host's administrator, who has shut the door";
    case Reason::location_denied:
        return "No escort cures this; ask your broker";
    case Reason::location_stale:
        return "Have your location confirmed again, then ask your broker";
    case Reason::citizenship_denied:
    case Reason::screening_missing:
        return "Ask your broker for an engineer whom the policy allows";
    case Reason::revoked:
    case Reason::expired:
        return "Ask your broker for a new one";
    case Reason::not_yet_valid:
        return "Wait until its window opens";
    case Reason::list_stale:
        return "This host hears nothing fresh from the broker; ask its administrator";
    case Reason::no_approval:
        return "Ask your broker";
    case Reason::entry_denied:
        return "Come in another way, as ssh, that the policy allows";
    case Reason::ungated:
        return "Log in where the PAM gate stands, as ssh";
    case Reason::key_mismatch:
        return "Use the key that was approved";
    case Reason::source_mismatch:
        return "Connect from an address that was approved";
    case Reason::unproven:
        return "Use the approved key, from the approved address";
    case Reason::ticket_invalid:
        return "Ask your broker for one with a valid ticket";
    case Reason::approver_invalid:
        return "Ask your broker for one with a valid approver";
    case Reason::escort_missing:
        return "Ask your broker for one with an escort";
    case Reason::escort_is_engineer:
        return "Ask your broker for one with another escort";
    case Reason::escort_absent:
        return "Ask your escort to be present first";
    case Reason::session_limit:
        return "End another session of it first";
    case Reason::duration_exceeded:
    case Reason::idle:
        return "Log in again";
    case Reason::restricted:
    case Reason::operator_act:
        return "Ask this host's administrator";
    }
    return "Ask your broker";
}

std::string with_reference(const std::string& text, const std::string& id) {
    return id.empty() ? text : text + " Reference " + id + ".";
}

// "3 hours", "5 minutes", "45 seconds": whole units, rounded to the nearest.
std::string span_text(std::uint64_t seconds) {
    const auto counted = [](std::uint64_t count, const char* unit) {
        return fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s");
    };
    if (seconds < 90) return counted(seconds, "second");
    if (seconds < 5400) return counted((seconds + 30) / 60, "minute");
    return counted((seconds + 1800) / 3600, "hour");
}

// ": escort absent", ": by hand (drill)".
std::string why(const SessionRecord& session) {
    if (!session.operated_by.empty())
        return ": by an operator of this host" + (session.note.empty() ? "" : " (" + session.note + ")");
    if (session.reason == to_string(Reason::escort_absent)) return ": escort absent";
    if (session.reason.empty() || session.reason == to_string(Reason::approved) ||
        session.reason == to_string(Reason::break_glass))
        return "";
    return ": " + session.reason;
}

} // namespace

std::string refusal_line(const std::string& account, const std::string& host, Reason reason,
                         const std::string& reference) {
    return fmt::format("No approved support session for {} on {} ({}). {}{}.", account, host,
                       to_string(reason), next_step(reason),
                       reference.empty() ? "" : "; reference " + reference);
}

std::string expiry_notice(const SessionRecord& session, std::uint64_t seconds) {
    return fmt::format("escortd: this session ends in {}{}. Save your work; ask your broker for more time.",
                       span_text(seconds), session.deadline == 0 ? "" : ", at " + utc_text(session.deadline));
}

std::string freeze_notice(const SessionRecord& session) {
    const bool alone = session.operated_by.empty() && session.reason == to_string(Reason::escort_absent);
    return with_reference("escortd: session frozen" + why(session) + "." +
                              (alone ? " It goes on where it stands when your escort is back."
                                     : " It goes on where it stands, or ends."),
                          session.id);
}

std::string thaw_notice(const SessionRecord& session) {
    return session.operated_by.empty() ? "escortd: the session goes on."
                                       : "escortd: the session goes on" + why(session) + ".";
}

std::string end_notice(const SessionRecord& session) {
    std::string text = "escortd: this session is ended" + why(session) + ".";
    if (session.operated_by.empty())
        if (const auto what = advice(session.reason); !what.empty()) text += " " + what;
    return with_reference(text, session.id);
}

} // namespace escort
