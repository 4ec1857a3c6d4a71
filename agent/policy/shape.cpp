#include "policy/shape.h"

#include "base/contains.h"
#include "policy/scalars.h"
#include "policy/suggest.h"
#include "policy/utf8.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace escort {

namespace {

Shape of_kind(Shape::Kind kind) {
    Shape shape;
    shape.kind = kind;
    return shape;
}

} // namespace

Shape text_shape() {
    return of_kind(Shape::Kind::text);
}
Shape boolean_shape() {
    return of_kind(Shape::Kind::boolean);
}
Shape integer_shape() {
    return of_kind(Shape::Kind::integer);
}
Shape duration_shape() {
    return of_kind(Shape::Kind::duration);
}
Shape null_shape() {
    return of_kind(Shape::Kind::null);
}
Shape word_shape(std::vector<std::string> words, std::vector<std::string> later) {
    Shape shape = of_kind(Shape::Kind::word);
    shape.words = std::move(words);
    shape.later = std::move(later);
    return shape;
}
Shape list_shape(Shape item) {
    Shape shape = of_kind(Shape::Kind::list);
    shape.parts.push_back(std::move(item));
    return shape;
}
Shape map_shape(std::vector<ShapeKey> keys) {
    Shape shape = of_kind(Shape::Kind::map);
    shape.keys = std::move(keys);
    return shape;
}
Shape either_shape(std::vector<Shape> parts) {
    Shape shape = of_kind(Shape::Kind::either);
    shape.parts = std::move(parts);
    return shape;
}

namespace {

// "a list", "one of log, kill": what a shape asks for.
std::string wanted(const Shape& shape) {
    switch (shape.kind) {
    case Shape::Kind::text:
        return "a string";
    case Shape::Kind::word:
        return shape.words.size() == 1 ? shape.words[0]
                                       : fmt::format("one of {}", fmt::join(shape.words, ", "));
    case Shape::Kind::boolean:
        return "true or false";
    case Shape::Kind::integer:
        return "a whole number, 0 or more";
    case Shape::Kind::duration:
        return "a duration such as 30s, 5m or 2h";
    case Shape::Kind::list:
        return "a list";
    case Shape::Kind::map:
        return "a map";
    case Shape::Kind::null:
        return "null";
    case Shape::Kind::either:
        break;
    }
    std::vector<std::string> each;
    std::transform(shape.parts.begin(), shape.parts.end(), std::back_inserter(each), wanted);
    return fmt::format("{}", fmt::join(each, " or "));
}

// Whether what was written is of the shape's kind at all, so that an `either` can choose by it.
bool same_kind(const Shape& shape, Resolved found) {
    switch (shape.kind) {
    case Shape::Kind::text:
    case Shape::Kind::word:
    case Shape::Kind::duration:
        return found == Resolved::text;
    case Shape::Kind::boolean:
        return found == Resolved::boolean;
    case Shape::Kind::integer:
        return found == Resolved::integer;
    case Shape::Kind::list:
        return found == Resolved::list;
    case Shape::Kind::map:
        return found == Resolved::map;
    case Shape::Kind::null:
        return found == Resolved::null;
    case Shape::Kind::either:
        break;
    }
    return std::any_of(shape.parts.begin(), shape.parts.end(),
                       [&](const Shape& part) { return same_kind(part, found); });
}

bool takes_text(const Shape& shape) {
    if (shape.kind == Shape::Kind::either)
        return std::any_of(shape.parts.begin(), shape.parts.end(), takes_text);
    return shape.kind == Shape::Kind::text;
}

// What is known of the node being looked at: its dotted path and whether anything above it is not supported.
struct Where {
    std::string path;
    bool item = false;  // this is an item of the list `path`
    bool later = false; // under a key that is not supported yet
    bool named = false; // and that key has been reported
};

class ShapeChecker {
  public:
    ShapeChecker(const std::string& file, Diagnostics& out) : file_(file), out_(out) {}

