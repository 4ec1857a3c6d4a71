// What a person on the session's terminal, or in front of a refused login, is told: what happened, why, what
// to do. Pure text, one line without its end; whoever writes it to a terminal makes it fit for one.
#pragma once

#include "core/reason.h"
#include "output/facts.h"

#include <cstdint>
#include <string>

namespace escort {

// "No approved support session for azsupport on HOST (no_approval). Ask your broker; reference 7f3a2c1e-42."
// `reference` (a session id) may be empty.
[[nodiscard]] std::string refusal_line(const std::string& account, const std::string& host, Reason reason,
                                       const std::string& reference);

// The session ends in `seconds`, if nothing changes.
[[nodiscard]] std::string expiry_notice(const SessionRecord& session, std::uint64_t seconds);
// It stands still, for `session.reason`, or by hand where `session.operated_by` is given. Written before it
// does: a frozen sshd shows nothing.
[[nodiscard]] std::string freeze_notice(const SessionRecord& session);
// It goes on.
[[nodiscard]] std::string thaw_notice(const SessionRecord& session);
// It is being killed, for `session.reason`, or by hand.
[[nodiscard]] std::string end_notice(const SessionRecord& session);

} // namespace escort
