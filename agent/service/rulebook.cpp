#include "service/rulebook.h"

#include "policy/names.h"

#include <algorithm>
#include <map>
#include <set>

namespace escort {

void Rulebook::set_policies(PolicySet set, AccountsAnswer accounts) {
    set_ = std::move(set);
    singles_.clear();
    set_accounts(std::move(accounts));
}

bool Rulebook::set_accounts(AccountsAnswer accounts) {
    accounts_ = std::move(accounts);
    auto fresh = resolve_principals(set_, accounts_);
    for (const auto& account : singles_)
        if (const auto policy = governs(set_, account))
            fresh.by_uid.try_emplace(account.uid, Principal{account.name, *policy});
    const auto same = [](const auto& left, const auto& right) {
        return left.first == right.first && left.second.account == right.second.account &&
               left.second.policy == right.second.policy;
    };
    const bool changed = !std::equal(fresh.by_uid.begin(), fresh.by_uid.end(), principals_.by_uid.begin(),
                                     principals_.by_uid.end(), same);
    principals_ = std::move(fresh);
    return changed;
}

bool Rulebook::add_account(const Account& account) {
    const auto policy = governs(set_, account);
    if (!policy) return false;
    if (!principals_.by_uid.try_emplace(account.uid, Principal{account.name, *policy}).second) return false;
    singles_.push_back(account);
    return true;
}

std::optional<Governed> Rulebook::governed(std::uint32_t uid) const {
    const auto found = principals_.by_uid.find(uid);
    if (found == principals_.by_uid.end()) return std::nullopt;
    const auto& [account, policy] = found->second;
    return Governed{account.empty() ? "uid " + std::to_string(uid) : account, &set_.policies.at(policy)};
}

std::optional<std::uint32_t> Rulebook::uid_of(const std::string& account) const {
    for (const auto& [uid, principal] : principals_.by_uid)
        if (principal.account == account) return uid;
    return std::nullopt;
}

Verdict Rulebook::judge(const Governed& governed, const SessionFacts& facts, const Moment& now) const {
    return escort::judge(*governed.policy, facts,
                         {ledger_.candidates(facts.account, now), ledger_.tombstones(facts.account, now)},
                         observe_, now);
}

// A policy exempts jobs for the accounts that it governs, no others; several policies may name one unit.
std::vector<ExemptRule> Rulebook::exemptions() const {
    std::map<std::string, std::set<std::uint32_t>> by_unit;
    for (const auto& entry : principals_.by_uid) {
        const auto uid = entry.first;
        const Principal& principal = entry.second; // clang 14 can't capture a structured binding
        for (const auto& exempt : set_.policies.at(principal.policy).exempt) {
            const bool named =
                exempt.accounts.empty() ||
                std::any_of(exempt.accounts.begin(), exempt.accounts.end(), [&](const auto& name) {
                    return is_glob(name) ? glob_matches(name, principal.account) : name == principal.account;
                });
            if (named) by_unit[exempt.unit].insert(uid);
        }
    }
    std::vector<ExemptRule> rules;
    for (const auto& [unit, uids] : by_unit)
        rules.push_back({unit, {uids.begin(), uids.end()}});
    return rules;
}

std::vector<KernelRule> Rulebook::kernel_rules(const Moment& now) const {
    std::vector<PrincipalRule> principals;
    principals.reserve(principals_.by_uid.size());
    for (const auto& [uid, principal] : principals_.by_uid)
        principals.push_back(
            {uid, &set_.policies.at(principal.policy),
             principal.account.empty() ? 0 : window_until(ledger_.candidates(principal.account, now))});
    return compile_rules(principals, exemptions(), observe_);
}

} // namespace escort
