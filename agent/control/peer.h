// Who is at the other end of a Unix socket, as the kernel says (SO_PEERCRED, SO_PEERGROUPS): never by what it
// says itself. Numbers only; names would need NSS, which may block.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace escort::control {

struct Peer {
    uid_t uid = 0;
    gid_t gid = 0;
    pid_t pid = 0;
    std::vector<gid_t> groups; // supplementary, as at the time of its connect
    // /proc/PID/loginuid: the person behind a sudo. For the record only, never for a permission: the pid may
    // have been taken over, and root can rewrite it.
    std::optional<std::uint32_t> login_uid;
    // Of its process; null when that is gone.
    std::shared_ptr<const Fd> pidfd = nullptr;

    [[nodiscard]] bool is_root() const { return uid == 0; }
    [[nodiscard]] bool in_group(gid_t group) const;
    // "uid 0 (login uid 1000, pid 4711)": ESCORT_OPERATOR.
    [[nodiscard]] std::string text() const;
};

[[nodiscard]] Result<Peer> peer_of(int connection);

} // namespace escort::control
