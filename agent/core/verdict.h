// The verdict engine: may this session be? Pure: facts, the governing policy and the approvals go in, a
// verdict with its whole reasoning comes out. It never reads a clock, a file or a map.
#pragma once

#include "core/denials.h"
#include "core/ledger.h"
#include "core/policy.h"
#include "core/presence.h"
#include "core/reason.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace escort {

class Patterns;

// What is known of a session when it is judged. A fact that could not be established is absent.
struct SessionFacts {
    std::string account;        // empty where it is a unit's
    Entry entry = Entry::other; // Entry::existing: it was there before the agent, its way in is not known
    std::uint64_t opened_boot_ns = 0;
    // Of a live session: the approval that it was admitted under. It stays that one's; no other can save it.
    std::optional<ApprovalId> approval{};

    std::string unit{}; // of a session of `principals.units`: always judged as admission: window
    bool gated = false; // the PAM gate has cleared it before its first instruction
    // The gate's account phase: the key is not known yet, and what is bound to it is proven later.
    bool key_later = false;
    std::optional<std::string> source{}; // the peer's address, as text: IPv4 or IPv6
    std::optional<std::string> key{};    // "SHA256:...", of the key or of the certificate's key
    std::optional<std::string> key_id{}; // of the certificate
    std::uint64_t idle_ns = 0;           // since its terminals' last input, or its last activity
};

enum class Ruling { approved, denied };
enum class Check { pass, fail, skip };

// One rule and how it came out: a line of `explain`.
struct RuleOutcome {
    // The policy's key ("require.engineer.location.allow"), or what the document says ("window", "revoked",
    // "approval.source"). "approval" opens the lines of one approval; only the decisive one has any.
    std::string rule;
    Check check = Check::skip;
    std::string detail;
    std::string from; // "FILE:LINE:COLUMN" of the policy, or "ISSUER#JTI" of the document
};

// Of a session that goes on: as it is, or standing still.
enum class Hold { none, freeze };

struct Verdict {
    Ruling ruling = Ruling::denied;
    Reason reason = Reason::no_approval;
    std::vector<Reason> reasons; // all that apply, in the contract's order; `reason` is the first
    std::vector<RuleOutcome> rules;
    bool observe = false;  // mode: observe (or overridden): nothing is done, whatever the ruling
    bool log_only = false; // on_violation: log
    // freeze: approved, but its escort is away (`held_for`: escort_absent); or denied, and on_violation:
    // freeze.
    Hold hold = Hold::none;
    std::optional<Reason> held_for;
    // Of an approved session.
    std::optional<ApprovalId> approval{};
    std::string engineer, escort, ticket;
    std::vector<std::string> also;
    // When it ends at the latest, CLOCK_BOOTTIME: what the kernel enforces by itself.
    std::uint64_t deadline_boot_ns = 0;
    // When it must be judged again at the latest, though nothing new is heard: never after the deadline.
    std::uint64_t recheck_boot_ns = kNever;

    // Must the session end?
    [[nodiscard]] bool ends() const {
        return ruling == Ruling::denied && !observe && !log_only && hold == Hold::none;
    }
    // Must it stand still?
    [[nodiscard]] bool freezes() const { return hold == Hold::freeze && !observe && !log_only; }
};

// What a session is judged by, beside the policy and its own facts.
struct Evidence {
    std::vector<Candidate> candidates;              // of the account or unit, on this host
    std::vector<TombstoneView> tombstones;          // of the account: revoked or withdrawn, not yet expired
    std::map<ApprovalId, std::uint32_t> sessions{}; // other live sessions, by the approval that each uses
    const PresenceBook* presence = nullptr;         // null: nobody is present
    const Denials* denials = nullptr;               // null: none
    const Patterns* patterns = nullptr; // the policies' patterns, compiled; null or not there: done each time
    bool explain = true;                // false: no `rules`, which take longer than the verdict
};

// Judges a session under the policy that governs its account. `observe_override`: mode_override.
// A live session (facts.approval) is judged by its own approval alone, whatever else is offered: `evidence`
// needs to hold no more than that one, or its tombstone, and `sessions` is not asked.
[[nodiscard]] Verdict judge(const Policy& policy, const SessionFacts& facts, const Evidence& evidence,
                            bool observe_override, const Moment& now);

// Until when a new session of the account may be admitted, CLOCK_BOOTTIME: the latest deadline of the
// candidates that admit now; 0: no window is open.
[[nodiscard]] std::uint64_t window_until(const std::vector<Candidate>& candidates);

// The same under a policy, for the kernel, which knows no key and no address: only of candidates that some
// session could use now. It ends when the first of what was judged ends: the escort's lease, the age of the
// engineer's place. evidence.sessions closes it where every session of an approval is in use.
[[nodiscard]] std::uint64_t window_until(const Policy& policy, const Evidence& evidence, const Moment& now);

} // namespace escort
