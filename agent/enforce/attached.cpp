#include "enforce/attached.h"

#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::size_t kMost = 16;
constexpr unsigned kLooks = 5;

// proc(5), /proc/PID/stat: what follows the name, which may hold brackets. 'T' stopped by a signal, 't' held
// by a debugger; a space: it can't be read.
char state_of(std::uint32_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::ostringstream text;
    text << file.rdbuf();
    const std::string stat = text.str();
    const auto name_end = stat.rfind(") ");
    return name_end == std::string::npos || name_end + 2 >= stat.size() ? ' ' : stat[name_end + 2];
}

} // namespace

void Attached::add(std::uint32_t pid) {
    if (processes_.size() == kMost) return;
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd.valid()) processes_.push_back({pid, std::move(pidfd)});
}

void Attached::wake() {
    std::erase_if(processes_, [](Process& process) {
        // Through the pidfd: where the pid is another's by now, the signal reaches nobody.
        if (state_of(process.pid) == 'T') {
            ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), SIGCONT, nullptr, 0);
            return true;
        }
        return ++process.looks == kLooks;
    });
}

} // namespace escort
