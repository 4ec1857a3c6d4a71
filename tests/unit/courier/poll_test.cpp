#include "courier/https_source.h"
#include "courier/poll.h"

#include <doctest/doctest.h>

using namespace escort::courier;

TEST_CASE("poll: Retry-After is seconds or a date, an hour at most") {
    constexpr std::int64_t kNow = 1'445'412'480; // Wed, 21 Oct 2015 07:28:00 GMT
    CHECK(retry_after_ms("120", kNow) == 120'000);
    CHECK(retry_after_ms("0", kNow) == 0);
    CHECK(retry_after_ms("99999999999", kNow) == 3'600'000);
    CHECK(retry_after_ms("Wed, 21 Oct 2015 07:29:00 GMT", kNow) == 60'000);
    CHECK(retry_after_ms("Wed, 21 Oct 2015 07:27:00 GMT", kNow) == 0);
    CHECK(retry_after_ms("Fri, 21 Oct 2099 07:27:00 GMT", kNow) == 3'600'000);
    CHECK_FALSE(retry_after_ms("", kNow));
    CHECK_FALSE(retry_after_ms("soon", kNow));
    CHECK_FALSE(retry_after_ms("-1", kNow));
}

TEST_CASE("poll: a redirect within a host is followed, no other") {
    CHECK(same_origin("https://b.example/a", "https://b.example/b/c?d"));
    CHECK(same_origin("https://b.example/a", "https://B.EXAMPLE:443/a"));
    CHECK_FALSE(same_origin("https://b.example/a", "https://b.example:8443/a"));
    CHECK_FALSE(same_origin("https://b.example/a", "http://b.example/a"));
    CHECK_FALSE(same_origin("https://b.example/a", "https://c.example/a"));
    CHECK_FALSE(same_origin("https://b.example/a", "https://b.example.evil/a"));
    CHECK_FALSE(same_origin("https://b.example/a", "not an address"));
    CHECK_FALSE(same_origin("", ""));
}

TEST_CASE("poll: a template becomes addresses, with ids that stay one segment") {
    CHECK(addresses_of("https://b/hosts/{host_id}/d", "i-0/..?", {}) ==
          std::vector<std::string>{"https://b/hosts/i-0%2F..%3F/d"});
    CHECK(addresses_of("https://b/{group}/{host_id}", "h", {"a b", "c"}) ==
          std::vector<std::string>{"https://b/a%20b/h", "https://b/c/h"});
    CHECK(addresses_of("https://b/{group}", "h", {}).empty());
    CHECK(addresses_of("https://b/{host_id}{host_id}", "{host_id}", {}) ==
          std::vector<std::string>{"https://b/%7Bhost_id%7D%7Bhost_id%7D"});
}
