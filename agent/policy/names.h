// Rules for the strings of a policy: account names and globs, units, uid ranges.
#pragma once

#include "base/result.h"
#include "core/policy.h"

#include <string>
#include <string_view>

namespace escort {

constexpr std::uint32_t kHighestUid = 4'294'967'294; // 4294967295 is (uid_t)-1: "no uid"

// What is wrong with the name of an account or group, or a glob over such names; empty when nothing is.
// Names of directory services (DOMAIN\user, user@domain, inner spaces) are fine; at most 256 bytes.
[[nodiscard]] std::string wrong_name(std::string_view name);

// What is wrong with a unit's name: a service ("puppet.service"), at most 63 bytes.
[[nodiscard]] std::string wrong_unit(std::string_view unit);

[[nodiscard]] bool is_glob(std::string_view pattern);

// Whole-string shell glob (fnmatch(3)); a backslash stands for itself, as in DOMAIN\user.
[[nodiscard]] bool glob_matches(const std::string& pattern, const std::string& name);

// "60000" or "60000-60099": 1 to kHighestUid, first not above last. The error's `why` says what is wrong.
[[nodiscard]] Result<UidRange> parse_uids(std::string_view text);

} // namespace escort
