#include "policy/names.h"

#include "policy/scalars.h"
#include "policy/utf8.h"

#include <algorithm>
#include <fmt/format.h>
#include <fnmatch.h>

namespace escort {

namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLongestUnit = 63; // the kernel programs' buffer is 64 with its NUL

bool is_unit_character(char c) {
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter_or_digit ||
           std::string_view(":_.\\@-").find(c) != std::string_view::npos; // systemd.unit(5)
}

} // namespace

std::string wrong_name(std::string_view name) {
    if (name.size() > kLongestName) return fmt::format("is longer than {} bytes", kLongestName);
    if (name.front() == ' ' || name.back() == ' ') return "starts or ends with a space";
    const auto stray = name.find_first_of(":/\n\t"); // passwd(5) and /proc can't hold these
    return stray == std::string_view::npos ? "" : "holds a character that no account name can have";
}

std::string wrong_unit(std::string_view unit) {
    if (unit.size() > kLongestUnit) return fmt::format("is longer than {} bytes", kLongestUnit);
    constexpr std::string_view kSuffix = ".service";
    const bool service = unit.size() > kSuffix.size() && unit.ends_with(kSuffix);
    if (!service || !std::all_of(unit.begin(), unit.end(), is_unit_character))
        return "is no name of a service, such as puppet.service";
    return "";
}

bool is_glob(std::string_view pattern) {
    return pattern.find_first_of("*?[") != std::string_view::npos;
}

bool glob_matches(const std::string& pattern, const std::string& name) {
    return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

Result<UidRange> parse_uids(std::string_view text) {
    const auto dash = text.find('-');
    const auto first = decimal(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : decimal(text.substr(dash + 1));
    if (!first || !last) return fail("", "is neither a uid nor a range such as 60000-60099");
    if (*first == 0) return fail("", "holds uid 0: root can't be a principal");
    if (*first > kHighestUid || *last > kHighestUid)
        return fail("", fmt::format("is above the highest uid, {}", kHighestUid));
    if (*first > *last) return fail("", "ends before it starts");
    return UidRange{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*last)};
}

} // namespace escort
