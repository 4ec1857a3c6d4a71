// Records of the lifecycle ring: what is read of them, and what is not.
#include "kernel/events.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <doctest/doctest.h>
#include <vector>

using namespace escort;

namespace {

escort_event full_event() {
    escort_event event{};
    std::memset(&event, 'x', sizeof event);
    event.abi = ESCORT_ABI;
    event.id = 42;
    return event;
}

} // namespace

TEST_CASE("events: names that fill their arrays end, and the numbers stay") {
    const auto sent = full_event();
    const auto event = decode_event(&sent, sizeof sent);
    REQUIRE(event);
    CHECK(event->id == 42);
    CHECK(std::strlen(event->comm) == ESCORT_COMM - 1);
    CHECK(std::strlen(event->exe) == ESCORT_EXE - 1);
    CHECK(std::strlen(event->tty) == ESCORT_TTY - 1);
    CHECK(std::strlen(event->cgroup) == ESCORT_NAME - 1);
    CHECK(std::strlen(event->cgroup_parent) == ESCORT_NAME - 1);
}

TEST_CASE("events: a record of another size or ABI is none") {
    auto sent = full_event();
    std::array<unsigned char, sizeof sent + 1> longer{};
    std::memcpy(longer.data(), &sent, sizeof sent);
    CHECK_FALSE(decode_event(longer.data(), longer.size()));
    CHECK_FALSE(decode_event(&sent, sizeof sent - 1));
    CHECK_FALSE(decode_event(&sent, 0));
    CHECK_FALSE(decode_event(nullptr, 0));
    sent.abi = ESCORT_ABI + 1;
    CHECK_FALSE(decode_event(&sent, sizeof sent));
}
