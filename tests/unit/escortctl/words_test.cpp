#include "escortctl/words.h"

#include <doctest/doctest.h>

using namespace escort::ctl;

TEST_CASE("words: durations") {
    CHECK(parse_duration("90s") == 90);
    CHECK(parse_duration("15m") == 900);
    CHECK(parse_duration("1h") == 3600);
    CHECK(parse_duration("1d") == 86400);
    CHECK(parse_duration("366d") == 366 * 86400);
    for (const char* text : {"", "1", "h", "0s", "-1s", "+1s", " 1s", "1 s", "1.5h", "1h30m", "1w", "367d",
                             "99999999999999999999s", "0x1s"})
        CHECK_FALSE(parse_duration(text));
}

TEST_CASE("words: times") {
    CHECK(parse_time("1767225600") == 1767225600);
    CHECK(parse_time("2026-01-01T00:00:00Z") == 1767225600);
    CHECK(parse_time("2026-01-01t02:00:00.123+02:00") == 1767225600);
    CHECK(parse_time("2025-12-31 19:30:00-04:30") == 1767225600);
    CHECK(parse_time("2028-02-29T00:00:00Z") == 1835395200);
    for (const char* text :
         {"", "now", "2026-01-01", "2026-01-01T00:00:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
          "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+2:00",
          "2026-01-01T00:00:00+24:00", "2026-1-01T00:00:00Z", "-1", "1e9", "2026-01-01T00:00:00Zx",
          "253402300800", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_time(text));
    }
}

TEST_CASE("words: what people read") {
    CHECK(duration_text(0) == "0s");
    CHECK(duration_text(59) == "59s");
    CHECK(duration_text(719) == "11m");
    CHECK(duration_text(3900) == "1h05m");
    CHECK(duration_text(90000) == "1d01h");
    CHECK(duration_text(-61) == "-1m");
    CHECK(time_text(1767225600) == "2026-01-01T00:00:00Z");
    CHECK(elapsed_text(840) == "0.8 ms");
    CHECK(elapsed_text(12'400) == "12 ms");
    CHECK(elapsed_text(3'400'000) == "3.4 s");
    CHECK(counted(1, "process", "processes") == "1 process");
    CHECK(counted(0, "process", "processes") == "0 processes");
}
