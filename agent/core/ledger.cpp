#include "core/ledger.h"

#include <algorithm>
#include <set>
#include <unordered_set>

namespace escort {

Ledger::Ledger(LedgerSettings settings, LedgerMemory memory)
    : settings_(std::move(settings)), memory_(std::move(memory)) {}

void Ledger::forget(SlotsByName& slots, std::string_view name, const Held* held) {
    const auto found = slots.find(name);
    if (found == slots.end()) return;
    std::erase_if(found->second, [held](const Slot& slot) { return slot.held == held; });
    if (found->second.empty()) slots.erase(found);
}

void Ledger::erase(const ListKey& key) {
    const auto found = lists_.find(key);
    if (found == lists_.end()) return;
    const Held* held = &found->second;
    std::set<std::string_view> accounts, units; // once each: a list may hold thousands for one account
    for (const Approval& approval : held->list.approvals) {
        (approval.unit.empty() ? accounts : units)
            .insert(approval.unit.empty() ? approval.account : approval.unit);
        auto [at, end] = by_id_.equal_range({held->list.issuer, approval.jti});
        while (at != end)
            at = at->second.held == held ? by_id_.erase(at) : std::next(at);
    }
    for (const std::string_view account : accounts)
        forget(by_account_, account, held);
    for (const std::string_view unit : units)
        forget(by_unit_, unit, held);
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
        const Approval& approval = held.list.approvals[i];
        if (approval.unit.empty())
            by_account_[approval.account].push_back({&held, i});
        else
            by_unit_[approval.unit].push_back({&held, i});
        by_id_.emplace(IdView(held.list.issuer, approval.jti), Slot{&held, i});
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
    const ListKey key{list.issuer, list.audience, list.subject, list.break_glass};
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

LedgerChange Ledger::forget_lists() {
    LedgerChange change;
    for (auto& [key, sequence] : memory_.sequences) {
        auto gone = withdraw(key).removed;
        change.removed.insert(change.removed.end(), gone.begin(), gone.end());
        sequence.kept = false;
    }
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

std::vector<Candidate> Ledger::view_all(const SlotsByName& slots, std::string_view name,
                                        const Moment& now) const {
    std::vector<Candidate> out;
    if (const auto found = slots.find(name); found != slots.end()) {
        out.reserve(found->second.size());
        for (const Slot& slot : found->second)
            out.push_back(view(slot, now));
    }
    return out;
}

std::vector<Candidate> Ledger::candidates(std::string_view account, const Moment& now) const {
    return view_all(by_account_, account, now);
}

std::vector<Candidate> Ledger::unit_candidates(std::string_view unit, const Moment& now) const {
    return view_all(by_unit_, unit, now);
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
    const auto [first, last] = by_id_.equal_range({id.issuer, id.jti});
    for (auto at = first; at != last; ++at) {
        const Candidate found = view(at->second, now);
        if (!best || found.deadline_live_boot_ns > best->deadline_live_boot_ns) best = found;
    }
    return best;
}

std::optional<TombstoneView> Ledger::tombstone(const ApprovalId& id, const Moment& now) const {
    const auto found = memory_.revoked.find(id);
    if (found == memory_.revoked.end() || found->second.until <= now.trusted) return std::nullopt;
    return TombstoneView{id, found->second};
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
