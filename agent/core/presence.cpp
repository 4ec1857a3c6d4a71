#include "core/presence.h"

#include "core/ledger.h"

#include <algorithm>

namespace escort {

namespace {

constexpr std::int64_t kForgottenAfter = 24 * 3600; // seconds past its end; no less than kLeaseLifetime
static_assert(kForgottenAfter >= kLeaseLifetime);

// CLOCK_BOOTTIME of a moment that may be before the boot.
std::int64_t boot_time_of(std::int64_t epoch, const Moment& now) {
    return static_cast<std::int64_t>(now.boot_ns) +
           (epoch - now.trusted) * static_cast<std::int64_t>(kNsPerSecond);
}

std::uint64_t end_of(const Presence& presence, const Moment& now) {
    return presence.exp <= presence.iat ? 0 : now.boot_at(presence.exp);
}

bool forgotten(const Presence& presence, const Moment& now) {
    return now.trusted >= std::max(presence.exp, presence.iat) + kForgottenAfter;
}

} // namespace

std::uint64_t Lease::until(std::optional<std::int64_t> lease_s) const {
    if (exp_boot_ns == 0 || !lease_s) return exp_boot_ns;
    constexpr auto kSecond = static_cast<std::int64_t>(kNsPerSecond);
    if (*lease_s > (INT64_MAX - std::max<std::int64_t>(iat_boot_ns, 0)) / kSecond) return exp_boot_ns;
    const std::int64_t end = iat_boot_ns + *lease_s * kSecond;
    return std::min(exp_boot_ns, static_cast<std::uint64_t>(std::max<std::int64_t>(end, 0)));
}

Judged<bool> PresenceBook::judge(const Presence& presence, const Moment& now) const {
    if (const Lease* last = find(presence.approval)) {
        if (presence.sha256 == last->presence.sha256) return false;
        const std::string text = "iat: " + std::to_string(presence.iat) + " where the last was " +
                                 std::to_string(last->presence.iat);
        if (presence.iat < last->presence.iat)
            return refuse(RefusalCode::rollback, text + ": an older lease is replayed");
        if (presence.iat == last->presence.iat)
            return refuse(RefusalCode::equivocation,
                          text + ", with other bytes (sha256 " + last->presence.sha256 + ")");
    }
    if (presence.iat > now.trusted + kClockSkew)
        return refuse(RefusalCode::issued_in_future,
                      "iat: " + std::to_string(presence.iat - now.trusted) + " s in the future");
    // It would be forgotten at the next prune(), and then be replayed for ever.
    if (forgotten(presence, now)) return refuse(RefusalCode::expired, "exp: more than a day in the past");
    if (leases_.size() < kLeaseLimit || leases_.contains(presence.approval)) return true;
    if (std::none_of(leases_.begin(), leases_.end(),
                     [&](const auto& entry) { return forgotten(entry.second.presence, now); }))
        return refuse(RefusalCode::too_many_leases, std::to_string(kLeaseLimit) + " leases are held");
    return true;
}

Judged<bool> PresenceBook::accept(Presence presence, const Moment& now) {
    auto judged = judge(presence, now);
    if (!judged || !*judged) return judged;
    if (leases_.size() >= kLeaseLimit) prune(now);
    Lease& lease = leases_[presence.approval];
    lease.iat_boot_ns = boot_time_of(presence.iat, now);
    lease.exp_boot_ns = end_of(presence, now);
    lease.presence = std::move(presence);
    return true;
}

const Lease* PresenceBook::find(const ApprovalId& approval) const {
    const auto found = leases_.find(approval);
    return found == leases_.end() ? nullptr : &found->second;
}

void PresenceBook::retime(const Moment& now) {
    for (auto& [approval, lease] : leases_) {
        lease.iat_boot_ns = std::min(lease.iat_boot_ns, boot_time_of(lease.presence.iat, now));
        lease.exp_boot_ns = std::min(lease.exp_boot_ns, end_of(lease.presence, now));
    }
}

void PresenceBook::prune(const Moment& now) {
    std::erase_if(leases_, [&](const auto& entry) { return forgotten(entry.second.presence, now); });
}

} // namespace escort
