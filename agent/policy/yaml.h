// Strict YAML: a small tree in which every node knows its place, and nothing that a person reading the file
// could mistake.
//
// Refused, each with its place: duplicate keys, keys that aren't plain strings, merge keys, anchors, aliases,
// tags, directives, a second document, control characters (also escaped ones), more than kYamlDepth levels,
// kYamlNodes nodes or kYamlBytes bytes. Exceptions of yaml-cpp stop here.
#pragma once

#include "base/diagnostic.h"
#include "policy/prescan.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace escort {

constexpr std::size_t kYamlBytes = std::size_t{1} << 20;
constexpr std::size_t kYamlNodes = 100'000; // a megabyte of "[[],[],..." must not become a hundred

struct YamlMember;

struct YamlNode {
    enum class Kind { null, scalar, list, map };

    Kind kind = Kind::null;
    int line = 0;                    // counts from 1
    int column = 0;                  // counts from 1, in bytes
    std::string text;                // scalar: its value, quotes and escapes taken away
    bool quoted = false;             // scalar: quoted or a block, so always a string
    std::vector<YamlNode> items;     // list
    std::vector<YamlMember> members; // map, in the order written; keys are unique

    // The value of `key`, or nullptr where this is no map or has no such key.
    [[nodiscard]] const YamlNode* find(std::string_view key) const;
    [[nodiscard]] const YamlMember* find_member(std::string_view key) const;
};

struct YamlMember {
    std::string key;
    int line = 0;
    int column = 0;
    YamlNode value;
};

// The document in `content`; `file` is only the name put into places. Nothing when at least one error was
// added to `out`; an empty text is one.
[[nodiscard]] std::optional<YamlNode> parse_yaml(const std::string& file, std::string_view content,
                                                 Diagnostics& out);

// The bytes of a file that is to hold YAML; why it can't be read goes to `out`.
[[nodiscard]] std::optional<std::string> read_yaml_file(const std::string& path, Diagnostics& out);

} // namespace escort
