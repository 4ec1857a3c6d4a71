// Processes outside a session that its debugger may have stopped. The session dies for it at once, and with
// it who would have let them go on: PTRACE_ATTACH leaves a SIGSTOP behind (ptrace(2)).
#pragma once

#include "base/fd.h"

#include <cstdint>
#include <vector>

namespace escort {

class Attached {
  public:
    // This process ran until the debugger came. Harmless when it is gone.
    void add(std::uint32_t pid);
    // Wakes those that stand and that no debugger holds. To be called when a session has ended, and once a
    // second: each is looked at five times, since its SIGSTOP may come late.
    void wake();

  private:
    struct Process {
        std::uint32_t pid = 0;
        Fd pidfd;
        unsigned looks = 0;
    };
    std::vector<Process> processes_; // no more than kMost: each costs a descriptor
};

} // namespace escort
