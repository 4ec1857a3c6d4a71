// The payload of an `escort-approvals+jwt` (contract §4): strict reading, and the inverse. Knows nothing of
// signatures, of this host or of the time.
#pragma once

#include "core/approval.h"
#include "core/refusal.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace escort {

constexpr const char* kApprovalsType = "escort-approvals+jwt";
constexpr const char* kPresenceType = "escort-presence+jwt"; // not supported yet
constexpr const char* kRevocationType = "secevent+jwt";      // not supported yet

constexpr std::size_t kApprovalsLimit = 10'000;
constexpr std::int64_t kListLifetime = 24 * 3600; // seconds, exp - iat

// Refuses every `typ` but kApprovalsType; the comparison is exact.
[[nodiscard]] Judged<void> check_type(const std::string& typ);

// Every check of contract §4 that needs the payload alone. A refusal's text begins with the claim's JSON
// path. sha256 and key are left empty: they are the caller's to fill in.
[[nodiscard]] Judged<ApprovalList> parse_approvals(std::string_view payload);

// The claims as JSON, in the contract's order, without those that are empty.
[[nodiscard]] std::string to_payload(const ApprovalList& list);

} // namespace escort
