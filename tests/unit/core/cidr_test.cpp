#include "core/cidr.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {
bool within(const std::string& address, const std::string& network) {
    const auto parsed = parse_ip(address);
    return parsed && in_network(*parsed, network);
}
} // namespace

TEST_CASE("cidr: an address is in a network by its first bits, of its own kind") {
    CHECK(within("203.0.113.7", "203.0.113.0/24"));
    CHECK_FALSE(within("203.0.114.7", "203.0.113.0/24"));
    CHECK(within("203.0.113.127", "203.0.113.0/25"));
    CHECK_FALSE(within("203.0.113.128", "203.0.113.0/25"));
    CHECK(within("203.0.113.7", "203.0.113.7/32"));
    CHECK_FALSE(within("203.0.113.6", "203.0.113.7/32"));
    CHECK(within("8.8.8.8", "0.0.0.0/0"));
    CHECK_FALSE(within("2001:db8::1", "0.0.0.0/0"));
    CHECK(within("2001:db8::1", "2001:db8::/32"));
    CHECK(within("2001:DB8:0:0::1", "2001:db8::/127"));
    CHECK_FALSE(within("2001:db8::2", "2001:db8::/127"));
    CHECK_FALSE(within("8.8.8.8", "::/0"));
    CHECK(within("203.0.113.7", "203.0.113.99/24")); // bits past the length don't count
}

TEST_CASE("cidr: an IPv4 address in IPv6 clothes is the IPv4 address") {
    CHECK(within("::ffff:203.0.113.7", "203.0.113.0/24"));
    CHECK(within("203.0.113.7", "::ffff:203.0.113.0/120"));
    CHECK_FALSE(within("203.0.114.7", "::ffff:203.0.113.0/120"));
    CHECK_FALSE(within("::ffff:203.0.113.7", "::/0"));
    CHECK(within("fe80::1%eth0", "fe80::/10"));
}

TEST_CASE("cidr: what is no network holds nothing") {
    for (const char* network : {"", "/", "203.0.113.7", "203.0.113.7/", "203.0.113.7/33", "203.0.113.7/-1",
                                "203.0.113.7/8x", "203.0.113/24", "2001:db8::/129", "any/0"}) {
        CAPTURE(network);
        CHECK_FALSE(within("203.0.113.7", network));
        CHECK_FALSE(within("2001:db8::1", network));
    }
    CHECK_FALSE(parse_ip(""));
    CHECK_FALSE(parse_ip("localhost"));
    CHECK_FALSE(parse_ip("203.0.113.7 "));
    CHECK_FALSE(parse_ip(std::string("203.0.113.7\0x", 13)));
    CHECK_FALSE(in_network(*parse_ip("203.0.113.7"), std::string("203.0.113.0\0x/24", 16)));
}
