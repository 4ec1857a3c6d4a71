#include "escortctl/words.h"

#include <charconv>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/random.h>

namespace escort::ctl {

namespace {

constexpr std::int64_t kDay = 24 * 3600;

// Decimal digits alone, all of `text`.
std::optional<std::int64_t> digits(std::string_view text) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    std::int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc()) return std::nullopt;
    return value;
}

// Digits at a fixed place, for RFC 3339 §5.6.
std::optional<int> field(std::string_view text, std::size_t at, std::size_t size) {
    if (text.size() < at + size) return std::nullopt;
    const auto value = digits(text.substr(at, size));
    if (!value) return std::nullopt;
    return static_cast<int>(*value);
}

// "Z" or "+02:00" as seconds east of Greenwich.
std::optional<std::int64_t> offset(std::string_view text) {
    if (text == "Z" || text == "z") return 0;
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
    const auto hours = field(text, 1, 2);
    const auto minutes = field(text, 4, 2);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    const std::int64_t seconds = *hours * 3600 + *minutes * 60;
    return text[0] == '+' ? seconds : -seconds;
}

} // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
    if (text.empty()) return std::nullopt;
    std::int64_t unit = 0;
    switch (text.back()) {
    case 's':
        unit = 1;
        break;
    case 'm':
        unit = 60;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'd':
        unit = kDay;
        break;
    default:
        return std::nullopt;
    }
    const auto count = digits(text.substr(0, text.size() - 1));
    if (!count || *count == 0 || *count > 366 * kDay / unit) return std::nullopt;
    return *count * unit;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
    constexpr std::int64_t kYear9999 = 253'402'300'799;
    if (const auto epoch = digits(text)) return *epoch <= kYear9999 ? epoch : std::nullopt;
    constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
    if (text.size() <= kShape.size()) return std::nullopt;
    for (std::size_t i = 0; i < kShape.size(); ++i) {
        const bool separator =
            kShape[i] == 'T' ? text[i] == 'T' || text[i] == 't' || text[i] == ' ' : text[i] == kShape[i];
        if (kShape[i] != 'd' && !separator) return std::nullopt;
    }
    std::tm parts{};
    const auto year = field(text, 0, 4);
    const auto month = field(text, 5, 2);
    const auto day = field(text, 8, 2);
    const auto hour = field(text, 11, 2);
    const auto minute = field(text, 14, 2);
    const auto second = field(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second || *year < 1970) return std::nullopt;
    parts.tm_year = *year - 1900;
    parts.tm_mon = *month - 1;
    parts.tm_mday = *day;
    parts.tm_hour = *hour;
    parts.tm_min = *minute;
    parts.tm_sec = *second;
    const std::tm written = parts;
    const std::int64_t local = ::timegm(&parts); // turns the 31st of February into March: compared below
    if (parts.tm_mon != written.tm_mon || parts.tm_mday != written.tm_mday ||
        parts.tm_hour != written.tm_hour || parts.tm_min != written.tm_min || parts.tm_sec != written.tm_sec)
        return std::nullopt;

    std::size_t at = kShape.size();
    if (text[at] == '.') {
        const std::size_t end = text.find_first_not_of("0123456789", at + 1);
        if (end == at + 1 || end == std::string_view::npos) return std::nullopt;
        at = end;
    }
    const auto east = offset(text.substr(at));
    if (!east || local - *east < 0) return std::nullopt;
    return local - *east;
}

std::string duration_text(std::int64_t seconds) {
    if (seconds < 0) return "-" + duration_text(-seconds);
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m", seconds / 60);
    if (seconds < kDay) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
    return fmt::format("{}d{:02}h", seconds / kDay, seconds / 3600 % 24);
}

std::string time_text(std::int64_t epoch) {
    const std::time_t time = epoch;
    std::tm parts{};
    if (::gmtime_r(&time, &parts) == nullptr) return std::to_string(epoch);
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

std::string elapsed_text(std::int64_t microseconds) {
    const double ms = static_cast<double>(microseconds) / 1000;
    if (ms < 10) return fmt::format("{:.1f} ms", ms);
    if (ms < 1000) return fmt::format("{:.0f} ms", ms);
    return fmt::format("{:.1f} s", ms / 1000);
}

std::string counted(std::int64_t count, const std::string& one, const std::string& many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

Result<std::string> random_id(const std::string& prefix) {
    std::uint32_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
        return fail(prefix, "the kernel gave no random number");
    return fmt::format("{}{:08x}", prefix, random);
}

} // namespace escort::ctl
