#include "enforce/sweep.h"

#include "base/fd.h"
#include "enforce/cgroup.h"

#include <algorithm>
#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

// What one pass has found of a session.
struct Found {
    SweepResult result;
    std::map<std::uint64_t, std::uint32_t> cgroups; // id, and a process that was in it
};

// A process whose label is not in its task storage; held, until a second pass has said whose it is.
struct Unsure {
    Fd pidfd;
    std::uint64_t id = 0;
    std::uint32_t pid = 0;
};

constexpr std::size_t kMostUnsure = 8; // held at once: so many descriptors

bool gone(const escort_task& task) {
    return (task.flags & ESCORT_TASK_GONE) != 0;
}

bool is_signalled(const std::map<std::uint64_t, Sweep>& sessions, const escort_task& task) {
    const auto how = sessions.find(task.id);
    return how != sessions.end() && how->second.signalled != nullptr &&
           how->second.signalled->contains({task.tgid, task.start_ns});
}

void kill_held(const Fd& pidfd) {
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0); // fails only when it is gone: good
}

// Where there was no memory for a task's storage its label is in the orphan map, which only the iterator
// asks (or it is gone by now, or its pid is another's; or one of its threads alone is of the session, and it
// must live). Each is held since before this pass: what the pass
// still finds under its pid is that process, or the signal reaches nobody.
void kill_orphans(const KernelState& state, std::vector<Unsure>& unsure) {
    if (unsure.empty()) return;
    const auto tasks = state.labelled(0);
    if (tasks)
        for (const auto& each : unsure)
            if (std::any_of(tasks->begin(), tasks->end(), [&](const escort_task& task) {
                    return task.tid == each.pid && task.id == each.id;
                }))
                kill_held(each.pidfd);
    unsure.clear();
}

// Has it been signalled for certain?
bool kill_process(const KernelState& state, std::uint64_t id, std::uint32_t pid,
                  std::vector<Unsure>& unsure) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid()) return false; // gone; or no descriptor is left: again in the next pass
    const auto label = state.label_of(pidfd.get());
    if (label == id)
        kill_held(pidfd);
    else if (!label)
        unsure.push_back({std::move(pidfd), id, pid});
    if (unsure.size() == kMostUnsure) kill_orphans(state, unsure);
    return label == id;
}

} // namespace

Result<std::map<std::uint64_t, SweepResult>> sweep_all(const KernelState& state,
                                                       const std::map<std::uint64_t, Sweep>& sessions) {
    const std::uint64_t asked = sessions.size() == 1 ? sessions.begin()->first : 0;
    const auto tasks = state.labelled(asked);
    if (!tasks) return tl::unexpected(tasks.error());
    const bool due = std::any_of(tasks->begin(), tasks->end(), [&](const escort_task& task) {
        return (task.flags & ESCORT_TASK_DUE) != 0 && !is_signalled(sessions, task);
    });
    const bool ended = due && state.end_due(asked);
    std::map<std::uint64_t, Found> found;
    for (const auto& [id, how] : sessions)
        found[id];
    for (const auto& task : *tasks) {
        const auto session = found.find(task.id);
        if (session == found.end() || gone(task)) continue;
        session->second.result.alive++;
        session->second.result.processes.emplace(task.tgid, task.start_ns);
        // Not where all are to be signalled again: the pass may have failed for some.
        if (ended && (task.flags & ESCORT_TASK_DUE) != 0 && sessions.at(task.id).signalled != nullptr)
            session->second.result.signalled.emplace(task.tgid, task.start_ns);
        session->second.cgroups.emplace(task.cgroup_id, task.tgid);
    }
    std::map<std::uint64_t, SweepResult> results;
    std::vector<Unsure> unsure;
    for (auto& [id, session] : found) {
        const Sweep& how = sessions.at(id);
        SweepResult& result = session.result;
        for (const auto& [cgroup, pid] : session.cgroups) {
            if (!how.whole_cgroup) break;
            const auto folder = cgroup_folder(pid, cgroup);
            if (folder && owns_cgroup(state, id, *folder) && kill_cgroup(*folder)) result.cgroups++;
        }
        for (const auto& process : result.processes)
            if (result.signalled.contains(process) ||
                (how.signalled != nullptr && how.signalled->contains(process)) ||
                kill_process(state, id, process.first, unsure))
                result.signalled.insert(process);
        results.emplace(id, std::move(result));
    }
    kill_orphans(state, unsure);
    return results;
}

Result<SweepResult> sweep(const KernelState& state, std::uint64_t id) {
    auto results = sweep_all(state, {{id, Sweep{.whole_cgroup = true}}});
    if (!results) return tl::unexpected(results.error());
    return std::move(results->at(id));
}

std::map<std::uint64_t, std::size_t> count_processes(const KernelState& state) {
    std::map<std::uint64_t, std::set<std::uint32_t>> processes;
    if (const auto tasks = state.labelled(0))
        for (const auto& task : *tasks)
            if (!gone(task)) processes[task.id].insert(task.tgid);
    std::map<std::uint64_t, std::size_t> counts;
    for (const auto& [id, pids] : processes)
        counts.emplace(id, pids.size());
    return counts;
}

} // namespace escort
