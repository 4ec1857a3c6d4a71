#include "policy/reading.h"

#include "policy/scalars.h"
#include "policy/utf8.h"

#include <fmt/format.h>

namespace escort {

void Reading::report(int line, int column, std::string message, std::string hint) {
    out_.push_back({Severity::error, Place{file_, line, column}, std::move(message), std::move(hint)});
}

void Reading::report_value(const YamlNode& node, std::string_view key, const std::string& wrong,
                           std::string hint) {
    report(node, fmt::format("{}: \"{}\" {}", key, shortened(node.text), wrong), std::move(hint));
}

std::optional<Placed<std::vector<std::string>>> Reading::texts(const YamlNode* node) const {
    if (node == nullptr) return std::nullopt;
    Placed<std::vector<std::string>> list{{}, place_of(*node)};
    for (const auto& item : node->items)
        list.value.push_back(item.text);
    return list;
}

std::optional<Placed<std::int64_t>> Reading::duration(const YamlNode* node, std::string_view key) {
    if (node == nullptr) return std::nullopt;
    const std::int64_t seconds = parse_duration(node->text).value_or(0);
    if (seconds < 1) report(*node, fmt::format("{} must be longer than nothing", key));
    return Placed<std::int64_t>{seconds, place_of(*node)};
}

std::optional<Placed<std::uint32_t>> Reading::count(const YamlNode* node, std::string_view key,
                                                    std::uint32_t most) {
    if (node == nullptr) return std::nullopt;
    const std::int64_t value = integer_of(*node).value_or(0);
    if (value < 1 || value > most) {
        report(*node, fmt::format("{} must be 1 to {}", key, most));
        return std::nullopt;
    }
    return Placed<std::uint32_t>{static_cast<std::uint32_t>(value), place_of(*node)};
}

} // namespace escort
