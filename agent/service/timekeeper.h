// Reads the clocks and gives trusted time (contract §4).
#pragma once

#include "base/clock.h"
#include "core/trusted_time.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace escort {

class Timekeeper {
  public:
    // `time` must outlive this.
    explicit Timekeeper(TrustedTime& time) : time_(time) {}

    [[nodiscard]] Moment now() { return read().moment; }
    // A step of the wall clock found by any read since the last call, seconds.
    [[nodiscard]] std::optional<std::int64_t> take_step() { return std::exchange(step_, std::nullopt); }

  private:
    TrustedTime::Now read() {
        auto now = time_.read({wall_seconds(), boot_ns()});
        if (now.step) step_ = now.step;
        return now;
    }

    TrustedTime& time_;
    std::optional<std::int64_t> step_;
};

} // namespace escort
