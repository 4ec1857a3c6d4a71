#include "enforce/sweep.h"

#include "base/fd.h"
#include "enforce/cgroup.h"

#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

bool gone(const escort_task& task) {
    return (task.flags & ESCORT_TASK_GONE) != 0;
}

void kill_process(const KernelState& state, std::uint64_t id, std::uint32_t pid) {
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid() || state.label_of(pidfd.get()) != id) return;
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0); // fails only when it is gone: good
}

} // namespace

Result<SweepResult> sweep(const KernelState& state, std::uint64_t id) {
    const auto tasks = state.labelled(id);
    if (!tasks) return tl::unexpected(tasks.error());
    SweepResult result;
    std::set<std::uint64_t> cgroups;
    for (const auto& task : *tasks) {
        if (gone(task)) continue;
        result.alive++;
        if (!result.processes.emplace(task.tgid, task.start_ns).second) continue;
        if (cgroups.insert(task.cgroup_id).second) {
            const auto folder = cgroup_folder(task.tgid, task.cgroup_id);
            if (folder && owns_cgroup(state, id, task.cgroup_id, *folder) && kill_cgroup(*folder))
                result.cgroups++;
        }
    }
    for (const auto& [pid, start] : result.processes)
        kill_process(state, id, pid);
    return result;
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
