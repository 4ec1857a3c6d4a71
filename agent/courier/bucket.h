// The publishing side of a NATS key-value bucket, for escortctl: connects, puts one value, leaves.
#pragma once

#include "base/result.h"
#include "feed/settings.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace escort::courier {

// Puts `value` under `key` of the source's bucket and returns the bucket's revision. `create`: above 0 makes
// the bucket where it isn't there, with one value a key, and the stream of session events, on so many servers
// (1 to 5). Blocks, 10 s at most
// for each step.
[[nodiscard]] Result<std::uint64_t> put_into_bucket(const NatsSource& target, const std::string& key,
                                                    std::string_view value, int create);

} // namespace escort::courier
