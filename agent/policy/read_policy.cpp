#include "policy/read_policy.h"

#include "policy/names.h"
#include "policy/scalars.h"
#include "policy/schema.h"
#include "policy/utf8.h"

#include <fmt/format.h>

namespace escort {

namespace {

const std::set<Entry> kDefaultEntries{Entry::sshd, Entry::login, Entry::su, Entry::sudo};

// Reads a tree that fits policy_shape(): types are known to be right, values are not.
class Reader {
  public:
    Reader(const std::string& file, const YamlNode& root, Diagnostics& out)
        : file_(file), root_(root), out_(out) {}

    PolicyFile read() {
        PolicyFile result;
        read_version();
        const auto* allow_empty = root_.find("allow_empty");
        result.allow_empty = allow_empty != nullptr && boolean_of(*allow_empty).value_or(false);
        if (only_allows_empty(result.allow_empty)) return result;
        result.policy = read_body();
        return result;
    }

  private:
    void report(int line, int column, std::string message, std::string hint = {}) {
        out_.push_back({Severity::error, Place{file_, line, column}, std::move(message), std::move(hint)});
    }
    void report(const YamlNode& node, std::string message, std::string hint = {}) {
        report(node.line, node.column, std::move(message), std::move(hint));
    }
    [[nodiscard]] Place place_of(const YamlNode& node) const { return {file_, node.line, node.column}; }

    void read_version() {
        if (root_.find("version") == nullptr) report(root_, "version is missing", "write version: 1");
    }

    [[nodiscard]] bool only_allows_empty(bool allow_empty) const {
        return allow_empty && root_.members.size() <= 1U + (root_.find("version") == nullptr ? 0U : 1U);
    }

    Policy read_body() {
        Policy policy;
        read_name(policy);
        if (const auto* mode = root_.find("mode"))
            policy.mode = {mode->text == "observe" ? Mode::observe : Mode::enforce, place_of(*mode)};
        read_principals(policy.principals);
        read_require(policy);
        read_violation(policy.on_violation);
        read_exemptions(policy.exempt);
        return policy;
    }

    void read_name(Policy& policy) {
        const auto* name = root_.find("policy");
        if (name == nullptr)
            return report(root_, "policy is missing", "give the policy a name, unique on this host");
        policy.name = name->text;
        policy.place = place_of(*name);
        if (name->text.size() > 128) report(*name, "the policy's name is longer than 128 bytes");
        if (name->text.find_first_of("\n\t") != std::string::npos)
            report(*name, "the policy's name must be a single line");
    }

    void read_principals(Principals& principals) {
        const auto* node = root_.find("principals");
        if (node == nullptr)
            return report(root_, "principals is missing", "a policy says whose sessions it governs");
        read_names(node->find("users"), "principals.users", principals.users);
        read_names(node->find("groups"), "principals.groups", principals.groups);
        if (const auto* uids = node->find("uids"))
            for (const auto& item : uids->items)
                read_uids(item, principals.uids);
        bool any = false;
        for (const auto& list : node->members)
            any = any || !list.value.items.empty();
        if (!any) report(*node, "a policy without principals governs nobody", "name users, uids or groups");
    }

    void read_names(const YamlNode* list, const std::string& key, std::vector<Placed<std::string>>& into) {
        if (list == nullptr) return;
        for (const auto& item : list->items) {
            const std::string wrong = wrong_name(item.text);
            if (!wrong.empty()) report(item, fmt::format("{}: \"{}\" {}", key, shortened(item.text), wrong));
            if (key == "principals.users" && item.text == "root") report(item, "root can't be a principal");
            if (key == "principals.groups" && is_glob(item.text))
                report(item, "principals.groups: a group is named in full, without * ? [");
            into.push_back({item.text, place_of(item)});
        }
    }

    void read_uids(const YamlNode& item, std::vector<Placed<UidRange>>& into) {
        const auto range = parse_uids(item.text);
        if (range) {
            into.push_back({*range, place_of(item)});
        } else {
            report(item, fmt::format("principals.uids: \"{}\" {}", shortened(item.text), range.error().why));
        }
    }

    void read_require(Policy& policy) {
        policy.require.entries.value = kDefaultEntries;
        const auto* require = root_.find_member("require");
        const auto* admission = require == nullptr ? nullptr : require->value.find("admission");
        if (admission == nullptr) {
            const int line = require == nullptr ? root_.line : require->line;
            const int column = require == nullptr ? root_.column : require->column;
            report(line, column, "require.admission is missing, and its default, gate, is not supported yet",
                   "write require: {admission: window}");
        } else {
            policy.require.admission = {admission->text == "window" ? Admission::window : Admission::gate,
                                place_of(*admission)};
        }
        const auto* entries = require == nullptr ? nullptr : require->value.find("entries");
        if (entries == nullptr) return;
        policy.require.entries = {{}, place_of(*entries)};
        for (const auto& item : entries->items)
            if (const auto entry = entry_from(item.text)) policy.require.entries.value.insert(*entry);
    }

    void read_violation(Placed<Violation>& violation) {
        const auto* map = root_.find("on_violation");
        const auto* word = map == nullptr ? nullptr : map->find("default");
        if (word == nullptr) return;
        violation.place = place_of(*word);
        if (word->text == "log") violation.value = Violation::log;
        if (word->text == "kill_process") violation.value = Violation::kill_process;
    }

    void read_exemptions(std::vector<Exemption>& exempt) {
        const auto* list = root_.find("exempt");
        if (list == nullptr) {
            exempt = default_exemptions();
            return;
        }
        for (const auto& item : list->items)
            exempt.push_back(read_exemption(item));
    }

    Exemption read_exemption(const YamlNode& item) {
        Exemption exemption;
        exemption.place = place_of(item);
        if (const auto* unit = item.find("unit")) {
            exemption.unit = unit->text;
            const std::string wrong = wrong_unit(unit->text);
            if (!wrong.empty())
                report(*unit, fmt::format("exempt.unit: \"{}\" {}", shortened(unit->text), wrong));
        } else {
            report(item, "an item of exempt has no unit");
        }
        const auto* accounts = item.find("accounts");
        if (accounts == nullptr) return exemption;
        if (accounts->items.empty())
            report(*accounts, "exempt.accounts is empty", "leave it out for all accounts");
        for (const auto& name : accounts->items) {
            const std::string wrong = wrong_name(name.text);
            if (!wrong.empty())
                report(name, fmt::format("exempt.accounts: \"{}\" {}", shortened(name.text), wrong));
            exemption.accounts.push_back(name.text);
        }
        return exemption;
    }

    std::string file_;
    const YamlNode& root_;
    Diagnostics& out_;
};

} // namespace

std::vector<Exemption> default_exemptions() {
    return {{"rpc-gssd.service", {}, {}}, {"sssd.service", {}, {}}, {"gssproxy.service", {}, {}}};
}

std::optional<PolicyFile> read_policy(const std::string& file, const YamlNode& root, Diagnostics& out) {
    const auto before = out.size();
    // Of a file in another version nothing else can be said.
    const auto* version = root.find("version");
    if (version != nullptr && resolve(*version) == Resolved::integer && integer_of(*version) != 1) {
        out.push_back({Severity::error, Place{file, version->line, version->column},
                       fmt::format("version {} is not supported: only 1 is", shortened(version->text))});
        return std::nullopt;
    }
    if (!check_shape(file, root, policy_shape(), out)) return std::nullopt;
    PolicyFile result = Reader(file, root, out).read();
    if (out.size() != before) return std::nullopt;
    return result;
}

} // namespace escort
