// Escorts' presence leases (contract §4, `escort-presence+jwt`): for each approval the newest one. Pure:
// signatures and issuers are judged before a lease comes here, the clock is passed in.
//
// Times become CLOCK_BOOTTIME when a lease is accepted and again by retime(); the earlier wins.
#pragma once

#include "base/moment.h"
#include "core/ledger_memory.h"
#include "core/refusal.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace escort {

// A lease as it was signed.
struct Presence {
    ApprovalId approval; // whose issuer is the one that signs the approval, or one that it may lease for
    std::string escort;
    std::int64_t iat = 0; // seconds since the epoch
    std::int64_t exp = 0; // at or before iat: the escort is gone
    std::string sha256;   // of the raw document
};

struct Lease {
    Presence presence;
    std::uint64_t iat_boot_ns = 0;
    std::uint64_t exp_boot_ns = 0; // 0 where exp is at or before iat

    // When presence ends, CLOCK_BOOTTIME ns: the earlier of exp and iat + `lease_s` of the policy, where it
    // has one.
    [[nodiscard]] std::uint64_t until(std::optional<std::int64_t> lease_s) const;
};

class PresenceBook {
  public:
    // The newest iat of an approval wins: an older one is refused as a rollback, one with the same iat and
    // other bytes as an equivocation; the same bytes again change nothing (false). iat may be 60 s ahead.
    [[nodiscard]] Judged<bool> accept(Presence presence, const Moment& now);
    [[nodiscard]] const Lease* find(const ApprovalId& approval) const;
    [[nodiscard]] const std::map<ApprovalId, Lease>& leases() const { return leases_; }
    void retime(const Moment& now);
    // Forgets what has been over for a day.
    void prune(const Moment& now);

  private:
    std::map<ApprovalId, Lease> leases_;
};

} // namespace escort
