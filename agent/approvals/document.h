// The types of signed documents (contract §4), and the payload of an `escort-approvals+jwt`: strict reading,
// and the inverse. Knows nothing of signatures, of this host or of the time.
#pragma once

#include "core/approval.h"
#include "core/refusal.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace escort {

constexpr const char* kApprovalsType = "escort-approvals+jwt";
constexpr const char* kPresenceType = "escort-presence+jwt";
constexpr const char* kRevocationType = "secevent+jwt";

constexpr std::size_t kApprovalsLimit = 10'000;
constexpr std::int64_t kListLifetime = 24 * 3600;      // seconds, exp - iat
constexpr std::int64_t kBreakGlassLifetime = 4 * 3600; // seconds, exp - iat, and each approval's exp - iat

enum class DocumentKind { approvals, presence, revocation };

// "approvals", "presence", "revocation": the word of `issuers:` and of escortctl.
[[nodiscard]] const char* to_string(DocumentKind kind);
// The header's `typ` of that kind.
[[nodiscard]] const char* type_of(DocumentKind kind);
// The kind that a `typ` names; the comparison is exact.
[[nodiscard]] Judged<DocumentKind> kind_of(const std::string& typ);

// Every check of contract §4 that needs the payload alone. A refusal's text begins with the claim's JSON
// path. sha256 and key are left empty: they are the caller's to fill in.
[[nodiscard]] Judged<ApprovalList> parse_approvals(std::string_view payload);

// What a list may hold by the folder of its key: one of breakglass.d signs emergencies alone, for one host,
// of 4 h at most, and revokes nothing; any other key signs none. Refused as `invalid`.
[[nodiscard]] Judged<void> check_emergencies(const ApprovalList& list, bool break_glass_key);

// The claims as JSON, in the contract's order, without those that are empty.
[[nodiscard]] std::string to_payload(const ApprovalList& list);

} // namespace escort
