#include "policy/load.h"

#include "policy/contradictions.h"
#include "policy/digest.h"
#include "policy/overlap.h"
#include "policy/read_policy.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <tuple>

namespace escort {

namespace {

void report(Diagnostics& out, Severity severity, const std::string& path, std::string message,
            std::string hint = {}) {
    out.push_back({severity, Place{path, 0, 0}, std::move(message), std::move(hint)});
}

// Names of everything in the folder, sorted.
std::optional<std::vector<std::string>> names_in(const std::string& folder, Diagnostics& out) {
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    std::vector<std::string> names;
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
        names.push_back(entry->path().filename().string());
    if (error) {
        report(out, Severity::error, folder, "can't be listed: " + error.message());
        return std::nullopt;
    }
    std::sort(names.begin(), names.end());
    return names;
}

// Each file as name, length and bytes, so that no two sets look the same.
std::string fingerprint_input(const PolicySources& sources) {
    std::string input;
    for (const auto& source : sources) {
        input += fmt::format("{}:{}:{}:", source.name.size(), source.name, source.content.size());
        input += source.content;
    }
    return input;
}

void sort_by_place(Diagnostics& diagnostics, const PolicySources& sources) {
    std::map<std::string, std::size_t> order;
    for (std::size_t i = 0; i < sources.size(); ++i)
        order.emplace(sources[i].path, i);
    const auto key = [&](const Diagnostic& d) {
        const auto at = order.find(d.place.file);
        return std::tuple(at == order.end() ? sources.size() : at->second, d.place.line, d.place.column);
    };
    std::stable_sort(diagnostics.begin(), diagnostics.end(),
                     [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
}

} // namespace

std::optional<PolicySource> read_policy_source(const std::string& path, Diagnostics& out) {
    auto content = read_yaml_file(path, out);
    if (!content) return std::nullopt;
    return PolicySource{std::filesystem::path(path).filename().string(), path, std::move(*content)};
}

std::optional<PolicySources> read_policy_folder(const std::string& folder, Diagnostics& out) {
    const auto names = names_in(folder, out);
    if (!names) return std::nullopt;
    PolicySources sources;
    std::size_t bytes = 0;
    bool whole = true;
    for (const auto& name : *names) {
        const std::string path = (std::filesystem::path(folder) / name).string();
        if (name.starts_with('.')) continue;
        if (name.ends_with(".yml"))
            report(out, Severity::warning, path, "is not read: policy files end in .yaml");
        if (!name.ends_with(".yaml")) continue;
        auto source = read_policy_source(path, out);
        whole = whole && source;
        bytes += source ? source->content.size() : 0;
        if (sources.size() >= kPolicyFiles || bytes > kPolicyBytes) {
            report(out, Severity::error, folder,
                   fmt::format("holds more than {} policy files or {} bytes", kPolicyFiles, kPolicyBytes));
            return std::nullopt;
        }
        if (source) sources.push_back(std::move(*source));
    }
    if (!whole) return std::nullopt;
    return sources;
}

std::optional<PolicySet> parse_policies(const PolicySources& sources, Diagnostics& out) {
    PolicySet set;
    Diagnostics found;
    for (const auto& source : sources) {
        const auto root = parse_yaml(source.path, source.content, found);
        if (!root) continue;
        auto file = read_policy(source.path, *root, found);
        if (!file) continue;
        set.allow_empty = set.allow_empty || file->allow_empty;
        if (!file->policy) continue;
        check_contradictions(*file->policy, found);
        set.policies.push_back(std::move(*file->policy));
    }
    check_overlap(set, found);
    auto sha256 = sha256_hex(fingerprint_input(sources));
    if (sha256) {
        set.sha256 = std::move(*sha256);
    } else {
        report(found, Severity::error, sha256.error().where, sha256.error().why);
    }
    sort_by_place(found, sources);
    const bool refused = has_errors(found);
    out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    if (refused) return std::nullopt;
    return set;
}

std::optional<PolicySet> load_policies(const std::string& folder, Diagnostics& out) {
    const auto sources = read_policy_folder(folder, out);
    if (!sources) return std::nullopt;
    return parse_policies(*sources, out);
}

} // namespace escort
