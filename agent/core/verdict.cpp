#include "core/verdict.h"

#include "base/contains.h"
#include "core/candidates.h"
#include "core/proof.h"

#include <algorithm>
#include <set>

namespace escort {

namespace {

constexpr std::size_t kLinesOfApprovals = 32; // `explain` lists no more: the rest came no nearer

// Is it of this account or unit at all, and, of a live session, its own approval?
bool is_candidate(const Candidate& candidate, const SessionFacts& facts) {
    if (facts.approval && candidate.id() != *facts.approval) return false;
    return facts.unit.empty() ? candidate.approval->account == facts.account
                              : candidate.approval->unit == facts.unit;
}

// One judgement in the making.
class Judging {
  public:
    Judging(const Policy& policy, const SessionFacts& facts, const Evidence& evidence, const Moment& now)
        : policy_(policy), facts_(facts), evidence_(evidence), now_(now), session_(evidence.explain) {}

    Verdict verdict() {
        check_session(policy_, facts_, evidence_, now_, session_);
        verdict_.rules = std::move(session_.rules());
        collect();
        sort_by_merit(weighed_);
        bury();
        if (!weighed_.empty() && weighed_.front().reasons.empty())
            approve();
        else
            deny();
        return std::move(verdict_);
    }

  private:
    [[nodiscard]] Case about(const Candidate& candidate) const {
        return {policy_, facts_, evidence_, candidate, now_, false};
    }
    void line(Check check, std::string detail, const ApprovalId& id) {
        if (evidence_.explain) verdict_.rules.push_back({"approval", check, std::move(detail), text_of(id)});
    }

    void collect() {
        const auto common = session_.reasons();
        for (const auto& candidate : evidence_.candidates) {
            if (!is_candidate(candidate, facts_)) continue;
            if (candidate.list->break_glass && !policy_.break_glass.value) {
                refused_emergency_ = true;
                if (evidence_.explain)
                    verdict_.rules.push_back(
                        {"break_glass", Check::fail,
                         "deny: an emergency approval is none here (" + text_of(candidate.id()) + ")",
                         Origin(policy_.break_glass.place).text()});
                continue;
            }
            weighed_.push_back({&candidate, weigh(about(candidate), false).reasons(common),
                                names_key(*candidate.approval, facts_),
                                names_source(*candidate.approval, facts_)});
        }
    }

    // What was revoked or withdrawn, and is in no list any more: what is listed still has been weighed.
    void bury() {
        std::set<ApprovalId> listed;
        if (!evidence_.tombstones.empty())
            for (const auto& one : weighed_)
                listed.insert(one.candidate->id());
        for (const auto& grave : evidence_.tombstones) {
            if ((facts_.approval && grave.id != *facts_.approval) || listed.contains(grave.id)) continue;
            graves_.push_back(&grave.id);
            std::vector<Reason> reasons = session_.reasons({Reason::revoked});
            if (evidence_.denials != nullptr && evidence_.denials->approvals.contains(grave.id.jti) &&
                reasons.front() != Reason::denied_locally)
                reasons.insert(reasons.begin(), Reason::denied_locally);
            if (buried_.empty() || nearer(reasons, buried_)) buried_ = std::move(reasons);
        }
    }

    void approve() {
        const Candidate& chosen = *weighed_.front().candidate;
        Findings found = weigh(about(chosen), evidence_.explain);
        list_approvals(found);

        const Approval& approval = *chosen.approval;
        const Reason reason = chosen.list->break_glass ? Reason::break_glass : Reason::approved;
        verdict_.ruling = Ruling::approved;
        verdict_.reason = reason;
        verdict_.reasons = {reason};
        verdict_.approval = chosen.id();
        verdict_.engineer = approval.engineer.id;
        if (approval.escort) verdict_.escort = approval.escort->id;
        if (approval.ticket) verdict_.ticket = approval.ticket->id;
        verdict_.also = approval.also;
        if (evidence_.denials != nullptr)
            std::erase_if(verdict_.also, [this](const std::string& account) {
                return evidence_.denials->hits_account(account);
            });
        // The window that admits decides who comes in, the live deadline when it ends (stale_grace).
        verdict_.deadline_boot_ns = found.deadline();
        verdict_.recheck_boot_ns = std::min(found.change(), session_.change());
        verdict_.held_for = found.held_for();
        if (verdict_.held_for) verdict_.hold = Hold::freeze;
    }

