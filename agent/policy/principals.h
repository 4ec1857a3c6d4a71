// Whose sessions are governed, and by which policy: a policy set and NSS's answers in, uids out. Pure.
#pragma once

#include "policy/accounts.h"

#include <map>
#include <optional>

namespace escort {

struct Principal {
    std::string account;    // empty where only a uid range names it and NSS knows no account
    std::size_t policy = 0; // index into PolicySet::policies
};

struct ResolvedPrincipals {
    std::map<std::uint32_t, Principal> by_uid; // never uid 0
    Diagnostics warnings;                      // each at the place of the rule that it concerns
    bool degraded = false;                     // a look-up failed: `agent_degraded` (contract §3)
};

[[nodiscard]] ResolvedPrincipals resolve_principals(const PolicySet& set, const AccountsAnswer& answer);

// The policy that governs an account looked up by itself (a uid that was never seen; the name that a gate was
// given): the first in file order that names it, but enforce beats observe. account.groups must hold all its
// groups. Nothing for root and for everybody whom no policy names.
[[nodiscard]] std::optional<std::size_t> governs(const PolicySet& set, const Account& account);

// The same where only a uid is known, or only a name.
[[nodiscard]] std::optional<std::size_t> governs_uid(const PolicySet& set, std::uint32_t uid);
[[nodiscard]] std::optional<std::size_t> governs_name(const PolicySet& set, const std::string& name);

} // namespace escort
