#include "enforce/freezer.h"

#include "base/clock.h"
#include "enforce/cgroup.h"

#include <algorithm>

namespace escort {

namespace {
constexpr std::uint64_t kFirstStopPauseUs = 1'000;
constexpr std::uint64_t kUpkeepUs = 50'000;
// So long parents are stopped before their children; then all that still runs, at once.
constexpr std::uint64_t kTurnsNs = 30'000'000;
// A hook of the kernel programs may have sent its SIGSTOP just before the verdict was lifted.
constexpr unsigned kWakePasses = 3;

using Tasks = std::vector<escort_task>;

std::uint32_t count_processes(const Tasks& tasks) {
    std::set<StartedProcess> all;
    for (const auto& task : tasks)
        if ((task.flags & ESCORT_TASK_GONE) == 0) all.emplace(task.start_ns, task.tgid);
    return static_cast<std::uint32_t>(all.size());
}

// The tasks of sessions that are looked at in one turn: of a few by a pass over all tasks for each, which
// names only that session's; of more by one pass for all.
class Looks {
  public:
    Looks(const KernelState& state, std::size_t sessions) : state_(state), apart_(sessions <= kLooksApart) {
        if (apart_) return;
        auto all = state.labelled(0);
        failed_ = !all;
        if (all)
            for (const auto& task : *all)
                tasks_[task.id].push_back(task);
    }
    // Nothing: the kernel could not be asked now.
    [[nodiscard]] std::optional<Tasks> of(std::uint64_t id) {
        if (failed_) return std::nullopt;
        if (!apart_) return std::move(tasks_[id]);
        auto tasks = state_.labelled(id);
        return tasks ? std::optional(std::move(*tasks)) : std::nullopt;
    }

