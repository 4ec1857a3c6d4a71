#include "policy/show.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace escort {

namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

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
    case Violation::freeze:
        return "freeze";
    case Violation::kill:
        break;
    }
    return "kill";
}

const char* allow_or_deny(bool allow) {
    return allow ? "allow" : "deny";
}

std::string range_text(const UidRange& range) {
    if (range.first == range.last) return std::to_string(range.first);
    return fmt::format("{}-{}", range.first, range.last);
}

// The largest unit of the contract that needs no fraction.
std::string duration_text(std::int64_t seconds) {
    if (seconds % 3600 == 0) return fmt::format("{}h", seconds / 3600);
    if (seconds % 60 == 0) return fmt::format("{}m", seconds / 60);
    return fmt::format("{}s", seconds);
}

std::string list_text(const Texts& list) {
    return list.empty() ? "nothing" : fmt::format("{}", fmt::join(list, ", "));
}

struct Rule {
    std::string key; // dotted, as in the YAML
    json value;
    std::string text; // the value for people
    Place place;
    bool item = false; // one of a list of rules; an object's members then stand beside the place
};

// Collects a policy's rules in the contract's order.
class Rules {
  public:
    explicit Rules(const Policy& policy) : policy_(policy) {}

    std::vector<Rule> collect() {
        add("mode", std::string(word(policy_.mode.value)), policy_.mode.place);
        add_principals();
        add_require();
        add("break_glass", std::string(allow_or_deny(policy_.break_glass.value)), policy_.break_glass.place);
        add("restrict.user_manager",
            std::string(allow_or_deny(policy_.user_manager.value == UserManager::allow)),
            policy_.user_manager.place);
        add("on_violation.default", std::string(word(policy_.on_violation.value)),
            policy_.on_violation.place);
        const Recording& record = policy_.record;
        rules_.push_back({"record.exec_per_minute", record.exec_per_minute.value,
                          std::to_string(record.exec_per_minute.value), record.exec_per_minute.place});
        rules_.push_back({"record.arguments", record.arguments.value,
                          record.arguments.value ? "true" : "false", record.arguments.place});
        add_duration("notify.before_expiry", policy_.notify_before_expiry);
        for (const auto& one : policy_.exempt)
            rules_.push_back(
                {"exempt",
                 {{"unit", one.unit}, {"accounts", one.accounts}},
                 one.unit + ": " + (one.accounts.empty() ? "any account" : list_text(one.accounts)),
                 one.place,
                 true});
        return std::move(rules_);
    }

  private:
    void add(std::string key, const std::string& value, const Place& place) {
        rules_.push_back({std::move(key), value, value, place});
    }
    void add_item(std::string key, const std::string& value, const Place& place) {
        rules_.push_back({std::move(key), value, value, place, true});
    }
    void add_list(std::string key, const std::optional<Placed<Texts>>& list) {
        if (list) rules_.push_back({std::move(key), list->value, list_text(list->value), list->place});
    }
    void add_duration(std::string key, const std::optional<Placed<std::int64_t>>& seconds) {
        if (seconds) add(std::move(key), duration_text(seconds->value), seconds->place);
    }
    void add_count(std::string key, const std::optional<Placed<std::uint32_t>>& count) {
        if (count)
            rules_.push_back({std::move(key), count->value, std::to_string(count->value), count->place});
    }

    void add_principals() {
        for (const auto& user : policy_.principals.users)
            add_item("principals.users", user.value, user.place);
        for (const auto& range : policy_.principals.uids)
            add_item("principals.uids", range_text(range.value), range.place);
        for (const auto& group : policy_.principals.groups)
            add_item("principals.groups", group.value, group.place);
        for (const auto& unit : policy_.principals.units)
            rules_.push_back({"principals.units",
                              {{"name", unit.name}, {"may_run", unit.may_run}},
                              unit.name + (unit.may_run.empty() ? "" : " may run " + list_text(unit.may_run)),
                              unit.place,
                              true});
    }

