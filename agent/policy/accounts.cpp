#include "policy/accounts.h"

#include "policy/names.h"

#include <utility>

namespace escort {

namespace {

bool is_in_state(const AccountsAnswer& answer, const std::string& user, LookUp state) {
    const auto found = answer.users.find(user);
    return found != answer.users.end() && found->second.state == state;
}

bool group_failed(const AccountsAnswer& answer, const std::string& group) {
    const auto found = answer.groups.find(group);
    return found != answer.groups.end() && found->second == LookUp::failed;
}

// Groups of an earlier answer that the fresh one can't confirm or deny.
std::set<std::string> kept_groups(const AccountsAnswer& fresh, const Account& account) {
    std::set<std::string> kept;
    for (const auto& group : account.groups)
        if (group_failed(fresh, group)) kept.insert(group);
    return kept;
}

} // namespace

AccountsQuestion question_of(const PolicySet& set) {
    AccountsQuestion question;
    for (const auto& policy : set.policies) {
        for (const auto& user : policy.principals.users)
            if (!is_glob(user.value)) question.users.insert(user.value);
        for (const auto& group : policy.principals.groups)
            question.groups.insert(group.value);
    }
    return question;
}

AccountsAnswer merge(const AccountsAnswer& last, AccountsAnswer fresh) {
    std::map<std::pair<std::string, std::uint32_t>, std::size_t> known;
    for (std::size_t i = 0; i < fresh.accounts.size(); ++i)
        known.emplace(std::pair(fresh.accounts[i].name, fresh.accounts[i].uid), i);

    std::set<std::uint32_t> uids_of_failed; // accounts whose own look-up by name failed this time
    for (auto& [name, answer] : fresh.users) {
        const auto earlier = last.users.find(name);
        // A uid that an earlier answer had stays known, however often the look-up fails after it.
        if (answer.state != LookUp::failed || earlier == last.users.end()) continue;
        if (earlier->second.state == LookUp::absent || earlier->second.uid == 0) continue;
        uids_of_failed.insert(earlier->second.uid);
        answer.uid = earlier->second.uid;
    }
    for (const auto& account : last.accounts) {
        auto groups = kept_groups(fresh, account);
        const auto same = known.find(std::pair(account.name, account.uid));
        if (same != known.end()) {
            fresh.accounts[same->second].groups.merge(groups);
            continue;
        }
        if (is_in_state(fresh, account.name, LookUp::absent)) continue;
        const bool by_name =
            uids_of_failed.contains(account.uid) || is_in_state(fresh, account.name, LookUp::failed);
        if (fresh.enumerated && !by_name && groups.empty()) continue;
        // Without the whole of passwd nobody can say whose primary group it is: memberships stay too.
        if (!fresh.enumerated) groups = account.groups;
        fresh.accounts.push_back({account.name, account.uid, std::move(groups)});
    }
    return fresh;
}

} // namespace escort
