// The `issuers:` setting (contract §1): who may sign what, with which key. Judged after the signature and
// before the rest of a payload is looked at.
#pragma once

#include "approvals/trust.h"
#include "core/approval.h"
#include "core/refusal.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace escort {

struct IssuerRule {
    std::string iss;
    std::vector<std::string> keys;                    // file names in the trust folder
    std::set<std::string> types;                      // "approvals", "presence", "revocation"
    std::optional<std::vector<std::string>> accounts; // shell globs; absent: any account, empty: none
    // It may revoke and lease for its own approvals, and for those of these issuers.
    std::vector<std::string> revokes_for{};
};

// Absent: any issuer with any trusted key (evaluation only).
using IssuerRules = std::optional<std::vector<IssuerRule>>;

// May `iss` sign documents of that type with the key of that thumbprint?
[[nodiscard]] Judged<void> check_issuer(const IssuerRules& rules, const std::string& iss,
                                        const std::string& type, const std::string& thumbprint,
                                        const TrustSet& trust);

// Are all accounts of the list, `also` included, such as its issuer may speak for? One that is not refuses
// the whole list. An issuer limited to accounts can't approve units.
[[nodiscard]] Judged<void> check_accounts(const IssuerRules& rules, const ApprovalList& list,
                                          const TrustSet& trust);

// Whose approvals such a document of `iss` may take back or lease for: its own, then `revokes_for` of the
// entries that allow it. Without rules its own alone.
[[nodiscard]] std::vector<std::string> spoken_for(const IssuerRules& rules, const std::string& iss,
                                                  const std::string& type, const std::string& thumbprint,
                                                  const TrustSet& trust);

} // namespace escort
