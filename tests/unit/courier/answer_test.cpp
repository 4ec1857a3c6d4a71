#include "courier/answer.h"

#include "approvals/base64url.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace escort;
using namespace escort::courier;

namespace {

std::string jws(const std::string& header = R"({"alg":"EdDSA","typ":"escort-approvals+jwt"})") {
    return base64url_encode(header) + "." + base64url_encode("{}") + "." + base64url_encode("signature");
}

} // namespace

TEST_CASE("answer: what is a compact JWS") {
    CHECK(check_compact_jws(jws()));
    CHECK(check_compact_jws(jws("{}"))); // whether it may be is the daemon's to say
    for (const std::string& bad :
         {std::string(), std::string("a.b"), jws() + ".x", "." + jws(), jws() + "\n", jws("[]"), jws("x"),
          std::string("a..b"), std::string("a.b."), jws() + "=", "<html>" + jws(), std::string("é.b.c")}) {
        CAPTURE(bad);
        CHECK_FALSE(check_compact_jws(bad));
    }
    const std::string large(16U << 20, 'a');
    CHECK_FALSE(check_compact_jws(base64url_encode("{}") + "." + large + ".a"));
    CHECK(check_compact_jws(base64url_encode("{}") + "." + large.substr(10) + ".a"));
}

TEST_CASE("answer: whether it is a list, by its header alone") {
    CHECK(is_list(jws()));
    CHECK_FALSE(is_list(jws(R"({"typ":"escort-presence+jwt"})")));
    CHECK_FALSE(is_list(jws(R"({"typ":1})")));
    CHECK_FALSE(is_list(jws("{}")));
    CHECK_FALSE(is_list("x"));
}

TEST_CASE("answer: one document, or a JSON list of them") {
    const auto one = documents_of(jws() + "\n");
    REQUIRE(one);
    CHECK(*one == std::vector<std::string>{jws()});
    const auto two = documents_of(nlohmann::json{jws(), jws("{}")}.dump());
    REQUIRE(two);
    CHECK(*two == std::vector<std::string>{jws(), jws("{}")});
    const auto none = documents_of(" []");
    REQUIRE(none);
    CHECK(none->empty());
    for (const std::string& bad : {std::string(), std::string(" \n"), std::string("<html>Sign in</html>"),
                                   std::string("[1]"), std::string("[\"a\"]"), "[\"" + jws() + "\"",
                                   "[\"" + jws() + "\", \"x\"]", "{\"a\":\"" + jws() + "\"}"}) {
        CAPTURE(bad);
        CHECK_FALSE(documents_of(bad));
    }
    nlohmann::json many = nlohmann::json::array();
    for (std::size_t i = 0; i <= kMostDocuments; i++)
        many.push_back(jws());
    CHECK_FALSE(documents_of(many.dump()));
}

TEST_CASE("answer: the SETs of a poll, RFC 8936") {
    const auto polled = sets_of(R"({"sets":{"a":"x","b":"y"},"moreAvailable":true})");
    REQUIRE(polled);
    CHECK(*polled == std::vector<std::pair<std::string, std::string>>{{"a", "x"}, {"b", "y"}});
    REQUIRE(sets_of(R"({"sets":{}})"));
    for (const char* bad : {"", "[]", "{}", R"({"sets":[]})", R"({"sets":{"a":1}})"})
        CHECK_FALSE(sets_of(bad));
}

TEST_CASE("answer: a poll acknowledges what was taken, and says what is no SET") {
    const auto body = nlohmann::json::parse(poll_body({"a"}, {"b"}, 5, true));
    CHECK(body == nlohmann::json::parse(R"({"maxEvents":5,"returnImmediately":true,"ack":["a"],
        "setErrs":{"b":{"err":"invalid_request","description":"not a compact JWS"}}})"));
    CHECK(nlohmann::json::parse(poll_body({}, {}, 1, false)) ==
          nlohmann::json::parse(R"({"maxEvents":1,"returnImmediately":false})"));
}
