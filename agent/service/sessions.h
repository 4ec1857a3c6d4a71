// Sessions from the kernel's first word to their last task: heard of, judged, told to the kernel, ended,
// written to the journal. Decides nothing by itself: the verdict engine does.
#pragma once

#include "core/session.h"
#include "enforce/ender.h"
#include "kernel/state.h"
#include "output/facts.h"
#include "output/journal.h"
#include "service/rulebook.h"
#include "service/timekeeper.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

namespace escort {

// Why a session ends, where it isn't its own verdict: by hand.
struct EndedByHand {
    std::string operated_by; // who
    std::string note;        // their reason
};

class Sessions {
  public:
    using Done = std::function<void(const Session&, const Ended&)>;

    // All must outlive this.
    Sessions(KernelState& kernel, Journal& journal, const Rulebook& rulebook, Timekeeper& time,
             sd_event* loop);

    // A record of the lifecycle ring.
    void on_event(const escort_event& event);

    // Sessions that the kernel knows and we don't (a restart, a lost event), and those that are gone.
    void reconcile();
    // Labels and judges the principals' tasks that were there before. Returns uids that were never looked up.
    [[nodiscard]] std::set<std::uint32_t> adopt();
    // Judges every live session again: the policy, the approvals or the time has changed.
    void rejudge();

    // Ends a session by hand. `done` is called when nothing of it is left. false: no such live session.
    [[nodiscard]] bool kill(std::uint64_t id, EndedByHand by, Done done);
    // Calls `done` for each of these sessions when it has ended.
    void when_ended(std::uint64_t id, Done done) { waiting_.emplace(id, std::move(done)); }

    // When the next live session reaches its deadline, CLOCK_BOOTTIME ns; kNever: none.
    [[nodiscard]] std::uint64_t next_deadline() const;
    // Live sessions that are ending now.
    [[nodiscard]] std::set<std::uint64_t> ending() const;

    [[nodiscard]] SessionTable& table() { return table_; }
    // Live processes of each session that has any.
    [[nodiscard]] std::map<std::uint64_t, std::size_t> process_counts() const;

    // Called when what must outlive a restart has changed (approvals(), next_number of the kernel).
    std::function<void()> on_change;
    // "7f3a2c1e-42" → the approval that it was admitted under.
    [[nodiscard]] std::map<std::string, ApprovalId> approvals() const;
    void restore_approvals(std::map<std::string, ApprovalId> approvals) { restored_ = std::move(approvals); }

  private:
    void opened(const escort_event& event);
    void entered(const escort_event& event);
    void exempted(const escort_event& event);
    Session describe(const escort_event& event, const Governed& governed) const;
    void found(std::uint64_t id, const escort_session& facts, const std::vector<escort_task>& tasks);
    void judge(Session& session);
    void apply(Session& session, Verdict verdict);
    void release(Session& session);
    void tell_kernel(Session& session);
    void end(Session& session, const std::string& action);
    void finish(const Ended& ended);
    void write_verdict(const Session& session, std::uint64_t latency_ns);
    [[nodiscard]] SessionRecord record_of(const Session& session) const;

    KernelState& kernel_;
    Journal& journal_;
    const Rulebook& rulebook_;
    Timekeeper& time_;
    Ender ender_;
    SessionTable table_;
    std::multimap<std::uint64_t, Done> waiting_;
    std::map<std::uint64_t, EndedByHand> by_hand_;
    std::map<std::string, ApprovalId> restored_;
    std::set<std::pair<std::string, std::uint32_t>> exempt_told_; // unit, uid: told once
    std::set<std::uint32_t> attributed_told_;                     // pids
};

} // namespace escort
