#include "approvals/recent.h"

#include <doctest/doctest.h>
#include <string>

using namespace escort;

TEST_CASE("recent: the last ones are known, what came before them is forgotten") {
    Recent recent(3);
    CHECK(recent.first_time(""));
    CHECK_FALSE(recent.first_time(""));
    for (const char* text : {"a", "b", "c"})
        CHECK(recent.first_time(text));
    for (const char* text : {"a", "b", "c"})
        CHECK_FALSE(recent.first_time(text));
    CHECK(recent.first_time("")); // in the place of "a"
    CHECK(recent.first_time("a"));
    CHECK_FALSE(recent.first_time("c"));
}
