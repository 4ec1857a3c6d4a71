// What a session must show: its way in, the gate, its key and its address; and how long and how often it may
// be. Each check adds what it found.
#pragma once

#include "core/findings.h"

namespace escort {

// What speaks against a session whatever the approval: denied_locally, entry_denied, ungated, idle.
void check_session(const Policy& policy, const SessionFacts& facts, const Evidence& evidence,
                   const Moment& now, Findings& found);

// key_mismatch, unproven
void check_key(const Case& one, Findings& found);
// source_mismatch, unproven
void check_source(const Case& one, Findings& found);
// session_limit: not of a live session, which holds its place already
void check_sessions(const Case& one, Findings& found);
// duration_exceeded
void check_duration(const Case& one, Findings& found);

// Does the approval name the key, or the address, that the session has proven? The more it names, the
// surer it is that it is this session's.
[[nodiscard]] bool names_key(const Approval& approval, const SessionFacts& facts);
[[nodiscard]] bool names_source(const Approval& approval, const SessionFacts& facts);

} // namespace escort
