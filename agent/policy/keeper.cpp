#include "policy/keeper.h"

#include "policy/kept_files.h"

namespace escort {

namespace {

void report(Diagnostics& out, Severity severity, const Error& error) {
    out.push_back({severity, Place{error.where, 0, 0}, error.why, error.hint});
}

} // namespace

PolicyKeeper::PolicyKeeper(const std::string& state) : folder_(state + "/policies") {}

LoadedPolicies PolicyKeeper::preview(const std::string& folder) const {
    return judge(folder).loaded;
}

LoadedPolicies PolicyKeeper::reload(const std::string& folder) {
    Judged judged = judge(folder);
    LoadedPolicies& loaded = judged.loaded;
    if (loaded.origin == PolicyOrigin::fresh) {
        if (const auto kept = write_kept_files(folder_, judged.sources); !kept)
            report(loaded.diagnostics, Severity::warning, kept.error());
    }
    if (loaded.origin != PolicyOrigin::none) in_force_ = Kept{loaded.set, std::move(judged.sources)};
    return std::move(loaded);
}

Status PolicyKeeper::keep_again() const {
    return in_force_ ? write_kept_files(folder_, in_force_->sources) : Status{};
}

PolicyKeeper::Judged PolicyKeeper::judge(const std::string& folder) const {
    Judged judged;
    Diagnostics& out = judged.loaded.diagnostics;
    auto sources = read_policy_folder(folder, out);
    auto set = sources ? parse_policies(*sources, out) : std::nullopt;
    // An empty set is what a fresh installation starts with; later it takes a file to say that it is meant.
    const bool needs_last = !set || (set->policies.empty() && !set->allow_empty);
    auto last = needs_last ? kept_set(out) : std::nullopt;
    const bool refused = !set || (needs_last && (has_errors(out) || (last && !last->set.policies.empty())));
    if (set && refused)
        out.push_back({Severity::error, Place{folder, 0, 0},
                       "no policy files: the last good set stays in force",
                       "a file with version: 1 and allow_empty: true says that no policy is meant"});
    if (!refused) {
        judged.loaded.set = std::move(*set);
        judged.loaded.origin = PolicyOrigin::fresh;
        judged.sources = std::move(*sources);
    } else if (last) {
        judged.loaded.set = std::move(last->set);
        judged.sources = std::move(last->sources);
        judged.loaded.origin = PolicyOrigin::kept;
    }
    return judged;
}

std::optional<PolicyKeeper::Kept> PolicyKeeper::kept_set(Diagnostics& out) const {
    auto sources = read_kept_files(folder_);
    if (!sources) {
        report(out, Severity::error, sources.error());
        return in_force_;
    }
    if (!*sources) return in_force_;
    Diagnostics found;
    auto set = parse_policies(**sources, found);
    if (set) return Kept{std::move(*set), std::move(**sources)}; // its warnings were told when it was fresh
    out.insert(out.end(), found.begin(), found.end());
    return in_force_;
}

} // namespace escort
