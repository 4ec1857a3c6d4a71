#include "policy/check.h"

#include "policy/load.h"

#include <filesystem>

namespace escort {

namespace {

void check_folder(const std::string& folder, Diagnostics& out) {
    const auto sources = read_policy_folder(folder, out);
    if (!sources) return;
    if (sources->empty())
        out.push_back({Severity::warning, Place{folder, 0, 0}, "holds no policy files (*.yaml)"});
    (void)parse_policies(*sources, out); // only its diagnostics are wanted
}

} // namespace

Diagnostics check_policies(const std::vector<std::string>& paths) {
    Diagnostics out;
    PolicySources singles;
    for (const auto& path : paths) {
        std::error_code error; // a path that can't be looked at fails as a file, with its reason
        if (std::filesystem::is_directory(path, error)) {
            check_folder(path, out);
        } else if (auto source = read_policy_source(path, out)) {
            singles.push_back(std::move(*source));
        }
    }
    (void)parse_policies(singles, out); // as above
    return out;
}

} // namespace escort
