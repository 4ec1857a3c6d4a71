#include "enforce/stillness.h"

#include "base/fd.h"

#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

void signal_process(const KernelState& state, std::uint64_t id, std::uint32_t pid, int signal) {
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid() || state.label_of(pidfd.get()) != id) return;
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0); // fails only when it is gone
}

} // namespace

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
