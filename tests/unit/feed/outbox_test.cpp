#include "feed/outbox.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <vector>

using namespace escort;

TEST_CASE("outbox: a file's name is read as it was written, and nothing else is one") {
    const EventName name{812, 0x7f3a2c1e, "session_killed"};
    CHECK(file_name(name) == "0000000000000812-7f3a2c1e.session_killed.jws");
    CHECK(parse_event_name(file_name(name)) == name);
    const EventName late{12'345'678'901'234'567, 0, "x"};
    CHECK(parse_event_name(file_name(late)) == late);
    for (const char* bad :
         {"", ".jws", "0000000000000812-7f3a2c1e.jws", "0000000000000812-7f3a2c1e..jws",
          ".0000000000000812-7f3a2c1e.session_killed.jws", "812-7f3a2c1e.session_killed.jws",
          "0000000000000812-7F3A2C1E.session_killed.jws", "0000000000000812-7f3a2c1e.session.killed.jws",
          "0000000000000812-7f3a2c1e.a/b.jws", "0000000000000812-7f3a2c1e.session_killed",
          "-000000000000812-7f3a2c1e.x.jws", "0000000000000812--7f3a2c1.x.jws",
          "99999999999999999999-7f3a2c1e.x.jws"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_event_name(bad));
    }
}

TEST_CASE("outbox: files sort as the events happened, whatever the clock and the boot") {
    std::vector<std::string> files;
    for (const auto& [number, boot] :
         {std::pair<std::uint64_t, std::uint32_t>{9, 0xffffffff}, {10, 2}, {11, 1}})
        files.push_back(file_name({number, boot, "session_ended"}));
    CHECK(std::is_sorted(files.begin(), files.end()));
}

TEST_CASE("outbox: an event's subject names its host, and no host's id makes another's") {
    CHECK(event_subject("i-0abc", "session_opened") == "escort.events.i-0abc.session_opened");
    CHECK(event_subject("a.b", "x") == "escort.events.a=2Eb.x");
    CHECK(event_subject("*", "x").find('*') == std::string::npos);
    CHECK(event_subject("a", "x").starts_with(event_subjects_of("a")));
    CHECK(event_id({812, 0x7f3a2c1e, "x"}) == "7f3a2c1e-e812");
}
