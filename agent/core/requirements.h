// What a policy asks of an approval by itself, whatever session uses it: its engineer, ticket and approvers,
// its own standing in the ledger. Each check adds what it found.
#pragma once

#include "core/findings.h"

namespace escort {

// denied_locally: this host's admin has shut the door to the engineer or the approval.
void check_denials(const Case& one, Findings& found);
// location_denied, location_stale: also of a break-glass approval, and while a session lives.
void check_location(const Case& one, Findings& found);
// citizenship_denied
void check_citizenship(const Case& one, Findings& found);
// screening_missing
void check_screening(const Case& one, Findings& found);
// revoked, expired, not_yet_valid, list_stale
void check_window(const Case& one, Findings& found);
// ticket_invalid
void check_ticket(const Case& one, Findings& found);
// approver_invalid
void check_approvers(const Case& one, Findings& found);

} // namespace escort
