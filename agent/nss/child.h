// A child process with a stream socket to it, known by its pidfd: started, killed and reaped without ever
// waiting for it.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <string>
#include <vector>

namespace escort {

struct Child {
    Fd socket; // close-on-exec; use MSG_DONTWAIT
    Fd pidfd;  // readable once the process has ended
};

// Starts `program` with `arguments` (argv, its first included); the other end of the socket is its fd
// `child_fd`. Signals are unblocked and at their defaults in it, and its environment holds PATH and LC_ALL
// only.
[[nodiscard]] Result<Child> spawn_child(const std::string& program, const std::vector<std::string>& arguments,
                                        int child_fd);

void kill_child(const Child& child);

// True once the process has ended and its zombie is gone.
[[nodiscard]] bool reap_child(const Child& child);

} // namespace escort
