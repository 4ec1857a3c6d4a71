// sock_diag(7): the kernel's own table of TCP connections, for those whose inode numbers are known.
#pragma once

#include "base/result.h"
#include "process/sockets.h"

#include <chrono>
#include <set>
#include <vector>

namespace escort {

// Connections of the daemon's network namespace among `inodes`. Error: not permitted, or not done within
// `limit`; then it can't be said which of them are there.
[[nodiscard]] Result<std::vector<TcpSocket>> connections_of(const std::set<ino_t>& inodes,
                                                            std::chrono::milliseconds limit);

} // namespace escort
