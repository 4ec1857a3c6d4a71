#include "control/protocol.h"
#include "control/reply.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::control;
using nlohmann::json;

TEST_CASE("protocol: a call there and back") {
    const std::string line = encode_call({"kill", {{"id", "7f-1"}, {"reason", "a\nb"}}});
    CHECK(line == "{\"params\":{\"id\":\"7f-1\",\"reason\":\"a\\nb\"},\"request\":\"kill\"}\n");
    const auto call = decode_call(line.substr(0, line.size() - 1));
    REQUIRE(call);
    CHECK(call->name == "kill");
    CHECK(call->params["reason"] == "a\nb");
    CHECK(decode_call("{\"request\":\"status\"}")->params == json::object());
}

TEST_CASE("protocol: what is no call") {
    for (const char* line : {"", "x", "[]", "1", "null", "{}", "{\"request\":1}", "{\"request\":\"\"}",
                             "{\"request\":\"a\",\"params\":[]}", "{\"request\":\"a\",\"more\":1}",
                             "{\"request\":\"a\"} {}", "{\"request\":\"\xff\"}", "{\"request\":\"a\""}) {
        CAPTURE(line);
        const auto call = decode_call(line);
        REQUIRE_FALSE(call);
        CHECK(call.error().code == Exit::usage);
    }
    const std::string deep = "{\"request\":\"a\",\"params\":{\"x\":" + std::string(60'000, '[') + "}}";
    CHECK(decode_call(deep).error().error.why == "is nested too deeply");
    CHECK(decode_call("{\"request\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}"));
}

TEST_CASE("protocol: answers") {
    CHECK(*decode_answer(encode_result({{"a", 1}})) == json{{"a", 1}});
    CHECK(*decode_answer("{\"ok\":true}") == json());
    const auto refused = decode_answer(encode_failure({Exit::not_permitted, {"kill", "only root", "sudo"}}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Exit::not_permitted);
    CHECK(refused.error().error.where == "kill");
    CHECK(refused.error().error.why == "only root");
    CHECK(refused.error().error.hint == "sudo");
    for (const char* line : {"", "[]", "{}", "{\"ok\":1}", "{\"ok\":false}", "{\"ok\":false,\"error\":1}"}) {
        CAPTURE(line);
        CHECK(decode_answer(line).error().code == Exit::unreachable);
    }
    CHECK(decode_answer("{\"ok\":false,\"code\":99,\"error\":{}}").error().code == Exit::not_so);
    // A result with bytes that aren't UTF-8 (a tty's name, a comm) is still sent.
    CHECK(*decode_answer(encode_result("\xff")) == "\xef\xbf\xbd");
}

TEST_CASE("reply: once, whoever asks, and never not at all") {
    std::vector<std::string> sent;
    {
        const Reply reply([&](std::string line) { sent.push_back(std::move(line)); });
        const Reply copy = reply;
        copy.ok(1);
        reply.ok(2);
        reply.fail(Exit::not_so, {"x", "y"});
    }
    REQUIRE(sent.size() == 1);
    CHECK(*decode_answer(sent[0]) == 1);
    sent.clear();
    {
        const Reply forgotten([&](std::string line) { sent.push_back(std::move(line)); });
    }
    REQUIRE(sent.size() == 1);
    CHECK(decode_answer(sent[0]).error().error.why == "gave no answer to this request");
}