    bool check(const YamlNode& node, const Shape& shape, const Where& where) {
        const Resolved found = resolve(node);
        if (!same_kind(shape, found)) return wrong_type(node, shape, where, describe(found));
        switch (shape.kind) {
        case Shape::Kind::text:
            return !node.text.empty() || wrong_type(node, shape, where, "an empty one");
        case Shape::Kind::word:
            return check_word(node, shape, where);
        case Shape::Kind::duration:
            return parse_duration(node.text) || wrong_value(node, shape, where);
        case Shape::Kind::integer:
            return integer_of(node) || wrong_value(node, shape, where);
        case Shape::Kind::list:
            return check_items(node, shape.parts.front(), where);
        case Shape::Kind::map:
            return check_members(node, shape, where);
        case Shape::Kind::boolean:
        case Shape::Kind::null:
            return true;
        case Shape::Kind::either:
            break;
        }
        const auto part = std::find_if(shape.parts.begin(), shape.parts.end(),
                                       [&](const Shape& one) { return same_kind(one, found); });
        return check(node, *part, where);
    }

  private:
    bool report(int line, int column, std::string message, std::string hint = {}) {
        out_.push_back({Severity::error, Place{file_, line, column}, std::move(message), std::move(hint)});
        return false;
    }
    static std::string name_of(const Where& where) {
        if (where.path.empty()) return "the document";
        return where.item ? "an item of " + where.path : where.path;
    }
    bool wrong_type(const YamlNode& node, const Shape& shape, const Where& where, const std::string& found) {
        const bool quotable = takes_text(shape) && node.kind == YamlNode::Kind::scalar;
        return report(node.line, node.column,
                      fmt::format("{} must be {}, found {}", name_of(where), wanted(shape), found),
                      quotable && !node.text.empty() ? "put it in quotes to make it a string" : "");
    }
    bool wrong_value(const YamlNode& node, const Shape& shape, const Where& where) {
        return report(
            node.line, node.column,
            fmt::format("{} must be {}, found \"{}\"", name_of(where), wanted(shape), shortened(node.text)));
    }

    bool check_word(const YamlNode& node, const Shape& shape, const Where& where) {
        if (contains(shape.later, node.text)) {
            // Under a key that isn't supported the key itself has been reported.
            if (!where.later)
                report(node.line, node.column, where.path + ": " + node.text + " is not supported yet");
            return true;
        }
        if (contains(shape.words, node.text)) return true;
        auto known = shape.words;
        known.insert(known.end(), shape.later.begin(), shape.later.end());
        return report(
            node.line, node.column,
            fmt::format("{} must be {}, found \"{}\"", name_of(where), wanted(shape), shortened(node.text)),
            did_you_mean(node.text, known));
    }

    bool check_items(const YamlNode& node, const Shape& item, const Where& where) {
        bool fits = true;
        for (const auto& one : node.items)
            fits = check(one, item, {where.path, true, where.later, where.named}) && fits;
        return fits;
    }

    bool check_members(const YamlNode& node, const Shape& shape, const Where& where) {
        bool fits = true;
        for (const auto& member : node.members) {
            const auto key = std::find_if(shape.keys.begin(), shape.keys.end(),
                                          [&](const ShapeKey& known) { return known.name == member.key; });
            fits = (key == shape.keys.end() ? unknown_key(member, shape, where)
                                            : check_member(member, *key, where)) &&
                   fits;
        }
        return fits;
    }

    bool check_member(const YamlMember& member, const ShapeKey& key, const Where& where) {
        Where inner{where.path.empty() ? key.name : where.path + "." + key.name, false,
                    where.later || key.support == Support::later, where.named};
        const bool goes_on = member.value.kind == YamlNode::Kind::map && !member.value.members.empty();
        if (inner.later && !inner.named && !goes_on) {
            report(member.line, member.column, inner.path + " is not supported yet");
            inner.named = true;
        }
        return check(member.value, key.shape, inner);
    }

    bool unknown_key(const YamlMember& member, const Shape& shape, const Where& where) {
        std::vector<std::string> known;
        for (const auto& key : shape.keys)
            known.push_back(key.name);
        const std::string under = where.path.empty() ? "" : " under " + where.path;
        return report(member.line, member.column,
                      fmt::format("unknown key \"{}\"{}", shortened(member.key), under),
                      did_you_mean(member.key, known));
    }

    std::string file_;
    Diagnostics& out_;
};

} // namespace

bool check_shape(const std::string& file, const YamlNode& root, const Shape& shape, Diagnostics& out) {
    return ShapeChecker(file, out).check(root, shape, {});
}

} // namespace escort
