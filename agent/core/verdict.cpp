#include "core/verdict.h"

#include <algorithm>
#include <tuple>

namespace escort {

namespace {

// What speaks against one approval, in the contract's order; empty: it admits.
std::vector<Reason> against(const Candidate& candidate, bool live, bool entry_allowed,
                            const SessionFacts& facts, const Moment& now) {
    std::vector<Reason> reasons;
    if (candidate.revoked) reasons.push_back(Reason::revoked);
    if (candidate.expired) reasons.push_back(Reason::expired);
    if (candidate.not_yet_valid) reasons.push_back(Reason::not_yet_valid);
    // A live session outlasts its list by stale_grace; a new one doesn't.
    const std::uint64_t until = live ? candidate.deadline_live_boot_ns : candidate.deadline_boot_ns;
    if (live ? (!candidate.expired && until <= now.boot_ns) : candidate.list_stale)
        reasons.push_back(Reason::list_stale);
    if (!entry_allowed) reasons.push_back(Reason::entry_denied);
    if (candidate.approval->max_duration) {
        const auto longest = static_cast<std::uint64_t>(*candidate.approval->max_duration) * kNsPerSecond;
        if (now.boot_ns >= facts.opened_boot_ns + longest) reasons.push_back(Reason::duration_exceeded);
    }
    return reasons;
}

std::uint64_t deadline_of(const Candidate& candidate, bool live, const SessionFacts& facts) {
    std::uint64_t deadline = live ? candidate.deadline_live_boot_ns : candidate.deadline_boot_ns;
    if (candidate.approval->max_duration) {
        const auto longest = static_cast<std::uint64_t>(*candidate.approval->max_duration) * kNsPerSecond;
        deadline = std::min(deadline, facts.opened_boot_ns + longest);
    }
    return deadline;
}

std::string name_of(const ApprovalId& id) {
    return id.issuer + "#" + id.jti;
}

// Does the first fail later in the contract's order? Then it came nearer to being used.
bool nearer(const std::vector<Reason>& left, const std::vector<Reason>& right) {
    if (left.empty() || right.empty()) return left.empty() && !right.empty();
    return left.front() > right.front();
}

void approve(Verdict& verdict, const Candidate& candidate, const SessionFacts& facts) {
    const Approval& approval = *candidate.approval;
    verdict.ruling = Ruling::approved;
    verdict.reason = Reason::approved;
    verdict.reasons = {Reason::approved};
    verdict.approval = candidate.id();
    verdict.engineer = approval.engineer.id;
    if (approval.escort) verdict.escort = approval.escort->id;
    if (approval.ticket) verdict.ticket = approval.ticket->id;
    verdict.also = approval.also;
    // The window that admits decides who comes in, the live deadline when it ends (stale_grace).
    verdict.deadline_boot_ns = deadline_of(candidate, true, facts);
}

} // namespace

Verdict judge(const Policy& policy, const SessionFacts& facts, const Evidence& evidence,
              bool observe_override, const Moment& now) {
    Verdict verdict;
    verdict.observe = observe_override || policy.mode.value == Mode::observe;
    verdict.log_only = policy.on_violation.value == Violation::log;

    const bool existing = facts.entry == Entry::existing;
    const bool entry_allowed = existing || policy.require.entries.value.contains(facts.entry);
    verdict.rules.push_back({"require.entries",
                             existing        ? Check::skip
                             : entry_allowed ? Check::pass
                                             : Check::fail,
                             existing ? "was there before the agent: its way in is not known"
                                      : std::string("came in by ") + to_string(facts.entry),
                             policy.require.entries.place.text()});

    const bool live = facts.approval.has_value();
    const Candidate* best = nullptr;
    std::vector<Reason> nearest;
    bool any = false;
    auto offer = [&](std::vector<Reason> reasons) {
        if (!any || nearer(reasons, nearest)) nearest = std::move(reasons);
        any = true;
    };
    for (const auto& candidate : evidence.candidates) {
        if (live && candidate.id() != *facts.approval) continue;
        auto reasons = against(candidate, live, entry_allowed, facts, now);
        verdict.rules.push_back({"approval", reasons.empty() ? Check::pass : Check::fail,
                                 reasons.empty() ? "in force" : join(reasons), name_of(candidate.id())});
        if (reasons.empty()) {
            // Deterministic: the one that lasts longest, then by name.
            const auto rank = [](const Candidate& c) {
                return std::make_tuple(~c.deadline_boot_ns, c.list->issuer, c.approval->jti, ~c.list->seq);
            };
            if (best == nullptr || rank(candidate) < rank(*best)) best = &candidate;
        }
        offer(std::move(reasons));
    }
    for (const auto& grave : evidence.tombstones) {
        if (live && grave.id != *facts.approval) continue;
        verdict.rules.push_back({"approval", Check::fail, "revoked or withdrawn", name_of(grave.id)});
        offer(entry_allowed ? std::vector{Reason::revoked}
                            : std::vector{Reason::revoked, Reason::entry_denied});
    }

    if (best != nullptr) {
        approve(verdict, *best, facts);
        return verdict;
    }
    if (!any) {
        // A live session whose approval is in no list any more: it was withdrawn.
        nearest = {live ? Reason::revoked : Reason::no_approval};
        if (!entry_allowed) nearest.push_back(Reason::entry_denied);
        verdict.rules.push_back({"approval", Check::fail,
                                 live ? "its approval is in no list any more"
                                      : "no approval of " + facts.account + " for this host",
                                 live ? name_of(*facts.approval) : ""});
    }
    verdict.ruling = Ruling::denied;
    verdict.reason = nearest.front();
    verdict.reasons = std::move(nearest);
    return verdict;
}

std::uint64_t window_until(const std::vector<Candidate>& candidates) {
    std::uint64_t until = 0;
    for (const auto& candidate : candidates)
        if (candidate.admits()) until = std::max(until, candidate.deadline_boot_ns);
    return until;
}

} // namespace escort
