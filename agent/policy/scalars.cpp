#include "policy/scalars.h"

#include "base/contains.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace escort {

namespace {

constexpr std::int64_t kLongestSeconds = std::int64_t{366} * 24 * 3600;

constexpr std::array<std::string_view, 5> kNull{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 3> kTrue{"true", "True", "TRUE"};
constexpr std::array<std::string_view, 3> kFalse{"false", "False", "FALSE"};
constexpr std::array<std::string_view, 6> kNotFinite{".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};

std::string_view without_sign(std::string_view text) {
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
    return text;
}

// Takes leading decimal digits off `text`; how many there were.
std::size_t take_digits(std::string_view& text) {
    const auto end = text.find_first_not_of("0123456789");
    const auto count = end == std::string_view::npos ? text.size() : end;
    text.remove_prefix(count);
    return count;
}

bool is_integer(std::string_view text) {
    if (text.starts_with("0o"))
        return text.size() > 2 && text.find_first_not_of("01234567", 2) == std::string_view::npos;
    if (text.starts_with("0x"))
        return text.size() > 2 &&
               text.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos;
    text = without_sign(text);
    return take_digits(text) > 0 && text.empty();
}

bool is_real(std::string_view text) {
    text = without_sign(text);
    if (contains(kNotFinite, text)) return true;
    std::size_t digits = take_digits(text);
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        digits += take_digits(text);
    }
    if (digits == 0) return false;
    if (text.starts_with('e') || text.starts_with('E')) {
        text = without_sign(text.substr(1));
        if (take_digits(text) == 0) return false;
    }
    return text.empty();
}

} // namespace

Resolved resolve(const YamlNode& node) {
    switch (node.kind) {
    case YamlNode::Kind::null:
        return Resolved::null;
    case YamlNode::Kind::list:
        return Resolved::list;
    case YamlNode::Kind::map:
        return Resolved::map;
    case YamlNode::Kind::scalar:
        break;
    }
    if (node.quoted) return Resolved::text;
    if (contains(kNull, node.text)) return Resolved::null;
    if (contains(kTrue, node.text) || contains(kFalse, node.text)) return Resolved::boolean;
    if (is_integer(node.text)) return Resolved::integer;
    if (is_real(node.text)) return Resolved::real;
    return Resolved::text;
}

const char* describe(Resolved kind) {
    switch (kind) {
    case Resolved::null:
        return "nothing";
    case Resolved::boolean:
        return "a boolean";
    case Resolved::integer:
        return "a number";
    case Resolved::real:
        return "a fraction";
    case Resolved::text:
        return "a string";
    case Resolved::list:
        return "a list";
    case Resolved::map:
        return "a map";
    }
    return "something else";
}

std::optional<bool> boolean_of(const YamlNode& node) {
    if (resolve(node) != Resolved::boolean) return std::nullopt;
    return contains(kTrue, node.text);
}

std::optional<std::int64_t> integer_of(const YamlNode& node) {
    if (resolve(node) != Resolved::integer) return std::nullopt;
    std::string_view digits = node.text;
    int base = 10;
    if (digits.starts_with("0o") || digits.starts_with("0x")) {
        base = digits[1] == 'o' ? 8 : 16;
        digits.remove_prefix(2);
    } else if (digits.starts_with('+')) {
        digits.remove_prefix(1);
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc{} || end != digits.data() + digits.size() || value < 0) return std::nullopt;
    return value;
}

std::optional<std::int64_t> decimal(std::string_view digits) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    if (digits.starts_with('-')) return std::nullopt;
    return value;
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
    if (text.size() < 2) return std::nullopt;
    const std::int64_t unit = text.back() == 's'   ? 1
                              : text.back() == 'm' ? 60
                              : text.back() == 'h' ? 3600
                                                   : 0;
    const auto count = decimal(text.substr(0, text.size() - 1));
    if (unit == 0 || !count || *count > kLongestSeconds / unit) return std::nullopt;
    return *count * unit;
}

} // namespace escort
