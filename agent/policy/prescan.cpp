#include "policy/prescan.h"

#include "policy/utf8.h"

#include <fmt/core.h>
#include <utility>

namespace escort {

namespace {

// Follows the text byte by byte. Quotes and comments are told apart just well enough to count brackets: where
// this guess is wrong the parser's own depth limit still holds.
class FlowDepth {
  public:
    // True when this character opens one level too many.
    bool opens_too_many(char c) {
        const char before = std::exchange(before_, c);
        if (c == '\n') comment_ = false;
        if (comment_) return false;
        if (quote_ != '\0') {
            follow_quoted(c);
            return false;
        }
        const bool after_space = before == ' ' || before == '\t' || before == '\n';
        if (c == '#' && after_space) comment_ = true;
        const bool opens = after_space || before == '[' || before == '{' || before == ',' || before == ':';
        if ((c == '"' || c == '\'') && opens) quote_ = c;
        if (c == ']' || c == '}') depth_ -= depth_ > 0 ? 1 : 0;
        return (c == '[' || c == '{') && ++depth_ > kYamlDepth;
    }

  private:
    void follow_quoted(char c) {
        if (escaped_) {
            escaped_ = false;
        } else if (c == '\\' && quote_ == '"') {
            escaped_ = true;
        } else if (c == quote_) {
            quote_ = '\0';
        }
    }

    char before_ = '\n';
    char quote_ = '\0';
    bool escaped_ = false;
    bool comment_ = false;
    int depth_ = 0;
};

// What is wrong with one code point, empty when nothing is.
std::string complaint(std::string_view text, std::size_t at, const CodePoint& point, int column) {
    const bool line_feed_follows = at + 1 < text.size() && text[at + 1] == '\n';
    if (point.value == '\r' && !line_feed_follows) return "a carriage return without a line feed";
    const bool blank = point.value == '\n' || point.value == '\t' || point.value == '\r';
    if (is_control(point.value) && !blank) return fmt::format("control character U+{:04X}", point.value);
    if (point.value == '%' && column == 1) return "YAML directives (%) are not allowed";
    return {};
}

} // namespace

std::optional<Diagnostic> prescan_yaml(const std::string& file, std::string_view text) {
    FlowDepth flow;
    int line = 1;
    int column = 1; // in bytes, as yaml-cpp counts
    const auto here = [&](std::string message) {
        return Diagnostic{Severity::error, Place{file, line, column}, std::move(message)};
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto point = code_point_at(text, at);
        if (!point) return here("not UTF-8");
        if (auto wrong = complaint(text, at, *point, column); !wrong.empty()) return here(std::move(wrong));
        if (flow.opens_too_many(text[at]))
            return here(fmt::format("nested deeper than {} levels", kYamlDepth));
        at += point->bytes;
        column += static_cast<int>(point->bytes);
        if (point->value == '\n') {
            ++line;
            column = 1;
        }
    }
    return std::nullopt;
}

} // namespace escort
