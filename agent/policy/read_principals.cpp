#include "policy/read_principals.h"

#include "policy/names.h"
#include "policy/utf8.h"
#include "policy/values.h"

#include <fmt/format.h>

namespace escort {

namespace {

void read_names(Reading& reading, const YamlNode* list, const std::string& key,
                std::vector<Placed<std::string>>& into) {
    if (list == nullptr) return;
    for (const auto& item : list->items) {
        const std::string wrong = wrong_name(item.text);
        if (!wrong.empty()) reading.report_value(item, key, wrong);
        if (key == "principals.users" && item.text == "root")
            reading.report(item, "root can't be a principal");
        if (key == "principals.groups" && is_glob(item.text))
            reading.report(item, "principals.groups: a group is named in full, without * ? [");
        into.push_back({item.text, reading.place_of(item)});
    }
}

void read_uids(Reading& reading, const YamlNode* list, std::vector<Placed<UidRange>>& into) {
    if (list == nullptr) return;
    for (const auto& item : list->items) {
        const auto range = parse_uids(item.text);
        if (range) {
            into.push_back({*range, reading.place_of(item)});
        } else {
            reading.report_value(item, "principals.uids", range.error().why);
        }
    }
}

// `puppet.service`, or `{name: puppet.service, may_run: [...]}`.
UnitPrincipal read_unit(Reading& reading, const YamlNode& item) {
    UnitPrincipal unit;
    unit.place = reading.place_of(item);
    const YamlNode* name = item.kind == YamlNode::Kind::map ? item.find("name") : &item;
    if (name == nullptr) {
        reading.report(item, "an item of principals.units has no name");
        return unit;
    }
    unit.name = name->text;
    const std::string wrong = wrong_unit(unit.name);
    if (!wrong.empty()) reading.report_value(*name, "principals.units", wrong);
    if (const auto* may_run = item.find("may_run")) {
        for (const auto& program : may_run->items) {
            const std::string why = wrong_program(program.text);
            if (!why.empty()) reading.report_value(program, "principals.units.may_run", why);
            unit.may_run.push_back(program.text);
        }
    }
    return unit;
}

Exemption read_exemption(Reading& reading, const YamlNode& item) {
    Exemption exemption;
    exemption.place = reading.place_of(item);
    if (const auto* unit = item.find("unit")) {
        exemption.unit = unit->text;
        const std::string wrong = wrong_unit(unit->text);
        if (!wrong.empty()) reading.report_value(*unit, "exempt.unit", wrong);
    } else {
        reading.report(item, "an item of exempt has no unit");
    }
    const auto* accounts = item.find("accounts");
    if (accounts == nullptr) return exemption;
    if (accounts->items.empty())
        reading.report(*accounts, "exempt.accounts is empty", "leave it out for all accounts");
    for (const auto& name : accounts->items) {
        const std::string wrong = wrong_name(name.text);
        if (!wrong.empty()) reading.report_value(name, "exempt.accounts", wrong);
        exemption.accounts.push_back(name.text);
    }
    return exemption;
}

} // namespace

void read_principals(Reading& reading, const YamlNode& root, Principals& into) {
    const auto* node = root.find("principals");
    if (node == nullptr)
        return reading.report(root, "principals is missing", "a policy says whose sessions it governs");
    read_names(reading, node->find("users"), "principals.users", into.users);
    read_names(reading, node->find("groups"), "principals.groups", into.groups);
    read_uids(reading, node->find("uids"), into.uids);
    if (const auto* units = node->find("units"))
        for (const auto& item : units->items)
            into.units.push_back(read_unit(reading, item));
    bool any = false;
    for (const auto& list : node->members)
        any = any || !list.value.items.empty();
    if (!any)
        reading.report(*node, "a policy without principals governs nobody",
                       "name users, uids, groups or units");
}

void read_exemptions(Reading& reading, const YamlNode& root, std::vector<Exemption>& into) {
    const auto* list = root.find("exempt");
    if (list == nullptr) {
        into = default_exemptions();
        return;
    }
    for (const auto& item : list->items)
        into.push_back(read_exemption(reading, item));
}

std::vector<Exemption> default_exemptions() {
    return {{"rpc-gssd.service", {}, {}}, {"sssd.service", {}, {}}, {"gssproxy.service", {}, {}}};
}

} // namespace escort
