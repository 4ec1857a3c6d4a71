// The record of each event: pure functions, facts in, one journal entry out. The message says to a person
// what happened, why, and what to do; the fields say the same to programs.
#pragma once

#include "output/facts.h"
#include "output/record.h"

#include <cstdint>
#include <string>
#include <vector>

namespace escort {

[[nodiscard]] Record session_opened(const SessionRecord& session);
[[nodiscard]] Record session_approved(const SessionRecord& session);
[[nodiscard]] Record session_denied(const SessionRecord& session);
[[nodiscard]] Record session_killed(const SessionRecord& session);
// It stands still: `reason`, or `operated_by`; `processes` and `latency_us` say how many and how fast.
[[nodiscard]] Record session_frozen(const SessionRecord& session);
[[nodiscard]] Record session_thawed(const SessionRecord& session);
[[nodiscard]] Record session_ended(const SessionRecord& session);
// `session`: what is known of it, at least its id.
[[nodiscard]] Record session_exec(const SessionRecord& session, const ProgramRecord& program);
// An emergency's approval let it in: priority alert (contract §4, every use).
[[nodiscard]] Record break_glass_used(const SessionRecord& session);

[[nodiscard]] Record document_accepted(const DocumentRecord& document);
[[nodiscard]] Record document_refused(const DocumentRecord& document);
[[nodiscard]] Record approval_revoked(const ApprovalRecord& approval);
[[nodiscard]] Record presence_changed(const PresenceRecord& presence);

[[nodiscard]] Record policy_loaded(const PolicyRecord& policy);
[[nodiscard]] Record policy_refused(const PolicyRecord& policy);
// Keys that came and went, as thumbprints.
[[nodiscard]] Record trust_changed(const std::vector<std::string>& added,
                                   const std::vector<std::string>& removed);

// `what`: "kill", "reload" ...; `object`: the session's or approval's id, or empty.
[[nodiscard]] Record operator_act(const std::string& who, const std::string& what, const std::string& object,
                                  const std::string& reason);

[[nodiscard]] Record agent_started(const std::string& version, const std::string& hooks);
[[nodiscard]] Record agent_stopped(const std::string& why);
[[nodiscard]] Record agent_degraded(const std::string& what, const std::string& why, const std::string& hint);
// A thing that someone did to the agent, its clock or its kernel objects; or a session to the host: to the
// kernel, to processes outside of it, to files that others take orders from.
[[nodiscard]] Record tamper(const std::string& what, const std::string& why, const std::string& hint);

// activity: the queue of session_exec; outbox: what the broker is to be told.
enum class DropPlace { journal, kernel, activity, outbox };
[[nodiscard]] Record events_dropped(std::uint64_t count, DropPlace place);
// Programs that a session started over its budget (`record.exec_per_minute`).
[[nodiscard]] Record execs_dropped(const SessionRecord& session, std::uint64_t count);

} // namespace escort
