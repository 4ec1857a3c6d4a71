// Look-ups through NSS. Each may block for as long as a directory service likes, so they run in the helper
// process only, never in the daemon.
#pragma once

#include "base/result.h"
#include "policy/accounts.h"

#include <optional>

namespace escort {

// All of passwd, the question's users and groups, and the members of these groups, by gr_mem and by primary
// group. Never fails as a whole: what could not be looked up says so.
[[nodiscard]] AccountsAnswer look_up_accounts(const AccountsQuestion& question);

// One account with the names of all its groups. Nothing: there is no such account. An error: nobody can say.
[[nodiscard]] Result<std::optional<Account>> look_up_uid(std::uint32_t uid);
[[nodiscard]] Result<std::optional<Account>> look_up_name(const std::string& name);

} // namespace escort