    void add_require() {
        const Requirements& require = policy_.require;
        Texts entries;
        for (const Entry entry : require.entries.value)
            entries.emplace_back(to_string(entry));
        rules_.push_back({"require.entries", entries, list_text(entries), require.entries.place});
        add("require.admission", word(require.admission.value), require.admission.place);
        add_engineer();
        add_escort();
        add_count("require.approvers.min", require.approvers_min);
        if (require.ticket) add("require.ticket", require.ticket->value, require.ticket->place);
        add_list("require.source", require.source);
        if (require.bind_source) add_item("require.bind", "source", *require.bind_source);
        if (require.bind_ssh_key) add_item("require.bind", "ssh_key", *require.bind_ssh_key);
        add_duration("require.max_duration", require.max_duration);
        add_duration("require.idle_timeout", require.idle_timeout);
        add_count("require.max_sessions", require.max_sessions);
    }

    void add_engineer() {
        const RequireEngineer& engineer = policy_.require.engineer;
        add_list("require.engineer.location.allow", engineer.country.allow);
        add_list("require.engineer.location.deny", engineer.country.deny);
        add_duration("require.engineer.location.max_age", engineer.location_max_age);
        add_list("require.engineer.location.asserted_by", engineer.location_asserted_by);
        add_list("require.engineer.citizenship.allow", engineer.citizenship.allow);
        add_list("require.engineer.citizenship.deny", engineer.citizenship.deny);
        add_list("require.engineer.screening", engineer.screening);
    }

    void add_escort() {
        const RequireEscort& escort = policy_.require.escort;
        add_required(escort);
        add_duration("require.escort.lease", escort.lease);
        if (escort.required.value || !escort.absent.place.file.empty())
            add("require.escort.absent", escort.absent.value == Absent::kill ? "kill" : "freeze",
                escort.absent.place);
        add_duration("require.escort.grace", escort.grace);
    }

    void add_required(const RequireEscort& escort) {
        if (!escort.has_unless) {
            rules_.push_back({"require.escort.required", escort.required.value,
                              escort.required.value ? "true" : "false", escort.required.place});
            return;
        }
        json unless = json::object();
        Texts parts;
        const auto add_part = [&](const char* key, const Texts& list) {
            if (list.empty()) return;
            unless[key] = list;
            parts.push_back(fmt::format("{} {}", key, list_text(list)));
        };
        add_part("citizenship", escort.unless_citizenship);
        add_part("screening", escort.unless_screening);
        rules_.push_back({"require.escort.required",
                          {{"unless", std::move(unless)}},
                          fmt::format("unless {}", fmt::join(parts, "; ")),
                          escort.required.place});
    }

    const Policy& policy_;
    std::vector<Rule> rules_;
};

void put_place(json& node, const Place& place) {
    node["file"] = place.file.empty() ? json(nullptr) : json(place.file);
    node["line"] = place.line;
    node["column"] = place.column;
}

json policy_json(const Policy& policy) {
    json shown{{"name", policy.name},
               {"principals",
                {{"users", json::array()},
                 {"uids", json::array()},
                 {"groups", json::array()},
                 {"units", json::array()}}},
               {"exempt", json::array()}};
    put_place(shown, policy.place);
    for (auto& rule : Rules(policy).collect()) {
        std::string path = "/" + rule.key;
        for (char& c : path)
            if (c == '.') c = '/';
        json node = rule.item && rule.value.is_object() ? std::move(rule.value)
                                                        : json{{"value", std::move(rule.value)}};
        put_place(node, rule.place);
        json& at = shown[json::json_pointer(path)];
        if (rule.item) {
            at.push_back(std::move(node));
        } else {
            at = std::move(node);
        }
    }
    return shown;
}

std::string policy_text(const Policy& policy) {
    std::string text = fmt::format("policy {}\n", policy.name);
    for (const auto& rule : Rules(policy).collect())
        text += fmt::format("  {:<38} {:<32} {}\n", rule.key, rule.text,
                            rule.place.file.empty() ? "(default)" : rule.place.text());
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
