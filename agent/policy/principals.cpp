#include "policy/principals.h"

#include "policy/names.h"

#include <algorithm>
#include <fmt/format.h>

namespace escort {

namespace {

bool names_uid(const Policy& policy, std::uint32_t uid) {
    const auto& ranges = policy.principals.uids;
    return std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
        return range.value.first <= uid && uid <= range.value.last;
    });
}

bool names_user(const Policy& policy, const std::string& name) {
    const auto& users = policy.principals.users;
    return std::any_of(users.begin(), users.end(), [&](const auto& user) {
        return is_glob(user.value) ? glob_matches(user.value, name) : user.value == name;
    });
}

bool names_group_of(const Policy& policy, const Account& account) {
    const auto& groups = policy.principals.groups;
    return std::any_of(groups.begin(), groups.end(),
                       [&](const auto& group) { return account.groups.contains(group.value); });
}

// The first policy that `names` says yes to, but enforce beats observe.
template <typename Names>
std::optional<std::size_t> first_that(const PolicySet& set, const Names& names) {
    std::optional<std::size_t> observing;
    for (std::size_t i = 0; i < set.policies.size(); ++i) {
        if (!names(set.policies[i])) continue;
        if (set.policies[i].mode.value == Mode::enforce) return i;
        if (!observing) observing = i;
    }
    return observing;
}

// Whether the literal `user` stands for `uid`: NSS may know it under a name in other letters.
bool answered_with(const AccountsAnswer& answer, const std::string& user, std::uint32_t uid) {
    const auto found = answer.users.find(user);
    return found != answer.users.end() && found->second.state != LookUp::absent && found->second.uid == uid;
}

class Resolver {
  public:
    Resolver(const PolicySet& set, const AccountsAnswer& answer) : set_(set), answer_(answer) {}

    ResolvedPrincipals resolve() {
        add_ranges();
        for (const auto& account : answer_.accounts)
            add_account(account);
        for (const auto& policy : set_.policies)
            warn_of(policy);
        return std::move(result_);
    }

  private:
    void add_ranges() {
        for (const auto& policy : set_.policies) {
            for (const auto& range : policy.principals.uids) {
                // 64 bits: the last uid may be the type's own last but one
                for (std::uint64_t uid = range.value.first; uid <= range.value.last; ++uid) {
                    const auto one = static_cast<std::uint32_t>(uid);
                    if (const auto index = governs_uid(set_, one)) offer(one, "", *index);
                }
            }
        }
    }

    void add_account(const Account& account) {
        const auto index = first_that(set_, [&](const Policy& policy) {
            const auto& users = policy.principals.users;
            return names_user(policy, account.name) || names_uid(policy, account.uid) ||
                   names_group_of(policy, account) ||
                   std::any_of(users.begin(), users.end(), [&](const auto& user) {
                       return answered_with(answer_, user.value, account.uid);
                   });
        });
        if (!index) return;
        if (account.uid == 0) {
            const Policy& policy = set_.policies[*index];
            warn(policy.place,
                 fmt::format("account \"{}\" is uid 0: root is never a principal", account.name));
            return;
        }
        offer(account.uid, account.name, *index);
    }

    // Several accounts may share a uid: the policy that beats the other gives the name too.
    void offer(std::uint32_t uid, const std::string& account, std::size_t policy) {
        const auto [at, fresh] = result_.by_uid.emplace(uid, Principal{account, policy});
        if (fresh) return;
        Principal& known = at->second;
        const bool known_enforces = set_.policies[known.policy].mode.value == Mode::enforce;
        const bool enforces = set_.policies[policy].mode.value == Mode::enforce;
        const bool beats = enforces == known_enforces ? policy < known.policy : enforces;
        if (beats) known = {account.empty() ? known.account : account, policy};
        if (known.account.empty()) known.account = account;
    }

    void warn(const Place& place, std::string message) {
        result_.warnings.push_back({Severity::warning, place, std::move(message)});
    }
    void warn_failed(const Place& place, const std::string& what) {
        result_.degraded = true;
        warn(place, what + " could not be looked up: what was known of it still holds");
    }

    void warn_of(const Policy& policy) {
        for (const auto& user : policy.principals.users) {
            if (is_glob(user.value)) {
                if (!answer_.enumerated) warn_failed(user.place, fmt::format("pattern \"{}\"", user.value));
                continue;
            }
            const auto found = answer_.users.find(user.value);
            if (found == answer_.users.end() || found->second.state == LookUp::failed) {
                warn_failed(user.place, fmt::format("account \"{}\"", user.value));
            } else if (found->second.state == LookUp::absent) {
                warn(user.place, fmt::format("there is no account \"{}\"", user.value));
            }
        }
        for (const auto& group : policy.principals.groups) {
            const auto found = answer_.groups.find(group.value);
            if (found == answer_.groups.end() || found->second == LookUp::failed) {
                warn_failed(group.place, fmt::format("group \"{}\"", group.value));
            } else if (found->second == LookUp::absent) {
                // Contract §3: a group that can't be resolved is agent_degraded.
                result_.degraded = true;
                warn(group.place, fmt::format("there is no group \"{}\"", group.value));
            }
        }
    }

    const PolicySet& set_;
    const AccountsAnswer& answer_;
    ResolvedPrincipals result_;
};

} // namespace

ResolvedPrincipals resolve_principals(const PolicySet& set, const AccountsAnswer& answer) {
    return Resolver(set, answer).resolve();
}

std::optional<std::size_t> governs(const PolicySet& set, const Account& account) {
    if (account.uid == 0) return std::nullopt;
    return first_that(set, [&](const Policy& policy) {
        return names_user(policy, account.name) || names_uid(policy, account.uid) ||
               names_group_of(policy, account);
    });
}

std::optional<std::size_t> governs_uid(const PolicySet& set, std::uint32_t uid) {
    if (uid == 0) return std::nullopt;
    return first_that(set, [&](const Policy& policy) { return names_uid(policy, uid); });
}

std::optional<std::size_t> governs_name(const PolicySet& set, const std::string& name) {
    return first_that(set, [&](const Policy& policy) { return names_user(policy, name); });
}

} // namespace escort
