// Escorts' presence leases (contract §4, `escort-presence+jwt`): for each approval the newest one. Pure:
// signatures and issuers are judged before a lease comes here, the clock is passed in.
//
// Times become CLOCK_BOOTTIME when a lease is accepted and again by retime(); the earlier wins.
#pragma once

#include "base/moment.h"
#include "core/ledger_memory.h"
#include "core/refusal.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace escort {

// Seconds, exp - iat. Longer ones are refused, so that what has been over for as long can be forgotten: no
// older lease could still be used.
constexpr std::int64_t kLeaseLifetime = 24 * 3600;
constexpr std::size_t kLeaseLimit = 10'000; // approvals with a lease: bounded memory

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
    std::int64_t iat_boot_ns = 0;  // CLOCK_BOOTTIME ns; negative where it was issued before the boot
    std::uint64_t exp_boot_ns = 0; // CLOCK_BOOTTIME ns; 0 where exp is past, or at or before iat

    // When presence ends, CLOCK_BOOTTIME ns: the earlier of exp and iat + `lease_s` of the policy, where it
    // has one.
    [[nodiscard]] std::uint64_t until(std::optional<std::int64_t> lease_s) const;
};

class PresenceBook {
  public:
    // The newest iat of an approval wins: an older one is refused as a rollback, one with the same iat and
    // other bytes as an equivocation; the same bytes again change nothing (false). iat may be 60 s ahead. One
    // that is over already is taken too: what it says is newer than what the last one said.
    [[nodiscard]] Judged<bool> accept(Presence presence, const Moment& now);
    // What accept() would say, changing nothing.
    [[nodiscard]] Judged<bool> judge(const Presence& presence, const Moment& now) const;
    [[nodiscard]] const Lease* find(const ApprovalId& approval) const;
    [[nodiscard]] const std::map<ApprovalId, Lease>& leases() const { return leases_; }
    // Brings the ends forward where the clocks now say so; never back.
    void retime(const Moment& now);
    // Forgets what has been over for a day.
    void prune(const Moment& now);
    // Forgets a lease at once: its key is no longer trusted.
    void withdraw(const ApprovalId& approval) { leases_.erase(approval); }

  private:
    std::map<ApprovalId, Lease> leases_;
};

} // namespace escort
