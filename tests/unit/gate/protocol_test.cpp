#include "gate/protocol.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::gate;

namespace {

GateRequest request() {
    return {Phase::session,
            "sshd",
            "azsupport",
            "203.0.113.7",
            "",
            "ssh",
            "publickey ssh-ed25519 AAAA\npassword\n"};
}

} // namespace

TEST_CASE("gate protocol: what is encoded comes back") {
    const auto bytes = encode(request());
    REQUIRE(bytes);
    const auto back = decode_request(*bytes);
    REQUIRE(back);
    CHECK(back->phase == Phase::session);
    CHECK(back->service == "sshd");
    CHECK(back->user == "azsupport");
    CHECK(back->rhost == "203.0.113.7");
    CHECK(back->ruser.empty());
    CHECK(back->tty == "ssh");
    CHECK(back->auth_info == request().auth_info);

    const auto answer =
        encode(GateAnswer{Decision::refuse, "7f3a2c1e-42", "No approved support session für X."});
    REQUIRE(answer);
    const auto read = decode_answer(*answer);
    REQUIRE(read);
    CHECK(read->decision == Decision::refuse);
    CHECK(read->reference == "7f3a2c1e-42");
    CHECK(read->message == "No approved support session für X.");
}

TEST_CASE("gate protocol: cut, doubled, lengthened: never another message") {
    const std::string bytes = *encode(request());
    for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK_FALSE(decode_request(bytes.substr(0, size)));
    CHECK_FALSE(decode_request(bytes + bytes));
    CHECK_FALSE(decode_request(bytes + '\0'));
    CHECK_FALSE(decode_answer(bytes));
    CHECK_FALSE(decode_request(*encode(GateAnswer{})));
}

TEST_CASE("gate protocol: another version, phase or length") {
    for (const std::size_t at : {0U, 4U, 5U, 6U}) {
        for (const char value : {'\0', '\4', '\xff'}) {
            std::string bytes = *encode(request());
            bytes[at] = value;
            CHECK_FALSE(decode_request(bytes));
        }
    }
    std::string bytes = *encode(request());
    bytes[10] = '\xff'; // 4 GiB of a service's name
    CHECK_FALSE(decode_request(bytes));
}

TEST_CASE("gate protocol: fields too long or with control characters are refused on both sides") {
    GateRequest bad = request();
    bad.user = std::string(kNameBytes + 1, 'x');
    CHECK_FALSE(encode(bad));
    bad.user = "az\nsupport";
    CHECK_FALSE(encode(bad));
    bad.user = std::string("az\0support", 10);
    CHECK_FALSE(encode(bad));
    bad = request();
    bad.auth_info = std::string(kAuthInfoBytes + 1, 'x');
    CHECK_FALSE(encode(bad));
    bad.auth_info = "publickey\tx";
    CHECK_FALSE(encode(bad));
    CHECK_FALSE(encode(GateAnswer{Decision::refuse, "", "\x1b[2J"}));

    std::string bytes = *encode(request());
    bytes[bytes.find("azsupport")] = '\x1b';
    CHECK_FALSE(decode_request(bytes));
    GateRequest largest = request();
    largest.auth_info = std::string(kAuthInfoBytes, 'x');
    for (auto* field : {&largest.service, &largest.user, &largest.rhost, &largest.ruser, &largest.tty})
        *field = std::string(kNameBytes, 'x');
    REQUIRE(encode(largest));
    CHECK(encode(largest)->size() < kMessageBytes);
}

TEST_CASE("gate protocol: a line fit for a terminal, cut between characters") {
    CHECK(plain_line("a\x1b[2J\nb\x7f", 100) == "a?[2J?b?");
    CHECK(plain_line("äö", 3) == "ä");
    CHECK(plain_line("äö", 4) == "äö");
    CHECK(plain_line("\x80\x80\x80", 2).empty());
}

TEST_CASE("gate protocol: a time limit stands last, only where there is one, and is a number") {
    const std::string without = *encode(GateAnswer{Decision::admit, "", ""});
    const std::string with = *encode(GateAnswer{Decision::admit, "", "", 4294967295U});
    CHECK(with.substr(0, without.size()) == without);
    CHECK(decode_answer(without)->runtime_max_s == 0);
    CHECK(decode_answer(with)->runtime_max_s == 4294967295U);
    for (std::size_t size = without.size() + 1; size < with.size(); ++size)
        CHECK_FALSE(decode_answer(with.substr(0, size)));
    CHECK_FALSE(decode_answer(with + '\0'));
    for (const std::string text : {"4294967296", "-1", "1 ", "x", "", "12345678901", "0", "07"}) {
        std::string bytes = without;
        bytes += static_cast<char>(text.size());
        bytes += std::string(3, '\0') + text;
        CHECK_FALSE(decode_answer(bytes));
    }
}