  private:
    static constexpr std::size_t kLooksApart = 4;
    const KernelState& state_;
    bool apart_;
    bool failed_ = false;
    std::map<std::uint64_t, Tasks> tasks_;
};

// The session's verdict with a flag set or cleared; nothing when it has none any more, or is dead.
void set_flag(const KernelState& state, std::uint64_t id, bool frozen) {
    auto verdict = state.verdict(id);
    if (!verdict || (verdict->flags & ESCORT_VERDICT_DEAD) != 0) return;
    if (frozen)
        verdict->flags &= ~static_cast<__u32>(ESCORT_VERDICT_OBSERVE); // a watched one is never stopped
    verdict->flags = frozen ? verdict->flags | ESCORT_VERDICT_FROZEN
                            : verdict->flags & ~static_cast<__u32>(ESCORT_VERDICT_FROZEN);
    (void)state.set_verdict(id, *verdict); // ended meanwhile
}

} // namespace

Freezer::Freezer(const KernelState& state, sd_event* loop) : state_(state), loop_(loop) {}

Freezer::~Freezer() {
    sd_event_source_disable_unref(timer_);
}

void Freezer::freeze(std::uint64_t id, Done done, std::chrono::microseconds lead) {
    thawed_.erase(id);
    const auto [found, fresh] = held_.try_emplace(id);
    Held& held = found->second;
    if (!fresh && held.phase == Phase::still) {
        if (done) done({id, held.processes, 0, 0, false});
        return;
    }
    if (done) held.waiting.push_back(std::move(done));
    if (!fresh) return;
    held.since_ns = boot_ns();
    held.begin_ns = held.since_ns + static_cast<std::uint64_t>(lead.count()) * 1000;
    pause_us_ = kFirstStopPauseUs;
    if (lead.count() <= 0) {
        begin(id, held, look(id));
        pass(id, held, look(id)); // `held` may be gone after this
    }
    arm();
}

void Freezer::adopt(std::uint64_t id) {
    const auto [found, fresh] = held_.try_emplace(id);
    if (!fresh) return;
    found->second.since_ns = found->second.begin_ns = boot_ns();
    found->second.adopted = true;
    found->second.phase = Phase::stopping;
    set_flag(state_, id, true);
    pause_us_ = kFirstStopPauseUs;
    pass(id, found->second, look(id));
    arm();
}

std::optional<Freezer::Tasks> Freezer::look(std::uint64_t id) const {
    return Looks(state_, 1).of(id);
}

// What stands before the verdict is set was stopped by the user (or his debugger); what stands after it may
// have been stopped by the kernel programs.
void Freezer::begin(std::uint64_t id, Held& held, const std::optional<Tasks>& before) {
    if (before) held.users = standing(*before, [](const escort_task&) { return false; }).stopped;
    set_flag(state_, id, true);
    held.phase = Phase::stopping;
}

// Freezes the cgroups that are the session's alone, each the first time it is seen.
void Freezer::take_cgroups(std::uint64_t id, Held& held, const Tasks& tasks) {
    for (const auto& task : tasks) {
        if ((task.flags & ESCORT_TASK_GONE) != 0 || held.cgroups.contains(task.cgroup_id) ||
            held.foreign.contains(task.cgroup_id))
            continue;
        const auto folder = cgroup_folder(task.tgid, task.cgroup_id);
        if (!folder) continue; // on its way elsewhere: seen in the next pass
        if (owns_cgroup(state_, id, *folder)) {
            auto cgroup = FrozenCgroup::start(*folder, loop_, [this, id] {
                if (const auto found = held_.find(id);
                    found != held_.end() && found->second.phase == Phase::stopping)
                    pass(id, found->second, look(id));
            });
            if (cgroup) {
                held.cgroups.emplace(task.cgroup_id, std::move(*cgroup));
                continue;
            }
        }
        held.foreign.insert(task.cgroup_id);
    }
}

void Freezer::pass(std::uint64_t id, Held& held, const std::optional<Tasks>& tasks) {
    if (!tasks) return; // again at the next timer
    take_cgroups(id, held, *tasks);
    const auto now =
        standing(*tasks, [&](const escort_task& task) { return held.cgroups.contains(task.cgroup_id); });
    const std::uint64_t since_ns = boot_ns() - held.begin_ns;
    const bool in_turn = held.phase == Phase::stopping && since_ns < kTurnsNs;
    const auto due = in_turn ? without_running_parent(now.running, held.parents) : now.running;
    stop(state_, id, due);
    held.sent.insert(due.begin(), due.end());
    for (const auto& process : now.running)
        held.users.erase(process); // it was woken since: no longer the user's own stop
    held.processes = count_processes(*tasks);
    if (held.phase == Phase::still) return;
    const bool cgroups_still = std::all_of(held.cgroups.begin(), held.cgroups.end(),
                                           [](const auto& cgroup) { return cgroup.second->still(); });
    const bool patient = since_ns < static_cast<std::uint64_t>(std::chrono::nanoseconds(kPatience).count());
    if (now.running.empty() && cgroups_still)
        reported(id, held, 0);
    else if (!patient)
        reported(id, held, static_cast<std::uint32_t>(std::max<std::size_t>(now.running.size(), 1)));
}

void Freezer::reported(std::uint64_t id, Held& held, std::uint32_t moving) {
    held.phase = Phase::still;
    const Frozen frozen{id, held.processes, moving, boot_ns() - held.since_ns, false};
    const bool tell = !held.adopted;
    const auto waiting = std::exchange(held.waiting, {}); // `held` may be gone after the first call
    if (tell && on_frozen) on_frozen(frozen);
    for (const auto& done : waiting)
        done(frozen);
}

std::size_t Freezer::thaw(std::uint64_t id) {
    const auto found = held_.find(id);
    if (found == held_.end()) return 0;
    Held held = std::move(found->second);
    held_.erase(found);
    set_flag(state_, id, false);
    Thawed& thawed = thawed_[id];
    thawed = {std::move(held.users), 0};
    wake_pass(id, thawed, look(id), std::move(held.sent));
    for (const auto& [cgroup, frozen] : held.cgroups)
        frozen->thaw();
    for (const auto& done : held.waiting)
        done({id, 0, 0, 0, true});
    pause_us_ = kFirstStopPauseUs;
    arm();
    return held.processes;
}

void Freezer::wake_pass(std::uint64_t id, Thawed& thawed, const std::optional<Tasks>& tasks,
                        std::set<StartedProcess> also) {
    thawed.passes++;
    const auto stopped = tasks ? standing(*tasks, [](const escort_task&) { return false; }).stopped
                               : std::set<StartedProcess>{};
    for (const auto& process : stopped)
        if (!thawed.users.contains(process)) also.insert(process);
    wake(state_, id, also);
}

void Freezer::forget(std::uint64_t id) {
    thawed_.erase(id);
    const auto found = held_.find(id);
    if (found == held_.end()) return;
    const auto waiting = std::move(found->second.waiting);
    held_.erase(found);
    for (const auto& done : waiting)
        done({id, 0, 0, 0, true});
}

std::uint64_t Freezer::frozen_since(std::uint64_t id) const {
    const auto found = held_.find(id);
    return found == held_.end() ? 0 : found->second.since_ns;
}

std::uint32_t Freezer::verdict_flag(std::uint64_t id) const {
    const auto found = held_.find(id);
    return found != held_.end() && found->second.phase != Phase::lead ? std::uint32_t{ESCORT_VERDICT_FROZEN}
                                                                      : 0;
}

int Freezer::on_timer(sd_event_source*, std::uint64_t, void* self) {
    auto& freezer = *static_cast<Freezer*>(self);
    freezer.pause_us_ = std::min(freezer.pause_us_ * 2, kUpkeepUs);
    freezer.run();
    freezer.arm();
    return 0;
}

// Callers may freeze, thaw or forget from within: each session is looked up again.
void Freezer::run() {
    std::vector<std::uint64_t> due, begun;
    const std::uint64_t now = boot_ns();
    for (const auto& [id, held] : held_)
        if (held.phase == Phase::lead && held.begin_ns <= now) due.push_back(id);
    Looks before(state_, due.size());
    for (const auto id : due)
        begin(id, held_.at(id), before.of(id));
    for (const auto& [id, held] : held_)
        if (held.phase != Phase::lead) begun.push_back(id);
    Looks looks(state_, begun.size() + thawed_.size());
    for (const auto id : begun)
        if (const auto found = held_.find(id); found != held_.end() && found->second.phase != Phase::lead)
            pass(id, found->second, looks.of(id));
    for (auto& [id, thawed] : thawed_)
        wake_pass(id, thawed, looks.of(id));
    std::erase_if(thawed_, [](const auto& thawed) { return thawed.second.passes > kWakePasses; });
}

// Only while something is to be done by time: a lead, a stop that is not seen yet, upkeep.
void Freezer::arm() {
    std::optional<std::uint64_t> pause_us;
    const auto within = [&](std::uint64_t us) { pause_us = std::min(us, pause_us.value_or(us)); };
    const std::uint64_t now = boot_ns();
    for (const auto& [id, held] : held_) {
        if (held.phase == Phase::lead)
            within(held.begin_ns > now ? (held.begin_ns - now) / 1000 + 1 : 1);
        else if (held.phase == Phase::stopping)
            within(pause_us_);
        else
            within(kUpkeepUs); // root may move a process out of its frozen cgroup, and nothing tells of that
    }
    if (!thawed_.empty()) within(pause_us_);
    if (!pause_us) return;
    if (timer_ == nullptr) {
        if (sd_event_add_time_relative(loop_, &timer_, CLOCK_MONOTONIC, *pause_us, 1, on_timer, this) < 0)
            return;
        sd_event_source_set_priority(timer_, SD_EVENT_PRIORITY_IMPORTANT);
        return;
    }
    sd_event_source_set_time_relative(timer_, *pause_us);
    sd_event_source_set_enabled(timer_, SD_EVENT_ONESHOT);
}

} // namespace escort
