// Private halves of trusted keys that lie about on this host: whoever reads such a file approves sessions, so
// the agent is degraded while one is there (contract §4). Reads them and keeps nothing of them.
#pragma once

#include "approvals/trust.h"

#include <string>
#include <vector>

namespace escort {

// Files named *.key or *.pem in these folders, and below them, that hold an unencrypted private key whose
// public half is in `trust`: whole paths, in lexical order. Symlinked folders are not entered, files over
// 64 KiB and the 10,001st and later are not read; a folder that is not there holds none.
[[nodiscard]] std::vector<std::string> find_private_keys(const std::vector<std::string>& folders,
                                                         const TrustSet& trust);

} // namespace escort
