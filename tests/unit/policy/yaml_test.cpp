#include "policy/yaml.h"

#include "policy/scalars.h"
#include "policy/suggest.h"
#include "temp_folder.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

// The one diagnostic that a text gives, or "" when it is accepted, or all of them, one a line.
std::string complaint(const std::string& text) {
    Diagnostics out;
    const auto root = parse_yaml("f", text, out);
    CHECK(root.has_value() == out.empty());
    std::string all;
    for (const auto& one : out)
        all += (all.empty() ? "" : "\n") + one.text();
    return all;
}

std::string repeated(const std::string& piece, std::size_t bytes) {
    std::string text;
    while (text.size() + piece.size() <= bytes)
        text += piece;
    return text;
}

} // namespace

TEST_CASE("yaml: what is refused, and where") {
    struct Row {
        std::string text;
        std::string complaint;
    };
    const Row rows[] = {
        {"a: 1\nb: {c: [d, \"e\"]}\n", ""},
        {"\xef\xbb\xbf"
         "a: 1\n",
         ""},
        {"a: 1\r\nb: 2\r\n", ""},
        {"%YAML 1.2\n---\na: 1\n", "f:1:1: error: YAML directives (%) are not allowed"},
        {"a: 1\nb: 2\n  \na: 3\n", "f:4:1: error: duplicate key \"a\", first on line 1"},
        {"x: {a: 1, \"a\": 2}\n", "f:1:11: error: duplicate key \"a\", first on line 1"},
        {"a: 1\na: 2\na: 3\n", "f:2:1: error: duplicate key \"a\", first on line 1\n"
                               "f:3:1: error: duplicate key \"a\", first on line 1"},
        {"a: &x 1\n", "f:1:4: error: anchors are not allowed"},
        {"a: &x\n  b: c\n", "f:1:4: error: anchors are not allowed"},
        {"a: *x\n", "f:1:4: error: not YAML: the referenced anchor is not defined"},
        {"a: !!str 1\n", "f:1:4: error: tags are not allowed"},
        {"a: ! 1\n", "f:1:4: error: tags are not allowed"},
        {"a: !thing {b: c}\n", "f:1:4: error: tags are not allowed"},
        {"<<: {a: b}\n", "f:1:1: error: merge keys (<<) are not allowed"},
        {"? [a]\n: b\n", "f:1:3: error: a key must be a string"},
        {": b\n", "f:1:1: error: a key must be a string"},
        {"a: b\n---\nc: d\n", "f:2:1: error: text after the end of the document: a file holds one"},
        {"[a] b\n", "f:1:5: error: text after the end of the document: a file holds one"},
        {"", "f: error: holds nothing"},
        {"# only a comment\n", "f: error: holds nothing"},
        {"---\n", "f: error: holds nothing"},
        {"a: \xff\n", "f:1:4: error: not UTF-8"},
        {"a: \xc0\x80\n", "f:1:4: error: not UTF-8"},
        {"a: \xed\xa0\x80\n", "f:1:4: error: not UTF-8"},
        {"a: \xc3", "f:1:4: error: not UTF-8"},
        {std::string("a: b\0c\n", 7), "f:1:5: error: control character U+0000"},
        {"a: b\x04\n]", "f:1:5: error: control character U+0004"},
        {"a: \xc2\x9b\n", "f:1:4: error: control character U+009B"},
        {"a: b\rc: d\n", "f:1:5: error: a carriage return without a line feed"},
        {"a: \"x\\0y\"\n", "f:1:4: error: a control character in a value"},
        {"a: \"x\\x1b[2J\"\n", "f:1:4: error: a control character in a value"},
        {"a: [1, 2\n", "f:2:1: error: not YAML: end of sequence flow not found"},
        {"a: b: c\n", "f:1:5: error: not YAML: illegal map value"},
        {"a: \"b\n", "f:1:4: error: a quoted string that never ends"},
        {"a: 'b''\n", "f:1:4: error: a quoted string that never ends"},
        {"a: \"b\\\"", "f:1:8: error: not YAML: illegal EOF in scalar"},
        {"a: {b: 'it''s', c: \"\\\"\"}\n", ""},
        {"a: 1\n]\n", "f:2:1: error: not YAML: illegal flow end"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(complaint(row.text) == row.complaint);
    }
}

TEST_CASE("yaml: nothing deep or huge takes long or deep stacks") {
    CHECK(complaint(repeated("[", 100'000)) == "f:1:33: error: nested deeper than 32 levels");
    CHECK(complaint(repeated("{a: ", 100'000)) == "f:1:129: error: nested deeper than 32 levels");
    CHECK(complaint(repeated("- ", 100'000)) == "f:1:65: error: nested deeper than 32 levels");
    CHECK(complaint(repeated("? ", 100'000)) == "f:1:3: error: a key must be a string");
    CHECK(complaint("a: [" + repeated("[],", 999'000) + "]") == "f:1:299996: error: more than 100000 values");
    CHECK(complaint(repeated("# [[[[ don't\n", 900'000) + "a: 1\n") == "");
    CHECK(complaint(std::string(kYamlBytes + 1, 'a')) == "f: error: larger than 1048576 bytes");
    std::string deep;
    for (int level = 0; level < 200; ++level)
        deep += std::string(static_cast<std::size_t>(level), ' ') + "a:\n";
    CHECK(complaint(deep) == "f:33:33: error: nested deeper than 32 levels");
}

TEST_CASE("yaml: the tree knows places, quotes and order") {
    Diagnostics out;
    const auto root = parse_yaml("f", "b: 1\na:\n  - \"x\"\n  - {c: 'd'}\n", out);
    REQUIRE(root);
    REQUIRE(root->members.size() == 2);
    CHECK(root->members[0].key == "b");
    const YamlNode* a = root->find("a");
    REQUIRE(a != nullptr);
    CHECK(a->items.at(0).quoted);
    CHECK(a->items.at(0).line == 3);
    CHECK(a->items.at(0).column == 5);
    CHECK(a->items.at(1).find("c")->text == "d");
    CHECK(root->find("c") == nullptr);
}

TEST_CASE("yaml: files that can't be read") {
    const test::TempFolder folder;
    Diagnostics out;
    CHECK_FALSE(read_yaml_file(folder.path("absent.yaml"), out));
    CHECK_FALSE(read_yaml_file(folder.path(), out));
    folder.write("huge.yaml", std::string(kYamlBytes + 1, '#'));
    CHECK_FALSE(read_yaml_file(folder.path("huge.yaml"), out));
    REQUIRE(out.size() == 3);
    CHECK(out[0].text() == folder.path("absent.yaml") + ": error: open: No such file or directory");
    CHECK(out[1].text() == folder.path() + ": error: is not a regular file");
    CHECK(out[2].text() == folder.path("huge.yaml") + ": error: is larger than 1048576 bytes");
}

TEST_CASE("scalars: the core schema of YAML 1.2") {
    const auto kind = [](const std::string& text, bool quoted = false) {
        YamlNode node;
        node.kind = YamlNode::Kind::scalar;
        node.text = text;
        node.quoted = quoted;
        return resolve(node);
    };
    for (const char* text : {"yes", "no", "NO", "on", "off", "y", "1_000", "0b1", "1h", "60000-60099", "0x",
                             "-", ".", "1e", "tRue"}) {
        CAPTURE(text);
        CHECK(kind(text) == Resolved::text);
    }
    for (const char* text : {"0", "007", "-1", "+5", "0o17", "0xfF"})
        CHECK(kind(text) == Resolved::integer);
    for (const char* text : {"1.5", ".5", "1e3", "-1.", "-.inf", ".nan"})
        CHECK(kind(text) == Resolved::real);
    for (const char* text : {"true", "True", "FALSE"})
        CHECK(kind(text) == Resolved::boolean);
    for (const char* text : {"~", "null", "NULL"})
        CHECK(kind(text) == Resolved::null);
    for (const char* text : {"true", "1", "", "~", "1.5"})
        CHECK(kind(text, true) == Resolved::text);
}

TEST_CASE("scalars: numbers and durations stay in their range") {
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    const auto value = [&](const char* text) {
        node.text = text;
        return integer_of(node).value_or(-1);
    };
    CHECK(value("0x10") == 16);
    CHECK(value("0o17") == 15);
    CHECK(value("+7") == 7);
    CHECK(value("9223372036854775807") == INT64_MAX);
    CHECK(value("9223372036854775808") == -1);
    CHECK(value("-1") == -1);
    CHECK(parse_duration("30s") == 30);
    CHECK(parse_duration("5m") == 300);
    CHECK(parse_duration("2h") == 7200);
    CHECK(parse_duration("0s") == 0);
    for (const char* text : {"", "s", "30", "1d", "-1s", "1.5h", " 1s", "1 s", "99999999999h", "8785h"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_duration(text));
    }
}

TEST_CASE("suggest: only what may have been meant") {
    const std::vector<std::string> known{"policy", "principals", "mode"};
    CHECK(nearest("polcy", known) == "policy");
    CHECK(nearest("principal", known) == "principals");
    CHECK(nearest("mdoe", known) == "mode");
    CHECK(nearest("entries", known).empty());
    CHECK(nearest(std::string(100'000, 'x'), known).empty());
}
