#include "service/event_number.h"

#include "temp_folder.h"

#include <doctest/doctest.h>
#include <filesystem>

using namespace escort;
using escort::test::TempFolder;

TEST_CASE("event number: none is given twice, though nobody said goodbye") {
    const TempFolder folder;
    const std::string path = folder.path("next-event");
    {
        EventNumber number(path);
        CHECK(number.take() == 1);
        CHECK(number.take() == 2);
        CHECK(number.keep());
        EventNumber after_a_kill(path);
        CHECK(after_a_kill.take() == 3);
    }
    EventNumber number(path);
    number.at_least(3);
    CHECK(number.take() == 4);
    number.at_least(100);
    REQUIRE(number.keep());
    CHECK(EventNumber(path).take() == 100);
}

TEST_CASE("event number: a file that was removed, or put in its place, gives no number again") {
    const TempFolder folder;
    const std::string path = folder.path("next-event");
    EventNumber number(path);
    CHECK(number.take() == 1);
    std::filesystem::remove(path);
    CHECK(number.take() == 2);
    CHECK(EventNumber(path).take() == 3);
    folder.write("other", "00000000000000000001\n");
    std::filesystem::rename(folder.path("other"), path);
    CHECK(number.take() == 3);
    CHECK(EventNumber(path).take() == 4);
}

TEST_CASE("event number: what can't be read or written") {
    const TempFolder folder;
    for (const char* spoilt : {"", "x", "-4", " 7", "99999999999999999999999"}) {
        folder.write("spoilt", spoilt);
        CHECK(EventNumber(folder.path("spoilt")).take() == 1);
    }
    folder.write("short", "812");
    CHECK(EventNumber(folder.path("short")).take() == 812);
    EventNumber nowhere(folder.path("none/next-event"));
    CHECK_FALSE(nowhere.keep());
    CHECK(nowhere.take() == 1);
    CHECK(nowhere.take() == 2);
    CHECK_FALSE(nowhere.keep());
    std::filesystem::create_directory(folder.path("none"));
    CHECK(nowhere.keep());
    CHECK(EventNumber(folder.path("none/next-event")).take() == 3);
}
