// Trusted time (contract §4): the wall clock, but never behind what is already known to be past.
// Pure: it is handed readings of the clocks and never asks for one.
#pragma once

#include "base/moment.h"

#include <cstdint>
#include <optional>

namespace escort {

// The two clocks, read together.
struct ClockReading {
    std::int64_t wall = 0;     // CLOCK_REALTIME, seconds since the epoch
    std::uint64_t boot_ns = 0; // CLOCK_BOOTTIME, nanoseconds
};

// The floor is the newest of: an accepted `iat`, what was saved, and the wall clock at the first reading and
// at each save. Within one boot it advances with CLOCK_BOOTTIME, so that a wall clock set back gains nothing;
// a wall clock that leaps forward and is put right before the next save does no lasting harm.
class TrustedTime {
  public:
    // A difference between the clocks that grew by more than this is a step (contract: `tamper`), seconds.
    static constexpr std::int64_t kStepLimit = 60;

    struct Now {
        Moment moment;
        // How far the wall clock was moved against CLOCK_BOOTTIME since the last step (or the first reading),
        // seconds, negative for backwards; only when it is over kStepLimit.
        std::optional<std::int64_t> step;
    };

    [[nodiscard]] Now read(const ClockReading& reading);

    // Trusted time is not before `epoch` (an accepted iat, a saved time) from `boot_ns` on.
    void raise(std::int64_t epoch, std::uint64_t boot_ns);

  private:
    [[nodiscard]] std::int64_t floor_at(std::uint64_t boot_ns) const;

    std::int64_t floor_ = 0;
    std::uint64_t floor_boot_ns_ = 0;
    std::optional<std::int64_t> offset_; // wall clock minus CLOCK_BOOTTIME, seconds
};

} // namespace escort
