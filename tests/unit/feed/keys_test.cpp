#include "feed/keys.h"

#include <doctest/doctest.h>

using namespace escort;

TEST_CASE("keys: a host's id is one part of a key, whatever it holds") {
    CHECK(key_part("i-0abc_9Z") == "i-0abc_9Z");
    CHECK(key_part("a.b") == "a=2Eb"); // not below "a"
    CHECK(key_part("a=2Eb") == "a=3D2Eb");
    CHECK(key_part("*") == "=2A");
    CHECK(key_part(">") == "=3E");
    CHECK(key_part("ä b") == "=C3=A4=20b");
}

TEST_CASE("keys: watched are a host's own and its groups', and what is below") {
    CHECK(watched_keys("h", {}) == std::vector<std::string>{"host.h", "host.h.>"});
    CHECK(watched_keys("h", {"prod", "t.1"}) == std::vector<std::string>{"host.h", "host.h.>", "group.prod",
                                                                         "group.prod.>", "group.t=2E1",
                                                                         "group.t=2E1.>"});
}

TEST_CASE("keys: where a document for an audience belongs") {
    CHECK(key_of_audience("host:i-0") == "host.i-0");
    CHECK(key_of_audience("group:a b") == "group.a=20b");
    for (const char* other : {"", "host", "host:", "hosts:a", "user:a", "i-0"})
        CHECK(key_of_audience(other).empty());
}
