#include "service/rulebook.h"

#include "policy/names.h"

#include <algorithm>
#include <map>
#include <set>

namespace escort {

void Rulebook::set_policies(PolicySet set, AccountsAnswer accounts) {
    set_ = std::move(set);
    patterns_ = {};
    for (const auto& policy : set_.policies)
        if (policy.require.ticket) patterns_.add(policy.require.ticket->value);
    set_accounts(std::move(accounts));
}

bool Rulebook::set_accounts(AccountsAnswer accounts) {
    accounts_ = std::move(accounts);
    auto fresh = resolve_principals(set_, accounts_);
    std::set<std::uint32_t> listed; // the list knows better whose number it is
    for (const auto& account : accounts_.accounts)
        listed.insert(account.uid);
    for (const auto& account : singles_)
        if (const auto policy = governs(set_, account); policy && !listed.contains(account.uid))
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

void Rulebook::remember(const Account& account) {
    singles_.push_back(account);
}

bool Rulebook::renew_account(std::uint32_t uid, const std::optional<Account>& now) {
    std::erase_if(singles_, [uid](const Account& account) { return account.uid == uid; });
    if (now && governs(set_, *now)) singles_.push_back(*now);
    return set_accounts(accounts_);
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

std::optional<Governed> Rulebook::governed_unit(const std::string& unit) const {
    for (const auto& policy : set_.policies)
        for (const auto& principal : policy.principals.units)
            if (principal.name == unit) return Governed{unit, &policy, true};
    return std::nullopt;
}

std::optional<Governed> Rulebook::governed_name(const std::string& name) const {
    if (const auto uid = uid_of(name)) return governed(*uid);
    const auto policy = governs_name(set_, name);
    if (!policy) return std::nullopt;
    return Governed{name, &set_.policies.at(*policy)};
}

Evidence Rulebook::evidence() const {
    Evidence evidence;
    evidence.presence = &sources_.presence;
    evidence.denials = &sources_.denials;
    evidence.patterns = &patterns_;
    return evidence;
}

std::vector<Candidate> Rulebook::candidates(const std::string& name, bool unit, const Moment& now) const {
    return unit ? sources_.ledger.unit_candidates(name, now) : sources_.ledger.candidates(name, now);
}

Verdict Rulebook::judge(const Governed& governed, const SessionFacts& facts, const InUse& in_use,
                        const Moment& now, bool explain) const {
    Evidence all = evidence();
    if (facts.approval) { // a live session has but this one
        if (const auto candidate = sources_.ledger.find(*facts.approval, now))
            all.candidates.push_back(*candidate);
        if (const auto tombstone = sources_.ledger.tombstone(*facts.approval, now))
            all.tombstones.push_back(*tombstone);
    } else {
        const std::string& name = governed.unit ? facts.unit : facts.account;
        all.candidates = candidates(name, governed.unit, now);
        all.tombstones = sources_.ledger.tombstones(name, now);
        all.sessions = in_use;
    }
    all.explain = explain;
    return escort::judge(*governed.policy, facts, all, observe_, now);
}

std::uint64_t Rulebook::window(const Policy& policy, const std::string& name, bool unit, const InUse& in_use,
                               const Moment& now) const {
    if (name.empty()) return 0; // a bare uid: no approval can name it
    Evidence all = evidence();
    all.candidates = candidates(name, unit, now);
    if (all.candidates.empty()) return 0;
    all.sessions = in_use;
    all.explain = false;
    return window_until(policy, all, now);
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

std::vector<KernelRule> Rulebook::kernel_rules(const InUse& in_use, const Moment& now) const {
    std::vector<PrincipalRule> principals;
    principals.reserve(principals_.by_uid.size());
    for (const auto& [uid, principal] : principals_.by_uid) {
        const Policy& policy = set_.policies.at(principal.policy);
        principals.push_back({uid, &policy, window(policy, principal.account, false, in_use, now)});
    }
    std::vector<UnitRule> units;
    for (const auto& policy : set_.policies)
        for (const auto& unit : policy.principals.units)
            units.push_back({unit.name, unit.may_run, window(policy, unit.name, true, in_use, now), &policy});
    return compile_rules(principals, exemptions(), observe_, units);
}

} // namespace escort
