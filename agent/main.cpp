// escortd: starts the daemon, or checks what it would start with.
#include "base/file.h"
#include "daemon.h"
#include "nss/helper.h"
#include "policy/load.h"
#include "sandbox/sandbox.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

namespace {

constexpr int kNotSo = 1;
constexpr int kUsage = 2;

void print(const escort::Diagnostics& diagnostics) {
    for (const auto& diagnostic : diagnostics)
        (void)std::fprintf(stderr, "%s\n", diagnostic.text().c_str());
}

// The daemon's own path up to the point where it would touch the kernel.
int check(const escort::Settings& settings) {
    escort::Diagnostics diagnostics;
    const auto policies = escort::load_policies(settings.paths.policies, diagnostics);
    auto trust = escort::load_trust(escort::TrustFolders{settings.paths.trust, settings.paths.breakglass});
    if (!trust)
        (void)std::fprintf(stderr, "escortd: %s\n", trust.error().text().c_str());
    else
        diagnostics.insert(diagnostics.end(), trust->problems.begin(), trust->problems.end());
    print(diagnostics);
    const bool good = policies && trust && !escort::has_errors(diagnostics);
    if (good)
        (void)std::printf("settings, %zu policies and %zu keys are valid\n", policies->policies.size(),
                          trust->keys.size());
    return good ? 0 : kNotSo;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Support session control: sees, judges and ends sessions of support accounts"};
    std::string config = escort::kSettingsFile;
    bool check_only = false;
    bool nss_helper = false;
    bool unmask = false;
    app.add_option("--config", config, "Settings file")->capture_default_str();
    app.add_flag("--check", check_only, "Load settings, policies and keys, print what is wrong, and exit");
    app.add_flag("--nss-helper", nss_helper)->group("");       // the daemon's own look-up process
    app.add_flag("--unmask-user-managers", unmask)->group(""); // when the package is removed
    app.set_version_flag("--version", ESCORT_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    if (nss_helper) {
        if (!escort::enter_helper_sandbox()) return kNotSo;
        return escort::run_nss_helper(escort::kNssHelperFd);
    }

    const bool installed = config == escort::kSettingsFile; // no instance in a folder of its own
    const std::string kept = installed && !check_only && !unmask ? escort::kKeptSettingsFile : "";
    escort::Diagnostics diagnostics;
    auto start = escort::settings_to_start(config, kept, {.may_be_missing = installed}, diagnostics);
    print(diagnostics);
    if (!start) return kNotSo;
    auto& settings = start->settings;
    if (check_only) return check(settings);
    if (unmask) {
        const auto removed = escort::UserManagers::remove_all(escort::user_manager_paths(settings));
        if (!removed) (void)std::fprintf(stderr, "escortd: %s\n", removed.error().text().c_str());
        return removed ? 0 : kNotSo;
    }
    if (settings.required_tier == escort::RequiredTier::deny) {
        (void)std::fprintf(
            stderr, "escortd: tier.require: deny: not supported yet (this version reaches tier kill)\n");
        return kNotSo;
    }
    if (!kept.empty() && !start->text.empty())
        if (auto copied = escort::write_file_atomically(kept, start->text, 0600); !copied)
            start->problem = {copied.error().where, copied.error().why,
                              "check space and permissions of the state folder"};
    escort::Daemon daemon(std::move(settings), std::move(start->problem));
    return daemon.run();
}
