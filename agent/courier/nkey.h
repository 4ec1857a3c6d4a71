// NATS' NKeys: an Ed25519 key pair in base32 with a prefix and a checksum. Of a user's seed the public half,
// which cnats wants to be told. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace escort::courier {

// `text`: a file's content, a user's seed ("SU...") on a line of its own. "U...": 56 characters. Error: there
// is none, it is no user's, its checksum is wrong.
[[nodiscard]] Result<std::string> nkey_public(std::string_view text);

} // namespace escort::courier
