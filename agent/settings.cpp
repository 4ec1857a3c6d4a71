#include "settings.h"

#include "base/file.h"
#include "policy/names.h"
#include "policy/scalars.h"
#include "policy/shape.h"
#include "policy/utf8.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace escort {

namespace {

constexpr std::size_t kLongestId = 256; // a host's id or group, far below the contract's 1 KiB a string
constexpr std::size_t kMachineIdBytes = 4096;
constexpr std::int64_t kLongestGate = 60; // seconds

Shape texts() {
    return list_shape(text_shape());
}

Shape issuers_shape() {
    return list_shape(map_shape({{"iss", text_shape()},
                                 {"keys", texts()},
                                 {"types", list_shape(word_shape({"approvals", "presence", "revocation"}))},
                                 {"accounts", texts()},
                                 {"revokes_for", texts()}}));
}

Shape paths_shape() {
    return map_shape({{"policies", text_shape()},
                      {"trust", text_shape()},
                      {"breakglass", text_shape()},
                      {"spool", text_shape()},
                      {"outbox", text_shape()},
                      {"state", text_shape()},
                      {"run", text_shape()},
                      {"pins", text_shape()}});
}

Shape gate_shape() {
    return map_shape({{"timeout", duration_shape()}, {"on_agent_down", word_shape({"refuse", "admit"})}});
}

Shape settings_shape() {
    return map_shape({{"version", integer_shape()},
                      {"host_id", text_shape()},
                      {"groups", texts()},
                      {"issuers", issuers_shape()},
                      {"paths", paths_shape()},
                      {"mode_override", either_shape({word_shape({"observe"}), null_shape()})},
                      {"tier", map_shape({{"require", word_shape({"any", "deny"})}})},
                      {"hooks", word_shape({"auto", "tracepoints"})},
                      {"stale_grace", duration_shape()},
                      {"gate", gate_shape()},
                      {"courier", courier_shape()}});
}

// Reads a tree that fits settings_shape(): types are known to be right, values are not.
class Reader {
  public:
    Reader(const std::string& file, const YamlNode& root, Diagnostics& out)
        : file_(file), root_(root), out_(out) {}

    Settings read() {
        Settings settings;
        if (const auto* version = root_.find("version"); version != nullptr && integer_of(*version) != 1)
            report(*version, fmt::format("version {} is not supported: only 1 is", shortened(version->text)));
        if (const auto* id = root_.find("host_id")) settings.host_id = read_id(*id, "host_id");
        if (const auto* groups = root_.find("groups"))
            for (const auto& group : groups->items)
                settings.groups.push_back(read_id(group, "groups"));
        if (const auto* issuers = root_.find("issuers")) settings.issuers = read_issuers(*issuers);
        if (const auto* paths = root_.find("paths")) read_paths(*paths, settings.paths);
        if (const auto* mode = root_.find("mode_override"); mode != nullptr && mode->text == "observe")
            settings.mode_override = Mode::observe;
        const auto* tier = root_.find("tier");
        if (const auto* require = tier == nullptr ? nullptr : tier->find("require"); require != nullptr)
            settings.required_tier = require->text == "deny" ? RequiredTier::deny : RequiredTier::any;
        if (const auto* hooks = root_.find("hooks"))
            settings.hooks = hooks->text == "tracepoints" ? Hooks::tracepoints : Hooks::automatic;
        if (const auto* grace = root_.find("stale_grace"))
            settings.stale_grace_s = parse_duration(grace->text).value_or(0);
        if (const auto* gate = root_.find("gate")) read_gate(*gate, settings.gate);
        if (const auto* courier = root_.find("courier")) {
            settings.courier = read_courier(file_, *courier, out_);
            if (const auto asked = addresses(settings); asked > kMostSources)
                report(*courier,
                       fmt::format("courier.sources: {} addresses, with one for each group, are more than {}",
                                   asked, kMostSources));
        }
        return settings;
    }

  private:
    void report(const YamlNode& node, std::string message, std::string hint = {}) {
        out_.push_back(
            {Severity::error, Place{file_, node.line, node.column}, std::move(message), std::move(hint)});
    }

    static std::size_t addresses(const Settings& settings) {
        std::size_t count = 0;
        for (const auto& source : settings.courier.sources) {
            const auto* https = std::get_if<HttpsSettings>(&source);
            const bool of_groups = https != nullptr && https->url.find("{group}") != std::string::npos;
            count += of_groups ? settings.groups.size() : 1;
        }
        return count;
    }

    // It is compared with what follows "host:" or "group:" in a document's `aud`.
    std::string read_id(const YamlNode& node, const char* key) {
        if (node.text.size() > kLongestId)
            report(node, fmt::format("{} is longer than {} bytes", key, kLongestId));
        if (node.text.find_first_of(" \t\n") != std::string::npos)
            report(node, fmt::format("{}: \"{}\" holds white space", key, shortened(node.text)));
        return node.text;
    }

    std::vector<IssuerRule> read_issuers(const YamlNode& list) {
        std::vector<IssuerRule> rules;
        for (const auto& item : list.items)
            rules.push_back(read_issuer(item));
        return rules;
    }