    void deny() {
        std::vector<Reason> reasons;
        if (!weighed_.empty()) {
            reasons = weighed_.front().reasons;
            Findings found = weigh(about(*weighed_.front().candidate), evidence_.explain);
            list_approvals(found);
        }
        list_graves();
        // What is gone explains only where nothing that is listed does: an account's past is no candidate.
        if (reasons.empty()) reasons = buried_;
        if (reasons.empty()) reasons = session_.reasons({nothing_offered()});
        verdict_.ruling = Ruling::denied;
        verdict_.reason = reasons.front();
        verdict_.reasons = std::move(reasons);
        hold_denied();
    }

    // on_violation: freeze. A session that never was is simply refused; and where the escort's absence is to
    // kill, at once or after its grace, the policy has said so itself.
    void hold_denied() {
        const bool kills = contains(verdict_.reasons, Reason::escort_absent);
        if (facts_.approval && policy_.on_violation.value == Violation::freeze && !kills)
            verdict_.hold = Hold::freeze;
    }

    // A live session whose approval is in no list any more: it was withdrawn.
    Reason nothing_offered() {
        if (facts_.approval && !refused_emergency_) {
            line(Check::fail, "its approval is in no list any more", *facts_.approval);
            return Reason::revoked;
        }
        if (evidence_.explain)
            verdict_.rules.push_back(
                {"approval", Check::fail,
                 "no approval of " + (facts_.unit.empty() ? facts_.account : facts_.unit) + " for this host",
                 ""});
        return Reason::no_approval;
    }

    // One line an approval, that of the decisive one first, with its own lines.
    void list_approvals(Findings& decisive) {
        if (!evidence_.explain) return;
        const auto fits = std::count_if(weighed_.begin(), weighed_.end(),
                                        [](const Weighed& w) { return w.reasons.empty(); });
        for (std::size_t i = 0; i < weighed_.size() && i < kLinesOfApprovals; ++i) {
            const Weighed& one = weighed_[i];
            if (!one.reasons.empty()) {
                line(Check::fail, join(one.reasons), one.candidate->id());
            } else if (i > 0) {
                line(Check::skip, "fits as well", one.candidate->id());
            } else {
                std::string detail = "fits";
                if (fits > 1)
                    detail += "; chosen of " + std::to_string(fits) + ": " + why_preferred(one, weighed_[1]);
                line(Check::pass, std::move(detail), one.candidate->id());
            }
            if (i == 0)
                std::move(decisive.rules().begin(), decisive.rules().end(),
                          std::back_inserter(verdict_.rules));
        }
        if (weighed_.size() > kLinesOfApprovals)
            verdict_.rules.push_back(
                {"approval", Check::skip,
                 std::to_string(weighed_.size() - kLinesOfApprovals) + " more, none of which came nearer",
                 ""});
    }

    void list_graves() {
        for (std::size_t i = 0; i < graves_.size() && i < kLinesOfApprovals; ++i)
            line(Check::fail, "revoked or withdrawn", *graves_[i]);
    }

    const Policy& policy_;
    const SessionFacts& facts_;
    const Evidence& evidence_;
    const Moment& now_;
    Findings session_; // what speaks against it whatever the approval
    std::vector<Weighed> weighed_;
    std::vector<const ApprovalId*> graves_;
    std::vector<Reason> buried_; // of the grave that came nearest; empty: there is none
    bool refused_emergency_ = false;
    Verdict verdict_;
};

} // namespace

Verdict judge(const Policy& policy, const SessionFacts& facts, const Evidence& evidence,
              bool observe_override, const Moment& now) {
    Verdict verdict = Judging(policy, facts, evidence, now).verdict();
    verdict.observe = observe_override || policy.mode.value == Mode::observe;
    verdict.log_only = policy.on_violation.value == Violation::log;
    return verdict;
}

std::uint64_t window_until(const std::vector<Candidate>& candidates) {
    std::uint64_t until = 0;
    for (const auto& candidate : candidates)
        if (candidate.admits()) until = std::max(until, candidate.deadline_boot_ns);
    return until;
}

std::uint64_t window_until(const Policy& policy, const Evidence& evidence, const Moment& now) {
    SessionFacts facts; // one that begins at any time
    facts.opened_boot_ns = kNever - 1;
    std::uint64_t until = 0;
    for (const auto& candidate : evidence.candidates) {
        const Approval& approval = *candidate.approval;
        if (candidate.list->break_glass && !policy.break_glass.value) continue;
        if (evidence.denials != nullptr && evidence.denials->hits_account(approval.whose())) continue;
        const Case one{policy, facts, evidence, candidate, now, true};
        const Findings found = weigh(one, false);
        if (found.clear()) until = std::max(until, std::min(candidate.deadline_boot_ns, found.change()));
    }
    return until;
}

} // namespace escort
