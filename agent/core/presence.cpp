#include "core/presence.h"

#include <algorithm>

namespace escort {

std::uint64_t Lease::until(std::optional<std::int64_t> lease_s) const {
    if (exp_boot_ns == 0 || !lease_s) return exp_boot_ns;
    return std::min(exp_boot_ns, iat_boot_ns + static_cast<std::uint64_t>(*lease_s) * kNsPerSecond);
}

const Lease* PresenceBook::find(const ApprovalId& approval) const {
    const auto found = leases_.find(approval);
    return found == leases_.end() ? nullptr : &found->second;
}

} // namespace escort
