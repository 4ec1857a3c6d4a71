#include "escortctl/command.h"
#include "settings.h"

namespace escort::ctl {

Outcome<Places> Context::places() const {
    Diagnostics diagnostics;
    SettingsSources sources;
    sources.may_be_missing = config_ == kSettingsFile; // one that was asked for by name must be there
    const auto settings = load_settings(config_, sources, diagnostics);
    if (settings) {
        const Paths& paths = settings->paths;
        return Places{
            paths.run + "/control.sock", paths.spool, paths.trust, paths.breakglass, paths.pins, paths.run};
    }
    for (const Diagnostic& diagnostic : diagnostics)
        if (diagnostic.severity == Severity::error)
            return failure(Exit::not_so, diagnostic.place.text(), diagnostic.message,
                           diagnostic.hint.empty() ? "Run 'escortd --check'." : diagnostic.hint);
    return failure(Exit::not_so, config_, "can't be used");
}

Outcome<nlohmann::json> Context::ask(const std::string& request, nlohmann::json params,
                                     std::chrono::milliseconds time) const {
    std::string path = socket_;
    if (path.empty()) {
        const auto where = places();
        if (where)
            path = where->socket;
        else if (config_ == kSettingsFile)
            path = Paths().run + "/control.sock"; // a daemon on its last valid settings says so itself
        else
            return tl::unexpected<Failure>(where.error());
    }
    auto client = control::Client::connect(path);
    if (!client) return tl::unexpected<Failure>(client.error());
    return client->call(request, std::move(params), time);
}

} // namespace escort::ctl
