// The approvals that a session might use, each weighed by itself and then against the others. The choice
// depends on nothing but what they say and what the session has proven, never on their order.
#pragma once

#include "core/findings.h"

#include <string>
#include <vector>

namespace escort {

// Every check of one approval, in the contract's order (§5); what speaks against the session whatever the
// approval is not among them.
[[nodiscard]] Findings weigh(const Case& one, bool explain);

struct Weighed {
    const Candidate* candidate = nullptr;
    std::vector<Reason> reasons; // empty: it fits
    bool names_key = false;      // the approval names the key that the session has proven
    bool names_source = false;   // ... the address
};

// Is `left` to be used rather than `right`, where both fit? An ordinary approval before an emergency's, the
// one that names the session's key or address, the one that lasts longest, the first by name.
[[nodiscard]] bool preferred(const Weighed& left, const Weighed& right);
// Why it is, in a few words.
[[nodiscard]] std::string why_preferred(const Weighed& left, const Weighed& right);

// Did the first come nearer to being used? The one whose first reason is later in the contract's order; then
// the one with fewer, or later, further reasons.
[[nodiscard]] bool nearer(const std::vector<Reason>& left, const std::vector<Reason>& right);

// Those that fit come first, the preferred one before all; then those that came nearest.
void sort_by_merit(std::vector<Weighed>& weighed);

} // namespace escort
