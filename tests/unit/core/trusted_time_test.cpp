#include "core/trusted_time.h"
#include "moments.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::test;

namespace {

ClockReading reading(std::int64_t wall, std::uint64_t boot) {
    return {wall, boot * kNsPerSecond};
}

} // namespace

TEST_CASE("trusted time: follows the wall clock") {
    TrustedTime time;
    CHECK(time.read(reading(kT0, 100)).moment.trusted == kT0);
    CHECK(time.read(reading(kT0 + 50, 150)).moment.trusted == kT0 + 50);
    CHECK(time.read(reading(kT0 + 50, 150)).moment.boot_ns == 150 * kNsPerSecond);
}

TEST_CASE("trusted time: a wall clock set back gains nothing, it goes on with CLOCK_BOOTTIME") {
    TrustedTime time;
    static_cast<void>(time.read(reading(kT0, 100)));
    const auto now = time.read(reading(kT0 - 3600, 160));
    CHECK(now.moment.trusted == kT0 + 60);
    CHECK(now.step == -3660);
    CHECK(time.read(reading(kT0 - 3590, 170)).moment.trusted == kT0 + 70);
}

TEST_CASE("trusted time: never behind what was saved or accepted") {
    TrustedTime time;
    time.raise(kT0 + 1000, 5 * kNsPerSecond);
    CHECK(time.read(reading(kT0, 5)).moment.trusted == kT0 + 1000);
    CHECK(time.read(reading(kT0 + 10, 15)).moment.trusted == kT0 + 1010);
    time.raise(kT0 + 500, 15 * kNsPerSecond); // older: nothing
    CHECK(time.read(reading(kT0 + 10, 15)).moment.trusted == kT0 + 1010);
    CHECK(time.read(reading(kT0 + 5000, 16)).moment.trusted == kT0 + 5000);
}

TEST_CASE("trusted time: a leap forward that is put right before a save does no lasting harm") {
    TrustedTime time;
    static_cast<void>(time.read(reading(kT0, 100)));
    CHECK(time.read(reading(kT0 + 86'400, 101)).moment.trusted == kT0 + 86'400);
    CHECK(time.read(reading(kT0 + 2, 102)).moment.trusted == kT0 + 2);
}

TEST_CASE("trusted time: steps over 60 s are told once, also when they creep") {
    TrustedTime time;
    CHECK_FALSE(time.read(reading(kT0, 100)).step);
    CHECK_FALSE(time.read(reading(kT0 + 61, 101)).step); // 60 s
    CHECK(time.read(reading(kT0 + 63, 102)).step == 61);
    CHECK_FALSE(time.read(reading(kT0 + 64, 103)).step);
    CHECK_FALSE(time.read(reading(kT0 + 25, 104)).step); // 40 s back
    CHECK(time.read(reading(kT0 - 14, 105)).step == -80);
    CHECK_FALSE(time.read(reading(kT0 + 86'386, 86'505)).step); // a day later, no step
}
