#include "core/trusted_time.h"

#include <algorithm>

namespace escort {

std::int64_t TrustedTime::floor_at(std::uint64_t boot_ns) const {
    if (boot_ns <= floor_boot_ns_) return floor_;
    return floor_ + static_cast<std::int64_t>((boot_ns - floor_boot_ns_) / kNsPerSecond);
}

void TrustedTime::raise(std::int64_t epoch, std::uint64_t boot_ns) {
    if (epoch <= floor_at(boot_ns)) return;
    floor_ = epoch;
    floor_boot_ns_ = boot_ns;
}

TrustedTime::Now TrustedTime::read(const ClockReading& reading) {
    const std::int64_t offset = reading.wall - static_cast<std::int64_t>(reading.boot_ns / kNsPerSecond);
    Now now;
    if (!offset_) {
        offset_ = offset;
        raise(reading.wall, reading.boot_ns);
    } else if (const std::int64_t moved = offset - *offset_; moved > kStepLimit || moved < -kStepLimit) {
        offset_ = offset;
        now.step = moved;
    }
    now.moment.trusted = std::max(reading.wall, floor_at(reading.boot_ns));
    now.moment.boot_ns = reading.boot_ns;
    return now;
}

} // namespace escort
