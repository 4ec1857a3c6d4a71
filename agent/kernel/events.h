// A record of the lifecycle ring as the daemon may read it. Pure: it looks at the bytes alone and decides
// nothing.
#pragma once

#include "abi.h"

#include <cstddef>
#include <optional>

namespace escort {

// A copy whose strings all end. Nothing where the record is of another size or ABI: then no field of it means
// what it seems to. The values of `type`, `entry` and `reason` are the reader's to check: a type that is not
// known is passed over.
[[nodiscard]] std::optional<escort_event> decode_event(const void* record, std::size_t size);

} // namespace escort
