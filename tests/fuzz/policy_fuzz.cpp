// A set of policy files, as configuration management pushes them, all the way to the kernel's rules. Files
// stand behind one another, with a form feed (which no policy may hold) between two.
#include "fuzz.h"

#include "core/pattern.h"
#include "kernel/rules.h"
#include "policy/load.h"
#include "policy/principals.h"
#include "policy/show.h"

#include <algorithm>
#include <cstring>

using namespace escort;

namespace {

PolicySources sources_of(std::string_view text) {
    PolicySources sources;
    for (int number = 10; number < 18; ++number) {
        const auto end = text.find('\f');
        const auto name = std::to_string(number) + ".yaml";
        sources.push_back({name, name, std::string(text.substr(0, end))});
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return sources;
}

AccountsAnswer answer_to(const AccountsQuestion& question) {
    AccountsAnswer answer;
    answer.enumerated = true;
    answer.accounts = {{"root", 0, {"root"}},
                       {"alice", 1000, {"alice", "cloud-support"}},
                       {"vendor-two", 60002, {"vendors"}}};
    std::uint32_t uid = 2000;
    for (const auto& name : question.users) {
        answer.users[name] = {static_cast<LookUp>(uid % 3), uid};
        answer.accounts.push_back({name, uid++, question.groups});
    }
    for (const auto& name : question.groups)
        answer.groups[name] = static_cast<LookUp>(uid++ % 3);
    return answer;
}

void compile(const PolicySet& set) {
    const auto resolved = resolve_principals(set, answer_to(question_of(set)));
    fuzz::must(!resolved.by_uid.contains(0), "root is no principal");
    std::vector<PrincipalRule> principals;
    for (const auto& [uid, principal] : resolved.by_uid) {
        fuzz::must(principal.policy < set.policies.size(), "a principal has a policy");
        if (principals.size() < 64) principals.push_back({uid, &set.policies[principal.policy], uid});
    }
    std::vector<ExemptRule> exempt;
    std::vector<UnitRule> units;
    for (const auto& policy : set.policies) {
        for (const auto& one : policy.exempt)
            exempt.push_back({one.unit, {1, 2}});
        for (const auto& unit : policy.principals.units)
            units.push_back({unit.name, unit.may_run, 1, &policy});
        if (policy.require.ticket)
            fuzz::must(Pattern::compile(policy.require.ticket->value).has_value(),
                       "a ticket's pattern compiles");
    }
    const auto rules = compile_rules(principals, exempt, false, units);
    std::size_t programs = 0;
    for (const auto& rule : rules) {
        if (rule.key.kind == ESCORT_RULE_PROGRAM)
            fuzz::must(rule.key.index == programs++, "programs are numbered from 0");
        if (rule.key.kind == ESCORT_RULE_UNIT || rule.key.kind == ESCORT_RULE_EXEMPT_UNIT)
            fuzz::must(std::memchr(rule.value.unit, '\0', ESCORT_NAME) != nullptr, "a unit's name ends");
    }
    fuzz::must(programs <= ESCORT_MAX_PROGRAMS, "programs have room");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto sources = sources_of(fuzz::text_of(data, size));
    Diagnostics found;
    const auto set = parse_policies(sources, found);
    fuzz::must(set.has_value() == !has_errors(found), "a set is loaded whole, or an error says why not");
    for (const auto& one : found)
        fuzz::must(one.place.line >= 0 && one.place.column >= 0 && !one.message.empty(),
                   "a diagnostic has a place and a message");
    if (!set) return 0;
    fuzz::must(set->policies.size() <= sources.size(), "a file holds one policy");
    fuzz::must(set->sha256.size() == 64, "a set has a fingerprint");
    for (const auto& policy : set->policies)
        fuzz::must(!policy.name.empty() && !policy.require.entries.value.contains(Entry::existing),
                   "a policy has a name, and asks for ways in that there are");
    compile(*set);
    fuzz::must(!governs_uid(*set, 0), "no policy governs root");
    (void)governs_name(*set, "azsupport");
    (void)show_text(*set);
    (void)show_json(*set);
    return 0;
}
