// What is checked in a YAML text before yaml-cpp sees it: bytes that it would misread in silence, and nesting
// that costs it a second and a hundred megabytes before it notices.
#pragma once

#include "base/diagnostic.h"

#include <optional>
#include <string>
#include <string_view>

namespace escort {

constexpr int kYamlDepth = 32; // levels of lists and maps

// The first thing that is wrong, or nothing: not UTF-8; a control character (NUL included; yaml-cpp takes
// 0x04 for the end of the file); a carriage return without a line feed; a line that starts with % (a
// directive, which yaml-cpp skips when it doesn't know it); flow lists and maps nested deeper than
// kYamlDepth.
[[nodiscard]] std::optional<Diagnostic> prescan_yaml(const std::string& file, std::string_view text);

} // namespace escort
