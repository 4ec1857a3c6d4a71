// Durations, times and numbers as people write and read them on a command line.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace escort::ctl {

// Seconds of "90s", "15m", "1h", "1d"; nothing for anything else, 0 and more than 366 days included.
[[nodiscard]] std::optional<std::int64_t> parse_duration(std::string_view text);

// Seconds since the epoch of RFC 3339 ("2026-01-01T09:30:00Z", "...+02:00"; a fraction is cut off) or of a
// plain number of them. Years 1970 to 9999.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text);

// "45s", "12m", "3h05m", "2d04h": two units at most, for tables.
[[nodiscard]] std::string duration_text(std::int64_t seconds);

// "2026-01-01T00:00:00Z".
[[nodiscard]] std::string time_text(std::int64_t epoch);

// "0.8 ms", "12 ms", "3.4 s".
[[nodiscard]] std::string elapsed_text(std::int64_t microseconds);

// "1 session", "2 sessions", "0 processes".
[[nodiscard]] std::string counted(std::int64_t count, const std::string& one, const std::string& many);

// The prefix and eight hex digits by chance. An error: the kernel gives no random number.
[[nodiscard]] Result<std::string> random_id(const std::string& prefix);

} // namespace escort::ctl
