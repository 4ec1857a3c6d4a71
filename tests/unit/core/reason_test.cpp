#include "core/reason.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace escort;

TEST_CASE("reason: each has a word and a piece of advice of its own") {
    std::set<std::string> words, advices;
    for (int i = 0; i <= static_cast<int>(Reason::operator_act); ++i) {
        const auto reason = static_cast<Reason>(i);
        const std::string text = advice(reason);
        CAPTURE(text);
        CHECK(words.insert(to_string(reason)).second);
        CHECK(advices.insert(text).second);
        CHECK(text.ends_with('.'));
        CHECK(text.size() < 160); // it goes to a terminal
    }
    CHECK(join({Reason::revoked, Reason::idle}) == "revoked,idle");
}
