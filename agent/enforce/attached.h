// Processes outside a session that its debugger may have stopped. The session dies for it at once, and with
// it who would have let them go on: PTRACE_ATTACH leaves a SIGSTOP behind (ptrace(2)).
#pragma once

#include "base/fd.h"

#include <cstdint>
#include <vector>

namespace escort {

class Attached {
  public:
    // Has run until a debugger came. Nothing is done when it is gone, or when 16 are held already (each costs
    // a descriptor).
    void add(std::uint32_t pid);
    // Wakes those that stand and that no debugger holds; each is looked at for five seconds, since its
    // SIGSTOP may come late. To be called when a session has ended, and once a second.
    void wake();

  private:
    struct Process {
        std::uint32_t pid = 0;
        Fd pidfd;
        std::uint64_t until_ns = 0; // CLOCK_BOOTTIME
    };
    std::vector<Process> processes_;
};

} // namespace escort
