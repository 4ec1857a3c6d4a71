// The events of the journal (contract §6): their word, their fixed MESSAGE_ID and their usual priority.
#pragma once

#include <cstdint>
#include <string_view>

namespace escort {

enum class Event : std::uint8_t {
    session_opened,
    session_approved,
    session_denied,
    session_killed,
    session_frozen,
    session_thawed,
    session_ended,
    session_exec,
    restriction_hit,
    document_accepted,
    document_refused,
    policy_loaded,
    policy_refused,
    approval_revoked,
    presence_changed,
    trust_changed,
    break_glass_used,
    operator_act,
    agent_started,
    agent_stopped,
    agent_degraded,
    events_dropped,
    tamper,
};
constexpr int kEventCount = 23;

// syslog(3) priorities.
enum class Priority : std::uint8_t { emergency, alert, critical, error, warning, notice, info, debug };

struct EventInfo {
    Event event;
    std::string_view word;       // ESCORT_EVENT
    std::string_view message_id; // 128-bit random, made once, never changed: the catalog and scripts know it
    Priority priority;           // where the record builder knows no better
};

[[nodiscard]] const EventInfo& info(Event event);

} // namespace escort
