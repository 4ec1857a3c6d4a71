// What NSS answered about the principals of a policy set, and how two answers become one. Plain values: the
// asking is done elsewhere, in a helper process.
#pragma once

#include "core/account.h"
#include "core/policy.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace escort {

// absent: NSS is sure that there is none. failed: nobody can say (a directory that can't be reached).
enum class LookUp { found, absent, failed };

// What to ask for: every name that the policies write out.
struct AccountsQuestion {
    std::set<std::string> users;
    std::set<std::string> groups;
};
[[nodiscard]] AccountsQuestion question_of(const PolicySet& set);

struct UserAnswer {
    LookUp state = LookUp::failed;
    std::uint32_t uid = 0; // when found; the account's own name may differ in case
};

struct AccountsAnswer {
    std::vector<Account> accounts; // enumerated, looked up by name, or a member; groups: those asked for
    std::map<std::string, UserAnswer> users;
    std::map<std::string, LookUp> groups;
    bool enumerated = false; // all of passwd was read; a directory service may keep its own out of it
};

// `fresh`, with what could not be looked up this time taken from `last`: a failed look-up never removes an
// account, or its membership of a group, that an earlier one found (contract §3).
[[nodiscard]] AccountsAnswer merge(const AccountsAnswer& last, AccountsAnswer fresh);

} // namespace escort
