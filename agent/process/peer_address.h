// Who is at the other end of the SSH connection that a process was started by: told by the kernel's socket of
// sshd, never by the environment, which its owner may write.
//
// It says nothing of a peer behind a proxy: the address is the proxy's.
#pragma once

#include "base/result.h"
#include "process/facts.h"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace escort {

struct PeerAddress {
    std::string
        address; // canonical text: "203.0.113.7", "2001:db8::7"; IPv4-mapped IPv6 as IPv4, no scope id
    std::uint16_t port = 0;
    pid_t pid = 0; // the sshd that holds the connection
};

// From `process` upward, at most 32 processes: the nearest sshd or sshd-session of root (real uid 0: a
// program of that name that the account itself runs doesn't count) that holds a TCP connection. With several
// connections the one counts that came in at a port where sshd's own parent listens; else it can't be told.
// An error says what is missing. Costs some 0.2 ms; nothing blocks.
[[nodiscard]] Result<PeerAddress> peer_address(const Process& process);

} // namespace escort
