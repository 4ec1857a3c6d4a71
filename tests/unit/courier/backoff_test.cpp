#include "courier/backoff.h"

#include <doctest/doctest.h>
#include <initializer_list>

using namespace escort::courier;

TEST_CASE("backoff: doubles to a minute, jittered over all of it, and begins anew after a success") {
    Backoff backoff;
    constexpr double kAlmostOne = 1 - 1e-9;
    for (const std::uint64_t most : {5'000U, 10'000U, 20'000U, 40'000U, 60'000U, 60'000U, 60'000U}) {
        Backoff low = backoff;
        CHECK(low.next_ms(0) == 0);
        const auto wait = backoff.next_ms(kAlmostOne);
        CHECK(wait < most);
        CHECK(wait >= most - 1);
    }
    for (int i = 0; i < 100; i++)
        CHECK(backoff.next_ms(0.5) == 30'000);
    backoff.succeeded();
    CHECK(backoff.next_ms(0.5) == 2'500);
}

TEST_CASE("backoff: an interval is kept give or take a fifth") {
    CHECK(jittered_ms(30'000, 0) == 24'000);
    CHECK(jittered_ms(30'000, 0.5) == 30'000);
    CHECK(jittered_ms(30'000, 0.999) < 36'000);
}
