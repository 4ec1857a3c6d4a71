// The verdict engine: may this session be? Pure: facts, the governing policy and the approvals go in, a
// verdict with its whole reasoning comes out. It never reads a clock, a file or a map.
#pragma once

#include "core/ledger.h"
#include "core/policy.h"
#include "core/reason.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace escort {

// What is known of a session when it is judged.
struct SessionFacts {
    std::string account;
    Entry entry = Entry::other; // Entry::existing: it was there before the agent, its way in is not known
    std::uint64_t opened_boot_ns = 0;
    // Of a live session: the approval that it was admitted under. It stays that one's; no other can save it.
    std::optional<ApprovalId> approval;
};

enum class Ruling { approved, denied };
enum class Check { pass, fail, skip };

// One rule and how it came out: a line of `explain`.
struct RuleOutcome {
    std::string rule; // "require.entries", "window", "account" ...
    Check check = Check::skip;
    std::string detail;
    std::string from; // "FILE:LINE:COLUMN" of the policy, or "ISSUER#JTI" of the document
};

struct Verdict {
    Ruling ruling = Ruling::denied;
    Reason reason = Reason::no_approval;
    std::vector<Reason> reasons; // all that apply, in the contract's order; `reason` is the first
    std::vector<RuleOutcome> rules;
    bool observe = false;  // mode: observe (or overridden): nothing is done, whatever the ruling
    bool log_only = false; // on_violation: log
    // Of an approved session.
    std::optional<ApprovalId> approval;
    std::string engineer, escort, ticket;
    std::vector<std::string> also;
    std::uint64_t deadline_boot_ns = 0; // when it ends at the latest, CLOCK_BOOTTIME

    // Must the session end?
    [[nodiscard]] bool ends() const { return ruling == Ruling::denied && !observe && !log_only; }
};

struct Approvals {
    std::vector<Candidate> candidates;     // of the account, on this host
    std::vector<TombstoneView> tombstones; // of the account: revoked or withdrawn, not yet expired
};

// Judges a session under the policy that governs its account. `observe_override`: mode_override.
[[nodiscard]] Verdict judge(const Policy& policy, const SessionFacts& facts, const Approvals& approvals,
                            bool observe_override, const Moment& now);

// Until when a new session of the account may be admitted: the latest deadline of the candidates that admit
// now; 0: no window is open.
[[nodiscard]] std::uint64_t window_until(const std::vector<Candidate>& candidates);

} // namespace escort
