// Typed access to the maps of the kernel programs: sessions, verdicts, rules, counters, tasks. One call, one
// map operation (or one pass of the iterator); decides nothing.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "kernel/programs.h"

#include "abi.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace escort {

struct KernelRule {
    escort_rule_key key;
    escort_rule value; // zeroed before it is filled: it is compared as bytes
    [[nodiscard]] bool operator==(const KernelRule& other) const;
};

struct KernelSession {
    std::uint64_t id;
    escort_session facts;
};

using Counters = std::array<std::uint64_t, ESCORT_COUNT_MAX>;
// "opened", "ring_full" ...: names for `status`.
[[nodiscard]] const char* counter_name(escort_counter counter);

class KernelState {
  public:
    // `programs` must outlive this.
    explicit KernelState(const Programs& programs);

    // All rules at once: a new inner map is filled, then one update flips it in. The flip waits for an RCU
    // grace period (maybe_wait_bpf_programs), tens of milliseconds; so where only windows opened or closed
    // they are written into the map in force, each at once.
    [[nodiscard]] Status set_rules(const std::vector<KernelRule>& rules);

    // Of a session that the kernel knows; it may have ended meanwhile (an error, and nothing is written).
    [[nodiscard]] Status set_verdict(std::uint64_t id, const escort_verdict& verdict) const;
    [[nodiscard]] std::optional<escort_verdict> verdict(std::uint64_t id) const;
    [[nodiscard]] Status allow_also(std::uint64_t id, std::uint32_t uid) const;
    void forbid_also(std::uint64_t id, std::uint32_t uid) const;
    [[nodiscard]] std::optional<escort_session> session(std::uint64_t id) const;
    [[nodiscard]] std::vector<KernelSession> sessions() const;
    // Opens a session that no task is in yet, with its first verdict: for a login process that the gate has
    // cleared. Numbered by the kernel, as every other. Error: no room for one more.
    [[nodiscard]] Result<std::uint64_t> open_session(std::uint32_t uid, std::uint32_t entry,
                                                     const escort_verdict& verdict) const;
    // Puts the label of such a session on the one task behind `pidfd`, its first. Errors: the task is in a
    // session already (EEXIST) or gone; then the session is still without a task, and is to be forgotten.
    [[nodiscard]] Status label(int pidfd, std::uint64_t id) const;
    // Removes what the maps hold of a session that has ended.
    void forget(std::uint64_t id, const std::vector<std::uint32_t>& also) const;

    // A uid that was looked up and is no principal: the kernel asks no more.
    void set_known(std::uint32_t uid) const;
    void clear_known() const;
    void clear_known(std::uint32_t uid) const;

    // Is the machine a copy (a restored snapshot, a clone), which heard_of_copy() has not been told yet? The
    // kernel lets nobody in meanwhile.
    [[nodiscard]] bool is_unheard_copy() const;
    void heard_of_copy() const;

    // Every task with a label, of one session or (id 0) of all.
    [[nodiscard]] Result<std::vector<escort_task>> labelled(std::uint64_t id) const;
    // Kills the processes that labelled() shows as due (ESCORT_TASK_DUE), all in one call: they have their
    // signal before the first of them gets to die, and takes the processor for it.
    [[nodiscard]] Status end_due(std::uint64_t id) const;
    // Labels the principals' tasks that have none, in as many passes as it takes until a pass finds no new
    // one (at most 8). Returns those, and tasks whose uid was never looked up.
    [[nodiscard]] Result<std::vector<escort_task>> adopt() const;
    // The session that the task behind this pidfd is in; nothing: none, or the task is gone.
    [[nodiscard]] std::optional<std::uint64_t> label_of(int pidfd) const;
    // The session that this process was in until it exited, at most kExitedFor ago; nothing: none, or nobody
    // knows any more. Its pid may be another's already: to be asked of an act that is a moment old.
    [[nodiscard]] std::optional<std::uint64_t> label_of_exited(std::uint32_t pid) const;
    static constexpr std::chrono::seconds kExitedFor{5};

    // A task of a listed unit that was there before the unit was listed: what the unit's program was started
    // as (kernel/running_units.h). Those that start later are seen by the kernel. Errors: the task is gone,
    // or has a record.
    [[nodiscard]] Status set_unit_task(int pidfd, const escort_unit_task& task) const;
    [[nodiscard]] std::optional<escort_unit_task> unit_task(int pidfd) const;

    // Compares what the maps hold with what this daemon wrote there, and writes it again. What had been
    // changed, in words; nobody but root can. A few map operations a session and a rule: once a second.
    [[nodiscard]] std::vector<std::string> restore();
    // Sessions that the kernel has marked dead by itself, as the last restore() found them: their event may
    // have been lost.
    [[nodiscard]] std::set<std::uint64_t> take_dead() { return std::exchange(dead_, {}); }

    [[nodiscard]] Counters counters() const;
    [[nodiscard]] std::uint64_t next_number() const;
    [[nodiscard]] int ring() const { return ring_; }

  private:
    [[nodiscard]] bool same_keys(const std::vector<KernelRule>& rules) const;
    [[nodiscard]] Result<std::vector<escort_task>> iterate(escort_iter_mode mode, std::uint64_t id) const;

    // Before a unit's rule is in force: PID 1's forks are marked, and its tasks that run already are noted.
    [[nodiscard]] Status prepare_units(const std::vector<KernelRule>& rules) const;

    void restore_verdicts(std::vector<std::string>& changed) const;
    void restore_rules(std::vector<std::string>& changed);
    void restore_config(std::vector<std::string>& changed);

    int labels_, sessions_, verdicts_, also_, rules_, known_, config_, counters_, ring_, request_, adopted_,
        restored_, own_maps_, exited_;
    int unit_tasks_, units_since_;
    int iterator_, open_session_;
    std::uint32_t inner_id_ = 0;
    Fd inner_;                         // the rules in force; none before the first flip of this process
    std::vector<KernelRule> in_force_; // what it holds
    mutable std::set<std::uint64_t> dead_;
    mutable std::map<std::uint64_t, escort_verdict> told_; // verdicts as written, of sessions not forgotten
    std::optional<escort_config> learnt_;                  // as it was when it was first looked at
};

} // namespace escort
