// escort-courier: fetches signed documents from brokers and puts them into the spool.
#include "courier/courier.h"
#include "courier/sandbox.h"
#include "settings.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <curl/curl.h>
#include <malloc.h>
#include <nats/nats.h>

namespace {
constexpr int kNotSo = 1;
constexpr int kUsage = 2;
} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Fetches signed documents from brokers and puts them into escortd's spool"};
    std::string config = escort::kSettingsFile;
    bool check_only = false;
    app.add_option("--config", config, "Settings file")->capture_default_str();
    app.add_flag("--check", check_only, "Load the settings, print what is wrong, and exit");
    app.set_version_flag("--version", ESCORT_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    escort::Diagnostics diagnostics;
    auto settings =
        escort::load_settings(config, {.may_be_missing = config == escort::kSettingsFile}, diagnostics);
    for (const auto& diagnostic : diagnostics)
        (void)std::fprintf(stderr, "%s\n", diagnostic.text().c_str());
    if (!settings) return kNotSo;
    if (check_only) return 0;
    if (auto confined = escort::courier::enter_sandbox(); !confined) {
        (void)std::fprintf(stderr, "escort-courier: %s\n", confined.error().text().c_str());
        return kNotSo; // it reads what strangers send: not without
    }
    mallopt(M_ARENA_MAX, 1); // an arena for each of the libraries' threads would be most of its memory
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || nats_Open(-1) != NATS_OK ||
        nats_SetMessageDeliveryPoolSize(1) != NATS_OK) {
        (void)std::fprintf(stderr, "escort-courier: libcurl or cnats can't begin\n");
        return kNotSo;
    }
    // Never destroyed: cnats' threads may be in the middle of a connect, which nobody should wait for. What
    // was handed over was so whole, and nothing else outlives this process.
    auto* courier = new escort::courier::Courier(std::move(*settings));
    std::_Exit(courier->run());
}
