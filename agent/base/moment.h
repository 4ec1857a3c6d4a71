// Two readings of the clocks, passed into everything that must know the time: pure code never asks.
#pragma once

#include <cstdint>

namespace escort {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
// A deadline that never comes, in CLOCK_BOOTTIME nanoseconds.
constexpr std::uint64_t kNever = UINT64_MAX;

struct Moment {
    std::int64_t trusted = 0;  // trusted time (contract §4), seconds since the epoch
    std::uint64_t boot_ns = 0; // CLOCK_BOOTTIME, nanoseconds

    // CLOCK_BOOTTIME at which trusted time reaches `epoch`; 0 when it is past, saturating at kNever - 1.
    [[nodiscard]] std::uint64_t boot_at(std::int64_t epoch) const {
        if (epoch <= trusted) return 0;
        const auto seconds = static_cast<std::uint64_t>(epoch) - static_cast<std::uint64_t>(trusted);
        const std::uint64_t room = (kNever - 1 - boot_ns) / kNsPerSecond;
        return seconds > room ? kNever - 1 : boot_ns + seconds * kNsPerSecond;
    }
};

} // namespace escort
