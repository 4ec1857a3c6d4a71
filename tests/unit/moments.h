// The moments that tests of approvals are about: seconds from one point of trusted time, CLOCK_BOOTTIME in
// step.
#pragma once

#include "core/trusted_time.h"

namespace escort::test {

constexpr std::int64_t kT0 = 1'767'225'600; // 2026-01-01T00:00:00Z
constexpr std::uint64_t kBootAtT0 = 1000;   // seconds
constexpr const char* kIss = "https://broker.example.gov";

// Trusted time kT0 + s.
inline Moment at(std::int64_t s) {
    return {kT0 + s, (kBootAtT0 + static_cast<std::uint64_t>(s)) * kNsPerSecond};
}
inline std::uint64_t boot(std::int64_t s) {
    return at(s).boot_ns;
}

} // namespace escort::test
