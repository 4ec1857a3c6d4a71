#include "core/pattern.h"

#include <doctest/doctest.h>

using namespace escort;

TEST_CASE("pattern: the whole id, byte by byte") {
    const auto pattern = Pattern::compile("INC[0-9]{7}|CHG[0-9]+");
    REQUIRE(pattern);
    CHECK(pattern->matches("INC0012345"));
    CHECK(pattern->matches("CHG1"));
    CHECK_FALSE(pattern->matches("INC001234"));
    CHECK_FALSE(pattern->matches("xINC0012345"));
    CHECK_FALSE(pattern->matches("INC0012345\n"));
    CHECK_FALSE(pattern->matches("inc0012345"));
    CHECK_FALSE(pattern->matches(""));
}

// With libstdc++'s backtracking the first of these takes longer than the universe, and the second overflows
// the stack.
TEST_CASE("pattern: no id makes matching take exponential time, or deep recursion") {
    const std::string id(1024, 'a');
    CHECK_FALSE(Pattern::compile("(a+)+b")->matches(id));
    CHECK_FALSE(Pattern::compile("(a|aa)*(a*)*c")->matches(id));
    CHECK(Pattern::compile("(a|a)*")->matches(std::string(200'000, 'a')));
}

TEST_CASE("pattern: what can't be matched so, or is no pattern, is refused with the reason") {
    CHECK(Pattern::compile("(a)\\1").error().why == "back references are not supported in a pattern");
    CHECK(Pattern::compile("[").error().why.starts_with("is no regular expression"));
    CHECK(Pattern::compile(std::string(256, 'a')));
    CHECK(Pattern::compile(std::string(257, 'a')).error().why == "is longer than 256 characters");
}

TEST_CASE("pattern: compiled ahead, found by their text") {
    Patterns patterns;
    patterns.add("INC[0-9]+");
    patterns.add("[");
    REQUIRE(patterns.find("INC[0-9]+") != nullptr);
    CHECK(patterns.find("INC[0-9]+")->matches("INC1"));
    CHECK(patterns.find("[") == nullptr);
    CHECK(patterns.find("CHG") == nullptr);
}