    IssuerRule read_issuer(const YamlNode& item) {
        IssuerRule rule;
        const auto* iss = item.find("iss");
        if (iss == nullptr) report(item, "an item of issuers has no iss");
        if (iss != nullptr) rule.iss = iss->text;
        const auto* keys = item.find("keys");
        if (keys == nullptr || keys->items.empty())
            report(keys == nullptr ? item : *keys, "an item of issuers has no keys",
                   "name files of the trust folder");
        if (keys != nullptr)
            for (const auto& key : keys->items)
                rule.keys.push_back(read_key(key));
        read_types(item, rule);
        if (const auto* accounts = item.find("accounts")) {
            rule.accounts.emplace();
            for (const auto& name : accounts->items) {
                const std::string wrong = wrong_name(name.text);
                if (!wrong.empty())
                    report(name, fmt::format("issuers.accounts: \"{}\" {}", shortened(name.text), wrong));
                rule.accounts->push_back(name.text);
            }
        }
        if (const auto* revokes_for = item.find("revokes_for"))
            for (const auto& other : revokes_for->items)
                rule.revokes_for.push_back(other.text);
        return rule;
    }

    std::string read_key(const YamlNode& key) {
        if (key.text.find('/') != std::string::npos || !key.text.ends_with(".pem"))
            report(key, fmt::format("issuers.keys: \"{}\" is no name of a .pem file of the trust folder",
                                    shortened(key.text)));
        return key.text;
    }

    void read_gate(const YamlNode& map, GateSettings& gate) {
        if (const auto* down = map.find("on_agent_down")) gate.admit_when_down = down->text == "admit";
        const auto* timeout = map.find("timeout");
        if (timeout == nullptr) return;
        gate.timeout_s = parse_duration(timeout->text).value_or(0);
        if (gate.timeout_s < 1 || gate.timeout_s > kLongestGate)
            report(*timeout,
                   fmt::format("gate.timeout: \"{}\" is not from 1 s to {} s", shortened(timeout->text),
                               kLongestGate),
                   "people wait for it when the daemon is hung");
    }

    static void read_types(const YamlNode& item, IssuerRule& rule) {
        const auto* types = item.find("types");
        if (types == nullptr) {
            rule.types = {"approvals", "presence", "revocation"};
            return;
        }
        for (const auto& type : types->items)
            rule.types.insert(type.text);
    }

    void read_paths(const YamlNode& map, Paths& paths) {
        read_path(map, "policies", paths.policies);
        read_path(map, "trust", paths.trust);
        read_path(map, "breakglass", paths.breakglass);
        read_path(map, "spool", paths.spool);
        read_path(map, "outbox", paths.outbox);
        read_path(map, "state", paths.state);
        read_path(map, "run", paths.run);
        read_path(map, "pins", paths.pins);
    }

    void read_path(const YamlNode& map, const char* key, std::string& into) {
        const auto* node = map.find(key);
        if (node == nullptr) return;
        if (!node->text.starts_with('/') || node->text.find('\n') != std::string::npos)
            report(*node, fmt::format("paths.{}: \"{}\" is no absolute path", key, shortened(node->text)));
        into = node->text;
    }

    std::string file_;
    const YamlNode& root_;
    Diagnostics& out_;
};

// machine-id(5): 32 hex digits and a line feed; "uninitialized" on an image that was never booted.
std::optional<std::string> read_machine_id(const std::string& path, Diagnostics& out) {
    const auto refuse = [&](const std::string& why) {
        out.push_back({Severity::error, Place{path, 0, 0}, why, "or write host_id into the settings"});
        return std::nullopt;
    };
    const auto content = read_file(path, kMachineIdBytes);
    if (!content) return refuse("no machine id for this host: " + content.error().why);
    const std::string id = content->substr(0, content->find('\n'));
    const bool valid = id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!valid) return refuse("holds no machine id");
    return id;
}

// `text`: what was read; of a missing file, which says nothing, just the version.
std::optional<Settings> read_settings(const std::string& path, const SettingsSources& sources,
                                      std::string& text, Diagnostics& out) {
    std::error_code error;
    const bool missing =
        std::filesystem::symlink_status(path, error).type() == std::filesystem::file_type::not_found;
    const auto before = out.size();
    const auto content = missing && sources.may_be_missing ? std::optional<std::string>("version: 1\n")
                                                           : read_yaml_file(path, out);
    if (!content) return std::nullopt;
    const auto root = parse_yaml(path, *content, out);
    if (!root || !check_shape(path, *root, settings_shape(), out)) return std::nullopt;
    auto settings = Reader(path, *root, out).read();
    if (out.size() != before) return std::nullopt;
    text = *content;
    if (!settings.host_id.empty()) return settings;
    auto machine_id = read_machine_id(sources.machine_id, out);
    if (!machine_id) return std::nullopt;
    settings.host_id = std::move(*machine_id);
    return settings;
}

} // namespace

std::optional<Settings> load_settings(const std::string& path, const SettingsSources& sources,
                                      Diagnostics& out) {
    std::string text;
    return read_settings(path, sources, text, out);
}

std::optional<StartSettings> settings_to_start(const std::string& path, const std::string& kept,
                                               const SettingsSources& sources, Diagnostics& out) {
    std::string text;
    if (auto settings = read_settings(path, sources, text, out))
        return StartSettings{std::move(*settings), std::move(text), std::nullopt};
    Diagnostics of_kept; // not of the file that the operator has written
    auto settings = kept.empty() ? std::nullopt : load_settings(kept, {sources.machine_id, false}, of_kept);
    if (!settings) return std::nullopt;
    return StartSettings{std::move(*settings), "",
                         Error{path, "is invalid; the last valid settings are in force",
                               "correct what `escortd --check` prints, and restart escortd"}};
}

} // namespace escort
