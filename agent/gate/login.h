// The process that asks the gate, proven to be the one: its own pidfd, sent along, whose pid is the peer's as
// the kernel tells it (SO_PEERCRED). Never by what it says itself.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace escort::gate {

struct GateLogin {
    pid_t pid = 0; // of the daemon's own PID namespace
    Fd pidfd;      // of that very process; keeps the number from meaning another one
};

struct Received {
    bool empty = false; // nothing has come yet, no error
    std::string bytes;
    Fd descriptor;
};
// One message with its descriptor. An error where the peer has closed, where it is longer than kMessageBytes,
// or where it brings anything but one descriptor; none of them stays open then.
[[nodiscard]] Result<Received> receive_request(int connection);

// The peer's login, if the peer is root (euid 0 in the daemon's user namespace) and `pidfd` its own and
// alive.
[[nodiscard]] Result<GateLogin> prove_login(int connection, Fd pidfd);

// "Pid:" of a pidfd's /proc/self/fdinfo text: -1 for a process that has ended, 0 for one of another PID
// namespace; an error where it is no pidfd's.
[[nodiscard]] Result<pid_t> pid_of_fdinfo(std::string_view text);

} // namespace escort::gate
