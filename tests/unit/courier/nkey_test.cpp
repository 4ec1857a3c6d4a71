#include "courier/nkey.h"

#include <doctest/doctest.h>

using namespace escort::courier;

namespace {
// The pair of NATS' own documentation of NKey authentication.
const std::string kSeed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const std::string kPublic = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
} // namespace

TEST_CASE("nkey: the public half of a user's seed") {
    for (const std::string& text :
         {kSeed, kSeed + "\n",
          "-----BEGIN USER NKEY SEED-----\n" + kSeed + " \r\n------END USER NKEY SEED------\n"}) {
        const auto half = nkey_public(text);
        REQUIRE(half);
        CHECK(*half == kPublic);
    }
}

TEST_CASE("nkey: what is none") {
    std::string other = kSeed;
    other[20] = other[20] == 'A' ? 'B' : 'A';
    for (const std::string& text : {std::string(), std::string("SU"), kPublic, kSeed.substr(1), kSeed + "A",
                                    other, std::string("SA") + kSeed.substr(2), std::string("SU????")}) {
        CAPTURE(text);
        CHECK_FALSE(nkey_public(text));
    }
}
