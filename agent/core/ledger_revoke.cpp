// Revocation by an event instead of a list: one approval, at once.
#include "core/ledger.h"

#include <algorithm>

namespace escort {

// Tombstones that still count, without those that a plan writes anew.
std::size_t Ledger::remembered(const std::map<ApprovalId, Tombstone>& but, std::int64_t trusted) const {
    return static_cast<std::size_t>(
        std::count_if(memory_.revoked.begin(), memory_.revoked.end(), [&](const auto& entry) {
            return entry.second.until > trusted && !but.contains(entry.first);
        }));
}

Judged<RevocationPlan> Ledger::plan_revocation(const std::string& jti,
                                               const std::vector<std::string>& issuers,
                                               const Moment& now) const {
    RevocationPlan plan;
    plan.judged_at = now.trusted;
    std::map<ApprovalId, const Approval*> meant;
    for (const std::string& issuer : issuers)
        if (const auto listed = find({issuer, jti}, now))
            meant[{issuer, jti}] = listed->approval; // the one that lasts longest
    const bool in_force = !meant.empty();
    if (!in_force)
        for (const std::string& issuer : issuers)
            meant[{issuer, jti}] = nullptr;
    for (const auto& [id, approval] : meant) {
        if (approval && approval->exp <= now.trusted) continue;
        Tombstone stone{approval ? approval->whose() : "",
                        approval ? approval->exp : now.trusted + kRevokedUnknownFor, false};
        const auto known = memory_.revoked.find(id);
        if (known == memory_.revoked.end()) {
            if (approval) plan.change.revoked.push_back(id);
        } else {
            // Of one that is in no list the first word counts: a replay must not prolong it for ever.
            const bool nothing_new = !known->second.absent && known->second.until > now.trusted &&
                                     (!approval || known->second.until >= stone.until);
            if (nothing_new) continue;
            stone.until = std::max(stone.until, known->second.until);
            if (stone.account.empty()) stone.account = known->second.account;
        }
        plan.tombstones[id] = std::move(stone);
    }
    if (!in_force && !plan.tombstones.empty() &&
        remembered(plan.tombstones, now.trusted) + plan.tombstones.size() > kRevokedLimit)
        return refuse(RefusalCode::revoked_memory_full,
                      std::to_string(kRevokedLimit) + " revoked approvals are remembered: no more fits");
    return plan;
}

LedgerMemory Ledger::after(const RevocationPlan& plan) const {
    LedgerMemory next = memory_;
    if (plan.tombstones.empty()) return next;
    std::erase_if(next.revoked, [&](const auto& entry) { return entry.second.until <= plan.judged_at; });
    for (const auto& [id, stone] : plan.tombstones)
        next.revoked[id] = stone;
    return next;
}

LedgerChange Ledger::commit(RevocationPlan plan) {
    memory_ = after(plan);
    return std::move(plan.change);
}

} // namespace escort
