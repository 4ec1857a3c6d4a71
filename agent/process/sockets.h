// The TCP sockets of another process, as the kernel has them, whatever network namespace they are in.
#pragma once

#include "base/result.h"
#include "process/facts.h"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace escort {

struct TcpEnd {
    std::string address; // canonical; IPv4-mapped IPv6 as IPv4
    std::uint16_t port = 0;
};

struct TcpSocket {
    ino_t inode = 0; // which socket it is, whoever holds it
    bool listening = false;
    TcpEnd local, peer; // peer: of a connection
};

// Each socket once; connections and listeners, nothing else.
//
// Each is duplicated with pidfd_getfd(2) and asked itself: some 0.1 ms for an sshd, however many sockets the
// host has, and right in any network namespace. That needs CAP_SYS_PTRACE. Where it is forbidden all the same
// (Yama's ptrace_scope 3, a kernel before 5.6), the connections are looked up with sock_diag(7) in the
// daemon's own network namespace: 4 us for each socket of the host (80 ms measured with 19,000), so it gives
// up after 50 ms; listeners are not found that way. Error: the process has ended, has more than 4,096
// descriptors, or its sockets can't be asked.
[[nodiscard]] Result<std::vector<TcpSocket>> tcp_sockets(const Process& process);

} // namespace escort
