// The broker's side of NATS, for escortctl: connects, does one thing, leaves. Each blocks, 10 s at most for
// each step.
#pragma once

#include "base/result.h"
#include "feed/settings.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace escort::courier {

// Puts `value` under `key` of the source's bucket and returns the bucket's revision. `create`: above 0 makes
// the bucket where it isn't there, with one value a key, on so many servers (1 to 5).
[[nodiscard]] Result<std::uint64_t> put_into_bucket(const NatsSettings& target, const std::string& key,
                                                    std::string_view value, int create);

// Makes the stream of session events where it isn't there, on so many servers (1 to 5). What it holds goes by
// its limits alone.
[[nodiscard]] Status make_event_stream(const NatsSettings& target, int replicas);

} // namespace escort::courier
