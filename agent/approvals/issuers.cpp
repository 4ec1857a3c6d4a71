#include "approvals/issuers.h"

#include "base/contains.h"

#include <algorithm>
#include <fnmatch.h>

namespace escort {

namespace {

std::vector<const IssuerRule*> rules_for(const std::vector<IssuerRule>& rules, const std::string& iss,
                                         const std::string& type, const std::string& thumbprint,
                                         const TrustSet& trust) {
    const auto files = trust.files_of(thumbprint);
    std::vector<const IssuerRule*> out;
    for (const IssuerRule& rule : rules) {
        const bool holds_key = std::any_of(rule.keys.begin(), rule.keys.end(),
                                           [&](const std::string& key) { return contains(files, key); });
        if (rule.iss == iss && rule.types.contains(type) && holds_key) out.push_back(&rule);
    }
    return out;
}

bool speaks_for(const std::vector<const IssuerRule*>& rules, const std::string& account) {
    return std::any_of(rules.begin(), rules.end(), [&](const IssuerRule* rule) {
        if (!rule->accounts) return true;
        return std::any_of(rule->accounts->begin(), rule->accounts->end(), [&](const std::string& glob) {
            return ::fnmatch(glob.c_str(), account.c_str(), 0) == 0;
        });
    });
}

} // namespace

Judged<void> check_issuer(const IssuerRules& rules, const std::string& iss, const std::string& type,
                          const std::string& thumbprint, const TrustSet& trust) {
    if (!rules || !rules_for(*rules, iss, type, thumbprint, trust).empty()) return {};
    return refuse(RefusalCode::issuer_not_allowed, "iss: '" + iss + "' may not sign " + type +
                                                       " with the key " + thumbprint + " (issuers: setting)");
}

Judged<void> check_accounts(const IssuerRules& rules, const ApprovalList& list, const TrustSet& trust) {
    if (!rules) return {};
    const auto matching = rules_for(*rules, list.issuer, "approvals", list.key, trust);
    const bool any_account =
        std::any_of(matching.begin(), matching.end(), [](const IssuerRule* rule) { return !rule->accounts; });
    if (any_account) return {};
    const auto not_its = [&](std::size_t index, const std::string& claim, const std::string& what) {
        return refuse(RefusalCode::account_not_allowed,
                      "approvals[" + std::to_string(index) + "]." + claim + ": '" + list.issuer +
                          "' may not approve " + what + " (approval " + list.approvals[index].jti + ")");
    };
    for (std::size_t i = 0; i < list.approvals.size(); ++i) {
        const Approval& approval = list.approvals[i];
        if (!approval.unit.empty()) return not_its(i, "unit", "the unit '" + approval.unit + "'");
        if (!speaks_for(matching, approval.account))
            return not_its(i, "account", "'" + approval.account + "'");
        for (const std::string& account : approval.also)
            if (!speaks_for(matching, account)) return not_its(i, "also", "'" + account + "'");
    }
    return {};
}

std::vector<std::string> spoken_for(const IssuerRules& rules, const std::string& iss, const std::string& type,
                                    const std::string& thumbprint, const TrustSet& trust) {
    std::vector<std::string> out{iss};
    if (!rules) return out;
    for (const IssuerRule* rule : rules_for(*rules, iss, type, thumbprint, trust))
        for (const std::string& other : rule->revokes_for)
            if (!contains(out, other)) out.push_back(other);
    return out;
}

} // namespace escort
