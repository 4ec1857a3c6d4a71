// What a YAML scalar is: the core schema of YAML 1.2 (chapter 10.3), so that `yes` and `NO` are strings; and
// the durations of the contract. A quoted scalar is always a string.
#pragma once

#include "policy/yaml.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace escort {

enum class Resolved { null, boolean, integer, real, text, list, map };

[[nodiscard]] Resolved resolve(const YamlNode& node);

// "a number", "a list" ...: for "must be a string, found a number".
[[nodiscard]] const char* describe(Resolved kind);

// The value of a node that resolves to boolean or integer; nothing when it is neither, or below zero or
// above 2^63 - 1.
[[nodiscard]] std::optional<bool> boolean_of(const YamlNode& node);
[[nodiscard]] std::optional<std::int64_t> integer_of(const YamlNode& node);

// Decimal digits only, at most 2^63 - 1.
[[nodiscard]] std::optional<std::int64_t> decimal(std::string_view digits);

// Seconds of "30s", "5m", "2h"; nothing for another unit, no unit, or more than 366 days.
[[nodiscard]] std::optional<std::int64_t> parse_duration(std::string_view text);

} // namespace escort
