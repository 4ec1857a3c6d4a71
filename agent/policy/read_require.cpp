#include "policy/read_require.h"

#include "policy/patterns.h"
#include "policy/scalars.h"
#include "policy/values.h"

#include <fmt/format.h>

namespace escort {

namespace {

const std::set<Entry> kDefaultEntries{Entry::sshd, Entry::login, Entry::su, Entry::sudo};

std::optional<Placed<std::vector<std::string>>> read_countries(Reading& reading, const YamlNode* list,
                                                               const std::string& key) {
    if (list != nullptr) {
        for (const auto& item : list->items) {
            const std::string wrong = wrong_country(item.text);
            if (!wrong.empty()) reading.report_value(item, key, wrong);
        }
    }
    return reading.texts(list);
}

AllowDeny read_allow_deny(Reading& reading, const YamlNode& node, const std::string& key) {
    return {read_countries(reading, node.find("allow"), key + ".allow"),
            read_countries(reading, node.find("deny"), key + ".deny")};
}

void read_engineer(Reading& reading, const YamlNode& node, RequireEngineer& into) {
    if (const auto* location = node.find("location")) {
        into.location = reading.place_of(*location);
        into.country = read_allow_deny(reading, *location, "require.engineer.location");
        into.location_max_age =
            reading.duration(location->find("max_age"), "require.engineer.location.max_age");
        into.location_asserted_by = reading.texts(location->find("asserted_by"));
    }
    if (const auto* citizenship = node.find("citizenship"))
        into.citizenship = read_allow_deny(reading, *citizenship, "require.engineer.citizenship");
    into.screening = reading.texts(node.find("screening"));
}

void read_unless(Reading& reading, const YamlNode& node, RequireEscort& into) {
    into.has_unless = true;
    const std::string key = "require.escort.required.unless";
    const auto* citizenship = node.find("citizenship");
    const auto* screening = node.find("screening");
    if (auto list = read_countries(reading, citizenship, key + ".citizenship"))
        into.unless_citizenship = std::move(list->value);
    if (auto list = reading.texts(screening)) into.unless_screening = std::move(list->value);
    if (into.unless_citizenship.empty() && into.unless_screening.empty())
        reading.report(node, key + " asks for nothing, so nobody would need an escort",
                       "name citizenship or screening");
}

void read_escort(Reading& reading, const YamlNode& node, RequireEscort& into) {
    if (const auto* required = node.find("required")) {
        into.required = {boolean_of(*required).value_or(true), reading.place_of(*required)};
        if (required->kind == YamlNode::Kind::map) {
            if (const auto* unless = required->find("unless")) {
                read_unless(reading, *unless, into);
            } else {
                reading.report(*required, "require.escort.required has no unless", "or write required: true");
            }
        }
    }
    into.lease = reading.duration(node.find("lease"), "require.escort.lease");
    if (const auto* absent = node.find("absent"))
        into.absent = {absent->text == "kill" ? Absent::kill : Absent::freeze, reading.place_of(*absent)};
    into.grace = reading.duration(node.find("grace"), "require.escort.grace");
}

void read_entries(Reading& reading, const YamlNode* list, Placed<std::set<Entry>>& into) {
    into = {kDefaultEntries, {}};
    if (list == nullptr) return;
    into = {{}, reading.place_of(*list)};
    for (const auto& item : list->items)
        if (const auto entry = entry_from(item.text)) into.value.insert(*entry);
}

void read_ticket(Reading& reading, const YamlNode* ticket, std::optional<Placed<std::string>>& into) {
    if (ticket == nullptr) return;
    const std::string wrong = wrong_pattern(ticket->text);
    if (!wrong.empty()) reading.report_value(*ticket, "require.ticket", wrong);
    into = {ticket->text, reading.place_of(*ticket)};
}

void read_source(Reading& reading, const YamlNode* source,
                 std::optional<Placed<std::vector<std::string>>>& into) {
    if (source == nullptr) return;
    for (const auto& item : source->items) {
        const auto wrong = wrong_network(item.text);
        if (!wrong.why.empty()) reading.report_value(item, "require.source", wrong.why, wrong.hint);
    }
    into = reading.texts(source);
}

void read_bind(Reading& reading, const YamlNode* bind, Requirements& into) {
    if (bind == nullptr) return;
    for (const auto& item : bind->items)
        (item.text == "source" ? into.bind_source : into.bind_ssh_key) = reading.place_of(item);
}

} // namespace

void read_require(Reading& reading, const YamlNode& root, Requirements& into) {
    const auto* require = root.find("require");
    read_entries(reading, find_in(require, "entries"), into.entries);
    if (require == nullptr) return;
    if (const auto* admission = require->find("admission"))
        into.admission = {admission->text == "window" ? Admission::window : Admission::gate,
                          reading.place_of(*admission)};
    if (const auto* engineer = require->find("engineer")) read_engineer(reading, *engineer, into.engineer);
    if (const auto* escort = require->find("escort")) read_escort(reading, *escort, into.escort);
    into.approvers_min =
        reading.count(find_in(require->find("approvers"), "min"), "require.approvers.min", kMostApprovers);
    read_ticket(reading, require->find("ticket"), into.ticket);
    read_source(reading, require->find("source"), into.source);
    read_bind(reading, require->find("bind"), into);
    into.max_duration = reading.duration(require->find("max_duration"), "require.max_duration");
    into.idle_timeout = reading.duration(require->find("idle_timeout"), "require.idle_timeout");
    into.max_sessions = reading.count(require->find("max_sessions"), "require.max_sessions", kMostSessions);
}

} // namespace escort
