// A listening Unix socket at a path. It accepts nothing and decides nothing.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <sys/types.h>

namespace escort {

// `type`: SOCK_STREAM or SOCK_SEQPACKET; never blocks, closed on exec. Its mode is 0660 and its group
// `group`, or 0600 without one. Made under another name and renamed: at no instant can more people connect,
// nor is there one without a socket while a daemon takes over from another.
[[nodiscard]] Result<Fd> listen_unix(const std::string& path, int type, std::optional<gid_t> group);

} // namespace escort
