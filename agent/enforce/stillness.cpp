#include "enforce/stillness.h"

#include "base/fd.h"
#include "base/file.h"
#include "process/proc_text.h"

#include <csignal>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

void signal_process(const KernelState& state, std::uint64_t id, std::uint32_t pid, int signal) {
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid() || state.label_of(pidfd.get()) != id) return;
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0); // fails only when it is gone
}

// 0: not known. Only an order hangs on it, so a pid that is another's by now does no harm.
std::uint32_t parent_of(std::uint32_t pid) {
    ProcessFacts facts;
    const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    return stat && read_stat(*stat, facts) ? static_cast<std::uint32_t>(facts.parent) : 0;
}

} // namespace

std::set<StartedProcess> without_running_parent(const std::set<StartedProcess>& running,
                                                std::map<StartedProcess, std::uint32_t>& parents) {
    std::set<std::uint32_t> pids;
    for (const auto& [start, pid] : running)
        pids.insert(pid);
    std::set<StartedProcess> first;
    for (const auto& process : running) {
        const auto [known, fresh] = parents.try_emplace(process, 0);
        if (fresh) known->second = parent_of(process.second);
        if (!pids.contains(known->second)) first.insert(process);
    }
    return first;
}

Standing standing(const std::vector<escort_task>& tasks,
                  const std::function<bool(const escort_task&)>& held) {
    Standing result;
    for (const auto& task : tasks) {
        if ((task.flags & ESCORT_TASK_GONE) != 0 || held(task)) continue;
        const bool stopped = (task.flags & ESCORT_TASK_STOPPED) != 0;
        (stopped ? result.stopped : result.running).emplace(task.start_ns, task.tgid);
    }
    for (const auto& process : result.running)
        result.stopped.erase(process); // one thread that runs is enough
    return result;
}

void stop(const KernelState& state, std::uint64_t id, const std::set<StartedProcess>& processes) {
    for (const auto& [start, pid] : processes)
        signal_process(state, id, pid, SIGSTOP);
}

void wake(const KernelState& state, std::uint64_t id, const std::set<StartedProcess>& processes) {
    for (auto process = processes.rbegin(); process != processes.rend(); ++process)
        signal_process(state, id, process->second, SIGCONT);
}

} // namespace escort
