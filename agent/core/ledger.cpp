#include "core/ledger.h"

#include <algorithm>
#include <set>
#include <unordered_set>

namespace escort {

Ledger::Ledger(LedgerSettings settings, LedgerMemory memory)
    : settings_(std::move(settings)), memory_(std::move(memory)) {}

void Ledger::erase(const ListKey& key) {
    const auto found = lists_.find(key);
    if (found == lists_.end()) return;
    const Held* held = &found->second;
    std::set<std::string_view> accounts; // once each: a list may hold thousands for one account
    for (const Approval& approval : held->list.approvals)
        accounts.insert(approval.account);
    for (const std::string_view account : accounts) {
        const auto slots = by_account_.find(account);
        if (slots == by_account_.end()) continue;
        std::erase_if(slots->second, [held](const Slot& slot) { return slot.held == held; });
        if (slots->second.empty()) by_account_.erase(slots);
    }
    lists_.erase(found);
}

void Ledger::install(const ListKey& key, ApprovalList list, const Moment& now) {
    erase(key);
    Held& held = lists_[key];
    held.list = std::move(list);
    held.stale_boot_ns = now.boot_at(held.list.exp + kClockSkew);
    held.end_boot_ns = now.boot_at(held.list.exp + kClockSkew + settings_.stale_grace);
    held.exp_boot_ns.reserve(held.list.approvals.size());
    for (std::size_t i = 0; i < held.list.approvals.size(); ++i) {
        held.exp_boot_ns.push_back(now.boot_at(held.list.approvals[i].exp));
        by_account_[held.list.approvals[i].account].push_back({&held, i});
    }
}

void Ledger::retime(const Moment& now) {
    for (auto& [key, held] : lists_) {
        held.stale_boot_ns = std::min(held.stale_boot_ns, now.boot_at(held.list.exp + kClockSkew));
        held.end_boot_ns =
            std::min(held.end_boot_ns, now.boot_at(held.list.exp + kClockSkew + settings_.stale_grace));
        for (std::size_t i = 0; i < held.exp_boot_ns.size(); ++i)
            held.exp_boot_ns[i] = std::min(held.exp_boot_ns[i], now.boot_at(held.list.approvals[i].exp));
    }
}

LedgerChange Ledger::commit(LedgerPlan plan, const Moment& now) {
    if (plan.duplicate) return {};
    memory_ = after(plan);
    for (const ListKey& key : plan.dropped)
        erase(key);
    install(plan.key, std::move(plan.list), now);
    return std::move(plan.change);
}

Judged<LedgerChange> Ledger::accept(ApprovalList list, const Moment& now) {
    auto planned = plan(std::move(list), now);
    if (!planned) return tl::unexpected(std::move(planned.error()));
    return commit(std::move(*planned), now);
}

Judged<LedgerChange> Ledger::reinstate(ApprovalList list, const Moment& now) {
    if (!for_this_host(list.audience))
        return refuse(RefusalCode::not_for_this_host, "aud: '" + list.audience + "' is not this host");
    const ListKey key{list.issuer, list.audience, list.subject};
    const auto known = memory_.sequences.find(key);
    if (known == memory_.sequences.end() || known->second.seq != list.seq ||
        known->second.sha256 != list.sha256)
        return refuse(RefusalCode::rollback, "is not the list that was accepted last");
    LedgerPlan plan;
    plan.list = std::move(list);
    plan.key = key;
    plan_additions(plan);
    install(key, std::move(plan.list), now);
    return std::move(plan.change);
}

LedgerChange Ledger::withdraw(const ListKey& key) {
    LedgerChange change;
    if (const auto found = lists_.find(key); found != lists_.end())
        for (const Approval& approval : found->second.list.approvals)
            change.removed.push_back({key.issuer, approval.jti});
    erase(key);
    return change;
}

Candidate Ledger::view(const Slot& slot, const Moment& now) const {
    const Held& held = *slot.held;
    Candidate out;
    out.list = &held.list;
    out.approval = &held.list.approvals[slot.index];
    const std::uint64_t exp_boot_ns = held.exp_boot_ns[slot.index];
    out.revoked = memory_.revoked.contains(out.id());
    out.expired = now.trusted >= out.approval->exp || now.boot_ns >= exp_boot_ns;
    out.not_yet_valid = now.trusted < out.approval->nbf - kClockSkew;
    out.list_stale = now.trusted >= held.list.exp + kClockSkew || now.boot_ns >= held.stale_boot_ns;
    out.deadline_boot_ns = std::min(exp_boot_ns, held.stale_boot_ns);
    out.deadline_live_boot_ns = std::min(exp_boot_ns, held.end_boot_ns);
    return out;
}

std::vector<Candidate> Ledger::candidates(std::string_view account, const Moment& now) const {
    std::vector<Candidate> out;
    if (account.empty()) return out; // approvals of units carry no account
    if (const auto slots = by_account_.find(account); slots != by_account_.end())
        for (const Slot& slot : slots->second)
            out.push_back(view(slot, now));
    return out;
}

std::vector<Candidate> Ledger::all(const Moment& now) const {
    std::vector<Candidate> out;
    for (const auto& [key, held] : lists_)
        for (std::size_t i = 0; i < held.list.approvals.size(); ++i)
            out.push_back(view({&held, i}, now));
    return out;
}

std::optional<Candidate> Ledger::find(const ApprovalId& id, const Moment& now) const {
    std::optional<Candidate> best;
    for (auto it = lists_.lower_bound({id.issuer, "", ""});
         it != lists_.end() && it->first.issuer == id.issuer; ++it) {
        const auto& approvals = it->second.list.approvals;
        for (std::size_t i = 0; i < approvals.size(); ++i) {
            if (approvals[i].jti != id.jti) continue;
            const Candidate found = view({&it->second, i}, now);
            if (!best || found.deadline_live_boot_ns > best->deadline_live_boot_ns) best = found;
        }
    }
    return best;
}

std::vector<TombstoneView> Ledger::tombstones(std::string_view account, const Moment& now) const {
    std::vector<TombstoneView> out;
    for (const auto& [id, tombstone] : memory_.revoked)
        if (tombstone.account == account && tombstone.until > now.trusted) out.push_back({id, tombstone});
    return out;
}

std::vector<const ApprovalList*> Ledger::lists() const {
    std::vector<const ApprovalList*> out;
    for (const auto& [key, held] : lists_)
        out.push_back(&held.list);
    return out;
}

const ApprovalList* Ledger::list(const ListKey& key) const {
    const auto found = lists_.find(key);
    return found == lists_.end() ? nullptr : &found->second.list;
}

} // namespace escort
