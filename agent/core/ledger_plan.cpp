// Which list may replace the last: the judging half of the ledger. Changes nothing.
#include "core/ledger.h"

#include <algorithm>
#include <unordered_map>

namespace escort {

namespace {

// seq, then time: a replayed old list is told as the rollback that it is, even when it has expired as well.
std::string seq_text(std::uint64_t seq, std::uint64_t last) {
    return "seq: " + std::to_string(seq) + " where the last was " + std::to_string(last);
}

} // namespace

bool Ledger::for_this_host(const std::string& audience) const {
    if (audience == "host:" + settings_.host_id) return true;
    return std::any_of(settings_.groups.begin(), settings_.groups.end(),
                       [&](const std::string& group) { return audience == "group:" + group; });
}

// True: the same bytes are in force already.
Judged<bool> Ledger::judge_sequence(const ApprovalList& list, const ListKey& key) const {
    const auto known = memory_.sequences.find(key);
    if (known == memory_.sequences.end()) return false;
    const Sequence& last = known->second;
    if (list.seq < last.seq)
        return refuse(RefusalCode::rollback, seq_text(list.seq, last.seq) + ": an older list is replayed");
    if (list.seq == last.seq) {
        if (list.sha256 != last.sha256)
            return refuse(RefusalCode::equivocation,
                          seq_text(list.seq, last.seq) + ", with other bytes (sha256 " + last.sha256 + ")");
        return lists_.contains(key); // lost from disk or its key untrusted for a while: may come back
    }
    if (list.seq - last.seq > kSeqJumpLimit)
        return refuse(RefusalCode::seq_jump, seq_text(list.seq, last.seq) + ": a jump of more than 2^32");
    return false;
}

// The lists of the same issuer that must go so that this one fits: only such as can grant nothing any more.
Judged<std::vector<ListKey>> Ledger::make_room(const ListKey& key, const Moment& now) const {
    std::vector<ListKey> dropped;
    if (!memory_.sequences.contains(key)) {
        std::size_t known = 0;
        for (auto it = memory_.sequences.lower_bound({key.issuer, "", ""});
             it != memory_.sequences.end() && it->first.issuer == key.issuer; ++it)
            if (it->first.break_glass == key.break_glass) ++known;
        if (known >= kSequencesPerIssuer)
            return refuse(RefusalCode::too_many_lists, "iss: '" + key.issuer + "' has used " +
                                                           std::to_string(kSequencesPerIssuer) +
                                                           " list identities");
    }
    if (lists_.contains(key)) return dropped;
    std::size_t live = 0;
    for (auto it = lists_.lower_bound({key.issuer, "", ""});
         it != lists_.end() && it->first.issuer == key.issuer; ++it) {
        if (it->first.break_glass != key.break_glass) continue; // neither may crowd the other out
        const std::int64_t end = it->second.list.exp + kClockSkew + settings_.stale_grace;
        if (now.trusted >= end || now.boot_ns >= it->second.end_boot_ns)
            dropped.push_back(it->first);
        else
            ++live;
    }
    if (live >= kListsPerIssuer)
        return refuse(RefusalCode::too_many_lists,
                      "iss: '" + key.issuer + "' has " + std::to_string(kListsPerIssuer) + " lists in force");
    if (live + dropped.size() < kListsPerIssuer) dropped.clear(); // there is room: keep them, as list_stale
    return dropped;
}

void Ledger::plan_revocations(LedgerPlan& plan, const Moment& now) const {
    // Every approval of this issuer that will be in a list, and those that were in the replaced one.
    std::unordered_map<std::string_view, const Approval*> next;
    for (const Approval& approval : plan.list.approvals)
        next.emplace(approval.jti, &approval);
    std::unordered_map<std::string_view, const Approval*> last;
    const std::string& issuer = plan.key.issuer;
    for (auto it = lists_.lower_bound({issuer, "", ""}); it != lists_.end() && it->first.issuer == issuer;
         ++it) {
        auto& into = it->first == plan.key ? last : next;
        for (const Approval& approval : it->second.list.approvals) {
            const auto [at, fresh] = into.emplace(approval.jti, &approval);
            if (!fresh && approval.exp > at->second->exp) at->second = &approval; // the longer life counts
        }
    }
    const auto bury = [&](const std::string& jti, const Approval* approval, bool absent) {
        const ApprovalId id{issuer, jti};
        Tombstone stone{approval ? approval->whose() : "",
                        approval ? approval->exp : now.trusted + kRevokedUnknownFor, absent};
        const auto known = memory_.revoked.find(id);
        if (known != memory_.revoked.end()) {
            const bool nothing_new = known->second.until >= stone.until &&
                                     (stone.account.empty() || stone.account == known->second.account);
            if (nothing_new) return false;
            stone.until = std::max(stone.until, known->second.until);
            stone.absent = stone.absent && known->second.absent;
            if (stone.account.empty()) stone.account = known->second.account;
        }
        plan.tombstones[id] = std::move(stone);
        return known == memory_.revoked.end();
    };
    for (const std::string& jti : plan.list.revoked) {
        const auto now_listed = next.find(jti);
        const auto was_listed = last.find(jti);
        const Approval* approval = now_listed != next.end() ? now_listed->second : nullptr;
        if (was_listed != last.end() && (!approval || was_listed->second->exp > approval->exp))
            approval = was_listed->second;
        const bool fresh = bury(jti, approval, false);
        const bool in_force =
            was_listed != last.end() || (now_listed != next.end() && find({issuer, jti}, now));
        if (fresh && in_force) plan.change.revoked.push_back({issuer, jti});
    }
    for (const auto& [jti, approval] : last) {
        if (next.contains(jti) || approval->exp <= now.trusted) continue;
        const ApprovalId id{issuer, std::string(jti)};
        if (memory_.revoked.contains(id) || plan.tombstones.contains(id)) continue;
        bury(id.jti, approval, true);
        plan.change.removed.push_back(id);
    }
    // A revoked approval that is listed again, with a later end: remembered until that end.
    for (const Approval& approval : plan.list.approvals)
        if (memory_.revoked.contains({issuer, approval.jti})) bury(approval.jti, &approval, true);
}

void Ledger::plan_additions(LedgerPlan& plan) const {
    const std::string& issuer = plan.key.issuer;
    std::unordered_map<std::string_view, bool> known;
    for (auto it = lists_.lower_bound({issuer, "", ""}); it != lists_.end() && it->first.issuer == issuer;
         ++it)
        for (const Approval& approval : it->second.list.approvals)
            known.emplace(approval.jti, true);
    for (const Approval& approval : plan.list.approvals) {
        const ApprovalId id{issuer, approval.jti};
        if (known.contains(approval.jti) || memory_.revoked.contains(id) || plan.tombstones.contains(id))
            continue;
        plan.change.added.push_back(id);
    }
}

Judged<LedgerPlan> Ledger::plan(ApprovalList list, const Moment& now) const {
    if (!for_this_host(list.audience))
        return refuse(RefusalCode::not_for_this_host, "aud: '" + list.audience + "' is not this host");
    LedgerPlan plan;
    plan.key = {list.issuer, list.audience, list.subject, list.break_glass};
    plan.judged_at = now.trusted;
    const auto duplicate = judge_sequence(list, plan.key);
    if (!duplicate) return tl::unexpected(duplicate.error());
    plan.list = std::move(list);
    plan.duplicate = *duplicate;
    if (plan.duplicate) return plan;
    if (plan.list.iat > now.trusted + kClockSkew)
        return refuse(RefusalCode::issued_in_future,
                      "iat: " + std::to_string(plan.list.iat - now.trusted) + " s in the future");
    if (now.trusted >= plan.list.exp + kClockSkew)
        return refuse(RefusalCode::expired,
                      "exp: " + std::to_string(now.trusted - plan.list.exp) + " s in the past");
    auto dropped = make_room(plan.key, now);
    if (!dropped) return tl::unexpected(dropped.error());
    plan.dropped = std::move(*dropped);
    plan_revocations(plan, now);
    plan_additions(plan);

    const std::size_t others = remembered(plan.tombstones, now.trusted);
    if (others >= kRevokedLimit || others + plan.tombstones.size() > kRevokedLimit)
        return refuse(RefusalCode::revoked_memory_full,
                      std::to_string(kRevokedLimit) + " revoked approvals are remembered: no new list fits");
    return plan;
}

LedgerMemory Ledger::after(const LedgerPlan& plan) const {
    LedgerMemory next = memory_;
    if (plan.duplicate) return next;
    std::erase_if(next.revoked, [&](const auto& entry) { return entry.second.until <= plan.judged_at; });
    for (const auto& [id, stone] : plan.tombstones)
        next.revoked[id] = stone;
    for (const ListKey& key : plan.dropped)
        next.sequences[key].kept = false;
    next.sequences[plan.key] = {plan.list.seq, plan.list.sha256, plan.list.iat, true};
    return next;
}

} // namespace escort
