// The state files' text: JSON with "format": 1. A newer format is an error, never misread. No I/O.
#pragma once

#include "approvals/strict_json.h"
#include "base/result.h"
#include "core/ledger_memory.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace escort {

constexpr mode_t kStateMode = 0600;

constexpr std::int64_t kStateFormat = 1;

// A state file's object, its format checked first. `file` names the thing in errors.
[[nodiscard]] Result<nlohmann::json> read_object(const std::string& file, std::string_view text,
                                                 const JsonRules& rules = {}, const JsonSink& sink = {});

[[nodiscard]] std::string write_memory(const LedgerMemory& memory);
[[nodiscard]] Result<LedgerMemory> read_memory(const std::string& file, std::string_view text);

// Trusted time, seconds since the epoch.
[[nodiscard]] std::string write_time(std::int64_t trusted);
[[nodiscard]] Result<std::int64_t> read_time(const std::string& file, std::string_view text);

} // namespace escort
