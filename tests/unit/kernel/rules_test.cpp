// Policies as the kernel's rules (kernel/rules.h), and what a running unit was started as.
#include "kernel/rules.h"

#include "kernel/running_units.h"

#include <doctest/doctest.h>
#include <string>

using namespace escort;

namespace {

const escort_rule* find(const std::vector<KernelRule>& rules, __u32 kind, __u32 index) {
    for (const auto& rule : rules)
        if (rule.key.kind == kind && rule.key.index == index) return &rule.value;
    return nullptr;
}

std::string own(const std::string& path, std::string_view command_line) {
    const auto text = start_text(path, command_line);
    std::string shown(text.bytes + text.begin, text.end - text.begin);
    for (auto& byte : shown)
        if (byte == '\0') byte = ' ';
    return shown;
}

} // namespace

TEST_CASE("rules: admission: gate is the kernel's flag, and of a unit never") {
    Policy gated, window;
    window.require.admission.value = Admission::window;
    const auto rules =
        compile_rules({{1001, &gated, 5}, {1002, &window, 5}}, {}, false, {{"a.service", {}, 7, &gated}});
    CHECK(find(rules, ESCORT_RULE_PRINCIPAL, 1001)->flags == ESCORT_PRINCIPAL_GATE);
    CHECK(find(rules, ESCORT_RULE_PRINCIPAL, 1002)->flags == 0);
    const auto* unit = find(rules, ESCORT_RULE_UNIT, 0);
    REQUIRE(unit != nullptr);
    CHECK(unit->flags == 0);
    CHECK(unit->window_until == 7);
    CHECK(unit->entries == 1U << ESCORT_ENTRY_UNIT);
    CHECK(std::string(unit->unit) == "a.service");
}

TEST_CASE("rules: observing goes for units too, and what they may run follows them") {
    Policy policy, logs;
    logs.on_violation.value = Violation::log;
    const auto rules = compile_rules({}, {}, true,
                                     {{"a.service", {"/usr/sbin/ip", "/opt/x", "not absolute"}, 0, &policy},
                                      {"b.service", {"/opt/y -a"}, 0, &logs}});
    const auto *first = find(rules, ESCORT_RULE_UNIT, 0), *second = find(rules, ESCORT_RULE_UNIT, 1);
    REQUIRE(first != nullptr);
    REQUIRE(second != nullptr);
    CHECK(first->flags == ESCORT_PRINCIPAL_OBSERVE);
    CHECK(second->flags == (ESCORT_PRINCIPAL_OBSERVE | ESCORT_PRINCIPAL_LOG));
    CHECK(first->first_program == 0);
    CHECK(first->programs == 3); // ip by two names; the last doesn't compile
    CHECK(second->first_program == 3);
    CHECK(second->programs == 1);
    CHECK(std::string(find(rules, ESCORT_RULE_PROGRAM, 1)->pattern) == "/sbin/ip");
    CHECK(find(rules, ESCORT_RULE_PROGRAM, 3)->flags == ESCORT_PROGRAM_ARGUMENTS);
}

TEST_CASE("rules: a running unit is known by its program and arguments, without options at the end") {
    using namespace std::string_view_literals;
    CHECK(own("/usr/bin/python3.11", "python3\0-u\0/usr/sbin/waagent\0-daemon\0"sv) ==
          "/usr/bin/python3.11 -u /usr/sbin/waagent ");
    CHECK(own("/usr/bin/agent", "agent\0"sv) == "/usr/bin/agent ");
    CHECK(own("/usr/bin/agent", "agent\0-v\0--all\0"sv) == "/usr/bin/agent ");
    CHECK(own("/usr/bin/sh", "sh\0-c\0true\0"sv) == "/usr/bin/sh -c true ");
    CHECK(own("/usr/bin/sh", "sh\0\0-x\0"sv) == "/usr/bin/sh  ");
    const auto cut = start_text("/bin/x", std::string("x\0-", 3) + std::string(300, 'a'));
    CHECK(cut.whole == 0);
    CHECK(cut.end == 2 * ESCORT_TEXT_HALF - 1); // nothing is left out of what was cut
    CHECK(start_text("", "x"sv).begin == 0);
    CHECK(start_text("/" + std::string(300, 'a'), "x"sv).begin == 0);
}
