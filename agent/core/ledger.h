// The ledger: the approval lists in force, and which new list may replace them (contract §4). Pure: no I/O,
// no logging; signatures and issuers are judged before a list comes here, the clock is passed in.
//
//   plan(list)    judges a list and says all that would change, changing nothing
//   after(plan)   what must be on disk before the plan may take effect
//   commit(plan)  makes it so
//
// Time: an approval's exp gets no skew; iat, nbf and a list's exp get 60 s. Deadlines are CLOCK_BOOTTIME,
// computed when a list is accepted and again by retime(); the earlier wins, so a clock set back gives no
// extra time.
#pragma once

#include "base/moment.h"
#include "core/approval.h"
#include "core/ledger_memory.h"
#include "core/refusal.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace escort {

constexpr std::int64_t kClockSkew = 60; // seconds (contract §4)
constexpr std::uint64_t kSeqJumpLimit = std::uint64_t{1} << 32;
constexpr std::size_t kListsPerIssuer = 64;
constexpr std::size_t kSequencesPerIssuer = 4096; // identities ever seen, live or not: bounded memory
constexpr std::size_t kRevokedLimit = 100'000;
constexpr std::int64_t kRevokedUnknownFor = 30 * 24 * 3600; // seconds, where the approval's exp is unknown

struct LedgerSettings {
    std::string host_id;
    std::vector<std::string> groups;
    std::int64_t stale_grace = 0; // seconds that live sessions outlast an expired list
};

// What an accepted list changed among the approvals that can be used.
struct LedgerChange {
    std::vector<ApprovalId> revoked; // were in force, are named in `revoked`
    std::vector<ApprovalId> removed; // were in force, are in no list any more
    std::vector<ApprovalId> added;   // are new, and not revoked
};

// One approval as it stands at a moment. The pointers hold until the ledger next changes.
struct Candidate {
    const Approval* approval = nullptr;
    const ApprovalList* list = nullptr;
    bool revoked = false;
    bool expired = false;
    bool not_yet_valid = false;
    bool list_stale = false; // past the list's exp and skew: no new session, live ones have stale_grace
    // CLOCK_BOOTTIME ns until which a new session may be admitted: min(approval's exp, list's exp + 60 s).
    std::uint64_t deadline_boot_ns = 0;
    // CLOCK_BOOTTIME ns at which a live session ends: the same, with stale_grace added to the list's part.
    std::uint64_t deadline_live_boot_ns = 0;

    [[nodiscard]] ApprovalId id() const { return {list->issuer, approval->jti}; }
    [[nodiscard]] bool admits() const { return !revoked && !expired && !not_yet_valid && !list_stale; }
};

struct TombstoneView {
    ApprovalId id;
    Tombstone tombstone;
};

struct LedgerPlan {
    ApprovalList list;
    ListKey key;
    bool duplicate = false;                     // the same bytes are in force already: nothing changes
    std::map<ApprovalId, Tombstone> tombstones; // new or prolonged
    std::vector<ListKey> dropped;               // lists that can grant nothing any more, to make room
    LedgerChange change;
    std::int64_t judged_at = 0; // trusted time
};

// What a revocation event would change.
struct RevocationPlan {
    std::map<ApprovalId, Tombstone> tombstones; // new or prolonged; none: all of it is known already
    LedgerChange change;
    std::int64_t judged_at = 0; // trusted time
};

class Ledger {
  public:
    explicit Ledger(LedgerSettings settings, LedgerMemory memory = {});
    Ledger(Ledger&&) = default;
    Ledger& operator=(Ledger&&) = default;
    Ledger(const Ledger&) = delete; // the index points into the lists
    Ledger& operator=(const Ledger&) = delete;
    ~Ledger() = default;

    [[nodiscard]] Judged<LedgerPlan> plan(ApprovalList list, const Moment& now) const;
    [[nodiscard]] LedgerMemory after(const LedgerPlan& plan) const;
    LedgerChange commit(LedgerPlan plan, const Moment& now);
    // plan and commit in one step, for callers that persist nothing.
    Judged<LedgerChange> accept(ApprovalList list, const Moment& now);

