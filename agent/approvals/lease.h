// The payload of an `escort-presence+jwt` (contract §4): an escort's lease. Strict reading, and the inverse.
// Knows nothing of signatures, of this host, of the approval or of the time.
#pragma once

#include "core/refusal.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace escort {

struct LeaseDocument {
    std::string issuer;
    std::string audience; // "host:ID" or "group:NAME"
    std::int64_t iat = 0; // seconds since the epoch
    std::int64_t exp = 0; // at or before iat: the escort is gone; at most kLeaseLifetime after it
    std::string approval; // jti
    std::string escort;
    // Not claims: filled in by whoever verified the document.
    std::string sha256;
    std::string key;
    std::vector<std::string> issuers; // whose approval of that jti it is for: its own, and `revokes_for`
};

// A refusal's text begins with the claim's JSON path.
[[nodiscard]] Judged<LeaseDocument> parse_lease(std::string_view payload);

// The claims as JSON, in the contract's order.
[[nodiscard]] std::string to_payload(const LeaseDocument& lease);

} // namespace escort
