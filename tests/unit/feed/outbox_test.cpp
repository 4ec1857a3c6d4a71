#include "feed/outbox.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <vector>

using namespace escort;

TEST_CASE("outbox: a file's name is read as it was written, and nothing else is one") {
    const EventName name{1767225600, 0x7f3a2c1e, 812, "session_killed"};
    CHECK(file_name(name) == "001767225600-7f3a2c1e-0000000812.session_killed.jws");
    CHECK(parse_event_name(file_name(name)) == name);
    const EventName late{1, 0, 12'345'678'901, "x"};
    CHECK(parse_event_name(file_name(late)) == late);
    for (const char* bad :
         {"", ".jws", "001767225600-7f3a2c1e-0000000812.jws", "001767225600-7f3a2c1e-0000000812..jws",
          ".001767225600-7f3a2c1e-0000000812.session_killed.jws",
          "001767225600-7f3a2c1e-812.session_killed.jws", "1-7f3a2c1e-0000000812.session_killed.jws",
          "001767225600-7F3A2C1E-0000000812.session_killed.jws",
          "001767225600-7f3a2c1e-0000000812.session.killed.jws", "001767225600-7f3a2c1e-0000000812.a/b.jws",
          "001767225600-7f3a2c1e-0000000812.session_killed", "-01767225600-7f3a2c1e-0000000812.x.jws",
          "001767225600-7f3a2c1e--000000812.x.jws", "001767225600-7f3a2c1e-99999999999999999999.x.jws"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_event_name(bad));
    }
}

TEST_CASE("outbox: files sort as the events happened") {
    std::vector<std::string> files;
    for (const auto& [at, boot, number] :
         {std::tuple<int, std::uint32_t, std::uint64_t>{99, 0xffffffff, 5'000'000'000},
          {100, 1, 9},
          {100, 1, 10},
          {100'000'000, 1, 11}})
        files.push_back(file_name({at, boot, number, "session_ended"}));
    CHECK(std::is_sorted(files.begin(), files.end()));
}

TEST_CASE("outbox: an event's subject names its host, and no host's id makes another's") {
    CHECK(event_subject("i-0abc", "session_opened") == "escort.events.i-0abc.session_opened");
    CHECK(event_subject("a.b", "x") == "escort.events.a=2Eb.x");
    CHECK(event_subject("*", "x").find('*') == std::string::npos);
    CHECK(event_subject("a", "x").starts_with(event_subjects_of("a")));
    CHECK(event_id({0, 0x7f3a2c1e, 812, "x"}) == "7f3a2c1e-e812");
}
