#include "kernel/rules.h"

#include "kernel/pattern.h"

#include <algorithm>
#include <map>

namespace escort {

namespace {

std::uint32_t flags_of(const Policy& policy, bool observe_override) {
    std::uint32_t flags = 0;
    if (observe_override || policy.mode.value == Mode::observe) flags |= ESCORT_PRINCIPAL_OBSERVE;
    if (policy.on_violation.value == Violation::log) flags |= ESCORT_PRINCIPAL_LOG;
    return flags;
}

std::uint32_t entries_of(const Policy& policy) {
    std::uint32_t bits = 0;
    for (const auto entry : policy.require.entries.value)
        bits |= 1U << static_cast<unsigned>(entry);
    return bits;
}

// The unit's rule, and the rules of its programs right behind those of the units before it.
void add_unit(std::vector<KernelRule>& rules, const UnitRule& unit, std::uint32_t index,
              std::uint32_t& programs, bool observe_override) {
    escort_rule rule{};
    rule.window_until = unit.window_until;
    rule.flags = flags_of(*unit.policy, observe_override);
    rule.entries = 1U << ESCORT_ENTRY_UNIT;
    rule.first_program = programs;
    unit.name.copy(rule.unit, ESCORT_NAME - 1);
    for (const auto& program : unit.programs) {
        for (const auto& name : merged_names(program)) {
            const auto pattern = compile_pattern(name);
            if (!pattern || programs == ESCORT_MAX_PROGRAMS) continue;
            escort_rule compiled{};
            compiled.flags = pattern->arguments ? ESCORT_PROGRAM_ARGUMENTS : 0;
            std::copy(pattern->bytes.begin(), pattern->bytes.end(), compiled.pattern);
            rules.push_back({{ESCORT_RULE_PROGRAM, programs++}, compiled});
        }
    }
    rule.programs = programs - rule.first_program;
    rules.push_back({{ESCORT_RULE_UNIT, index}, rule});
}

} // namespace

std::vector<KernelRule> compile_rules(const std::vector<PrincipalRule>& principals,
                                      const std::vector<ExemptRule>& exempt, bool observe_override,
                                      const std::vector<UnitRule>& units) {
    std::vector<KernelRule> rules;
    rules.reserve(principals.size() + exempt.size() * 2 + 1);
    for (const auto& principal : principals) {
        escort_rule rule{};
        rule.window_until = principal.window_until;
        rule.flags = flags_of(*principal.policy, observe_override);
        if (principal.policy->require.admission.value == Admission::gate) rule.flags |= ESCORT_PRINCIPAL_GATE;
        rule.entries = entries_of(*principal.policy);
        rules.push_back({{ESCORT_RULE_PRINCIPAL, principal.uid}, rule});
    }
    escort_rule probe{};
    probe.flags = ESCORT_PRINCIPAL_PROBE;
    rules.push_back({{ESCORT_RULE_PRINCIPAL, kProbeUid}, probe});

    std::map<std::uint32_t, std::uint32_t> exempt_of; // uid → bit set of units
    for (std::uint32_t i = 0; i < exempt.size() && i < ESCORT_MAX_EXEMPT_UNITS; i++) {
        escort_rule unit{};
        exempt[i].unit.copy(unit.unit, ESCORT_NAME - 1);
        rules.push_back({{ESCORT_RULE_EXEMPT_UNIT, i}, unit});
        for (const auto uid : exempt[i].uids)
            exempt_of[uid] |= 1U << i;
    }
    for (const auto& [uid, bits] : exempt_of) {
        escort_rule rule{};
        rule.units = bits;
        rules.push_back({{ESCORT_RULE_EXEMPT_UID, uid}, rule});
    }
    std::uint32_t programs = 0;
    for (std::uint32_t i = 0; i < units.size() && i < ESCORT_MAX_UNITS; i++)
        add_unit(rules, units[i], i, programs, observe_override);
    return rules;
}

} // namespace escort
