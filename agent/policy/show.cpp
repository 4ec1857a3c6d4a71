#include "policy/show.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace escort {

namespace {

using nlohmann::json;

const char* word(Mode mode) {
    return mode == Mode::enforce ? "enforce" : "observe";
}

const char* word(Admission admission) {
    return admission == Admission::gate ? "gate" : "window";
}

const char* word(Violation violation) {
    switch (violation) {
    case Violation::log:
        return "log";
    case Violation::kill_process:
        return "kill_process";
    case Violation::kill:
        break;
    }
    return "kill";
}

std::string word(const UidRange& range) {
    if (range.first == range.last) return std::to_string(range.first);
    return fmt::format("{}-{}", range.first, range.last);
}

const std::string& word(const std::string& text) {
    return text;
}

std::vector<std::string> words(const std::set<Entry>& entries) {
    std::vector<std::string> all;
    for (const Entry entry : entries)
        all.emplace_back(to_string(entry));
    return all;
}

json rule(json value, const Place& place) {
    return {{"value", std::move(value)},
            {"file", place.file.empty() ? json(nullptr) : json(place.file)},
            {"line", place.line}};
}

template <typename T>
json rules(const std::vector<Placed<T>>& list) {
    json all = json::array();
    for (const auto& one : list)
        all.push_back(rule(word(one.value), one.place));
    return all;
}

json policy_json(const Policy& policy) {
    json exempt = json::array();
    for (const auto& one : policy.exempt) {
        json entry = rule(one.unit, one.place);
        entry["unit"] = one.unit;
        entry["accounts"] = one.accounts;
        entry.erase("value");
        exempt.push_back(std::move(entry));
    }
    return {{"name", policy.name},
            {"file", policy.place.file},
            {"line", policy.place.line},
            {"mode", rule(word(policy.mode.value), policy.mode.place)},
            {"principals",
             {{"users", rules(policy.principals.users)},
              {"uids", rules(policy.principals.uids)},
              {"groups", rules(policy.principals.groups)}}},
            {"require",
             {{"admission", rule(word(policy.require.admission.value), policy.require.admission.place)},
              {"entries", rule(words(policy.require.entries.value), policy.require.entries.place)}}},
            {"on_violation", {{"default", rule(word(policy.on_violation.value), policy.on_violation.place)}}},
            {"exempt", std::move(exempt)}};
}

std::string line(const std::string& key, const std::string& value, const Place& place) {
    const std::string from = place.file.empty() ? "(default)" : fmt::format("{}:{}", place.file, place.line);
    return fmt::format("  {:<22} {:<32} {}\n", key, value, from);
}

template <typename T>
std::string lines(const std::string& key, const std::vector<Placed<T>>& list) {
    std::string all;
    for (const auto& one : list)
        all += line(key, word(one.value), one.place);
    return all;
}

std::string policy_text(const Policy& policy) {
    std::string text = fmt::format("policy {}\n", policy.name);
    text += line("mode", word(policy.mode.value), policy.mode.place);
    text += lines("principals.users", policy.principals.users);
    text += lines("principals.uids", policy.principals.uids);
    text += lines("principals.groups", policy.principals.groups);
    text += line("require.admission", word(policy.require.admission.value), policy.require.admission.place);
    text += line("require.entries", fmt::format("{}", fmt::join(words(policy.require.entries.value), ", ")),
                 policy.require.entries.place);
    text += line("on_violation.default", word(policy.on_violation.value), policy.on_violation.place);
    for (const auto& one : policy.exempt) {
        const std::string accounts =
            one.accounts.empty() ? "any account" : fmt::format("{}", fmt::join(one.accounts, ", "));
        text += line("exempt", fmt::format("{}: {}", one.unit, accounts), one.place);
    }
    return text;
}

} // namespace

std::string show_text(const PolicySet& set) {
    std::string text = fmt::format("sha256 {}\n", set.sha256);
    if (set.policies.empty()) text += set.allow_empty ? "no policy, as allow_empty says\n" : "no policy\n";
    for (const auto& policy : set.policies)
        text += "\n" + policy_text(policy);
    return text;
}

json show_json(const PolicySet& set) {
    json policies = json::array();
    for (const auto& policy : set.policies)
        policies.push_back(policy_json(policy));
    return {{"sha256", set.sha256}, {"allow_empty", set.allow_empty}, {"policies", std::move(policies)}};
}

} // namespace escort
