// The clocks of the machine. Only the outermost code reads them; everything else is given a Moment.
#pragma once

#include <cstdint>

namespace escort {

[[nodiscard]] std::uint64_t boot_ns();     // CLOCK_BOOTTIME, nanoseconds
[[nodiscard]] std::int64_t wall_seconds(); // CLOCK_REALTIME, seconds since the epoch

} // namespace escort
