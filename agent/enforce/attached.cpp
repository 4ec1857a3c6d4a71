#include "enforce/attached.h"

#include "base/clock.h"
#include "base/file.h"
#include "process/proc_text.h"

#include <chrono>
#include <csignal>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::size_t kMost = 16;
constexpr std::chrono::nanoseconds kLooked = std::chrono::seconds{5};

bool is_stopped(std::uint32_t pid) {
    ProcessFacts facts;
    const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    return stat && read_stat(*stat, facts) && facts.state == 'T';
}

} // namespace

void Attached::add(std::uint32_t pid) {
    if (processes_.size() == kMost) return;
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid()) return;
    processes_.push_back({pid, std::move(pidfd), boot_ns() + static_cast<std::uint64_t>(kLooked.count())});
}

void Attached::wake() {
    std::erase_if(processes_, [](Process& process) {
        if (!is_stopped(process.pid)) return boot_ns() > process.until_ns;
        // Through the pidfd: where the pid is another's by now, the signal reaches nobody.
        ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), SIGCONT, nullptr, 0);
        return true;
    });
}

} // namespace escort
