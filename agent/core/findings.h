// What the checks of one session before one approval found: what speaks against it, until when what was
// found holds, and the lines of `explain`. Decides nothing by itself.
#pragma once

#include "core/verdict.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace escort {

// One session before one approval.
struct Case {
    const Policy& policy;
    const SessionFacts& facts;
    const Evidence& evidence;
    const Candidate& candidate;
    const Moment& now;
    bool unseen; // no session yet: its key and its address may be any

    [[nodiscard]] const Approval& approval() const { return *candidate.approval; }
    [[nodiscard]] const Engineer& engineer() const { return candidate.approval->engineer; }
    // Admitted already: what admits is past, what ends a session is not.
    [[nodiscard]] bool live() const { return facts.approval.has_value(); }
    [[nodiscard]] bool emergency() const { return candidate.list->break_glass; }
};

// Where a rule stands: a place of the policy, or the document that holds the approval.
class Origin {
  public:
    Origin(const Place& place) : place_(&place) {}
    Origin(const Case& one) : candidate_(&one.candidate) {}
    [[nodiscard]] std::string text() const;

  private:
    const Place* place_ = nullptr;
    const Candidate* candidate_ = nullptr;
};

class Findings {
  public:
    // `explain`: lines are wanted. A line costs more than its check, so its text is a function.
    explicit Findings(bool explain) : explain_(explain) {}

    template <typename Detail>
    void pass(const char* rule, const Origin& from, Detail&& detail) {
        note(Check::pass, rule, from, std::forward<Detail>(detail));
    }
    template <typename Detail>
    void skip(const char* rule, const Origin& from, Detail&& detail) {
        note(Check::skip, rule, from, std::forward<Detail>(detail));
    }
    template <typename Detail>
    void fail(Reason reason, const char* rule, const Origin& from, Detail&& detail) {
        reasons_.push_back(reason);
        note(Check::fail, rule, from, std::forward<Detail>(detail));
    }
    // pass, or fail for `reason`.
    template <typename Detail>
    void check(bool good, Reason reason, const char* rule, const Origin& from, Detail&& detail) {
        if (!good) reasons_.push_back(reason);
        note(good ? Check::pass : Check::fail, rule, from, std::forward<Detail>(detail));
    }

    // At that CLOCK_BOOTTIME a check that passed fails: the session ends.
    void ends_at(std::uint64_t boot_ns) { deadline_ = std::min(deadline_, boot_ns); }
    // At that CLOCK_BOOTTIME the verdict changes, or may.
    void changes_at(std::uint64_t boot_ns) { change_ = std::min(change_, boot_ns); }
    // The session goes on, but stands still.
    void hold(Reason reason) { held_for_ = reason; }

    // What speaks against the session, in the contract's order, each once; `also` joins in.
    [[nodiscard]] std::vector<Reason> reasons(const std::vector<Reason>& also = {}) const;
    [[nodiscard]] bool clear() const { return reasons_.empty(); }
    [[nodiscard]] std::uint64_t deadline() const { return deadline_; }
    [[nodiscard]] std::uint64_t change() const { return std::min(change_, deadline_); }
    [[nodiscard]] std::optional<Reason> held_for() const { return held_for_; }
    [[nodiscard]] std::vector<RuleOutcome>& rules() { return rules_; }

  private:
    template <typename Detail>
    void note(Check check, const char* rule, const Origin& from, Detail&& detail) {
        if (explain_) rules_.push_back({rule, check, detail(), from.text()});
    }

    bool explain_;
    std::vector<Reason> reasons_;
    std::vector<RuleOutcome> rules_;
    std::uint64_t deadline_ = kNever;
    std::uint64_t change_ = kNever;
    std::optional<Reason> held_for_;
};

// `seconds` (0 and above) after `boot_ns`, saturating below kNever.
[[nodiscard]] std::uint64_t seconds_after(std::uint64_t boot_ns, std::int64_t seconds);
// "ISSUER#JTI"
[[nodiscard]] std::string text_of(const ApprovalId& id);
// "US, GB"; "none" where there are none.
[[nodiscard]] std::string text_of(const std::vector<std::string>& words);

} // namespace escort
