// What the readers of a policy file share: its name, where its errors go, and values with their places. They
// read trees that fit policy_shape(): types are known to be right, values are not.
#pragma once

#include "core/policy.h"
#include "policy/yaml.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace escort {

class Reading {
  public:
    Reading(std::string file, Diagnostics& out) : file_(std::move(file)), out_(out) {}

    void report(int line, int column, std::string message, std::string hint = {});
    void report(const YamlNode& node, std::string message, std::string hint = {}) {
        report(node.line, node.column, std::move(message), std::move(hint));
    }
    // `KEY: "VALUE" WRONG`
    void report_value(const YamlNode& node, std::string_view key, const std::string& wrong,
                      std::string hint = {});

    [[nodiscard]] Place place_of(const YamlNode& node) const { return {file_, node.line, node.column}; }
    [[nodiscard]] Place place_of(const YamlMember& member) const {
        return {file_, member.line, member.column};
    }

    // Each nothing where `node` is null: an absent key.
    [[nodiscard]] std::optional<Placed<std::vector<std::string>>> texts(const YamlNode* node) const;
    // Seconds, at least 1; `key` for the error.
    std::optional<Placed<std::int64_t>> duration(const YamlNode* node, std::string_view key);
    // 1 to `most`.
    std::optional<Placed<std::uint32_t>> count(const YamlNode* node, std::string_view key,
                                               std::uint32_t most);

  private:
    std::string file_;
    Diagnostics& out_;
};

// The value of `key` in `map`; null where either is absent.
[[nodiscard]] inline const YamlNode* find_in(const YamlNode* map, std::string_view key) {
    return map == nullptr ? nullptr : map->find(key);
}

} // namespace escort
