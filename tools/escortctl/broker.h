// The embedded broker's arithmetic: the next list of approvals from the last. Pure: no keys, no files, no
// daemon.
#pragma once

#include "base/result.h"
#include "core/approval.h"

#include <cstdint>
#include <optional>
#include <string>

namespace escort::ctl {

constexpr const char* kLocalSubject = "local";

// iss of the lists that `approve` signs on a host.
[[nodiscard]] std::string local_issuer(const std::string& host_id);

// When a list signed at `now` ends, of whose approvals the last ends at `last_exp`: not before 5 minutes (so
// that an empty list, too, reaches the daemon), not after 24 hours (contract §4).
[[nodiscard]] std::int64_t list_expiry(std::int64_t now, std::int64_t last_exp);

// The next list of this host with one approval more. Approvals that are past are left out. An error where it
// would last longer than a list may.
[[nodiscard]] Result<ApprovalList> with_approval(const std::optional<ApprovalList>& last,
                                                 const std::string& host_id, Approval approval,
                                                 std::int64_t now);

// The next list without that approval, which is named in `revoked`. An error where the last one has none of
// it.
[[nodiscard]] Result<ApprovalList> without_approval(const std::optional<ApprovalList>& last,
                                                    const std::string& host_id, const std::string& jti,
                                                    std::int64_t now);

} // namespace escort::ctl