    // One approval taken back by an event instead of a list (CAEP): by that jti what any of the issuers
    // listed, else, as it may still come, what any of them might. It is remembered as `revoked` of a list is;
    // one that is in force is revoked even where the memory is full.
    [[nodiscard]] Judged<RevocationPlan>
    plan_revocation(const std::string& jti, const std::vector<std::string>& issuers, const Moment& now) const;
    [[nodiscard]] LedgerMemory after(const RevocationPlan& plan) const;
    LedgerChange commit(RevocationPlan plan);

    // Puts back a list that was accepted before a restart: it must be the very one that the memory names.
    // An expired one is put back too (it is stale, and live sessions have their grace).
    [[nodiscard]] Judged<LedgerChange> reinstate(ApprovalList list, const Moment& now);
    // Takes a list out of force at once (its key is no longer trusted). Its seq stays; nothing is revoked.
    LedgerChange withdraw(const ListKey& key);

    // Takes every list out of force, for good: each counts again only by a newer one. Their seqs stay.
    LedgerChange forget_lists();

    // Brings the deadlines forward where the clocks now say so; never back. Each tick, and when the wall
    // clock was set.
    void retime(const Moment& now);

    // In no particular order. Quick: indexed by account, by unit and by id.
    [[nodiscard]] std::vector<Candidate> candidates(std::string_view account, const Moment& now) const;
    [[nodiscard]] std::vector<Candidate> unit_candidates(std::string_view unit, const Moment& now) const;
    [[nodiscard]] std::vector<Candidate> all(const Moment& now) const;
    // The approval of a live session; where several lists hold it, the one that lasts longest.
    [[nodiscard]] std::optional<Candidate> find(const ApprovalId& id, const Moment& now) const;
    // The approval of a live session, where it was revoked or removed and would not have expired yet.
    [[nodiscard]] std::optional<TombstoneView> tombstone(const ApprovalId& id, const Moment& now) const;
    // Those of the account or unit. Looks through all that is remembered.
    [[nodiscard]] std::vector<TombstoneView> tombstones(std::string_view account, const Moment& now) const;

    [[nodiscard]] std::vector<const ApprovalList*> lists() const;
    [[nodiscard]] const ApprovalList* list(const ListKey& key) const;
    [[nodiscard]] const LedgerMemory& memory() const { return memory_; }
    // Is that audience ("host:ID", "group:NAME") this host, or a group that it is of?
    [[nodiscard]] bool for_this_host(const std::string& audience) const;

  private:
    struct Held {
        ApprovalList list;
        std::uint64_t stale_boot_ns = 0;        // list's exp + skew
        std::uint64_t end_boot_ns = 0;          // list's exp + skew + stale_grace
        std::vector<std::uint64_t> exp_boot_ns; // of each approval
    };
    struct Slot {
        const Held* held;
        std::size_t index;
    };

    using SlotsByName = std::map<std::string, std::vector<Slot>, std::less<>>;
    using IdView = std::pair<std::string_view, std::string_view>; // issuer, jti: of the list itself

    [[nodiscard]] Candidate view(const Slot& slot, const Moment& now) const;
    [[nodiscard]] std::vector<Candidate> view_all(const SlotsByName& slots, std::string_view name,
                                                  const Moment& now) const;
    static void forget(SlotsByName& slots, std::string_view name, const Held* held);
    [[nodiscard]] std::size_t remembered(const std::map<ApprovalId, Tombstone>& but,
                                         std::int64_t trusted) const;
    [[nodiscard]] Judged<bool> judge_sequence(const ApprovalList& list, const ListKey& key) const;
    [[nodiscard]] Judged<std::vector<ListKey>> make_room(const ListKey& key, const Moment& now) const;
    void plan_revocations(LedgerPlan& plan, const Moment& now) const;
    void plan_additions(LedgerPlan& plan) const;
    void install(const ListKey& key, ApprovalList list, const Moment& now);
    void erase(const ListKey& key);

    LedgerSettings settings_;
    LedgerMemory memory_;
    std::map<ListKey, Held> lists_;
    SlotsByName by_account_;
    SlotsByName by_unit_;
    std::multimap<IdView, Slot> by_id_; // the same approval may stand in several lists
};

} // namespace escort
