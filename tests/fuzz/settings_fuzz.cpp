// The settings of a host: YAML that configuration management writes.
#include "fuzz.h"

#include "settings.h"

using namespace escort;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fuzz::MemoryFile file, machine_id;
    machine_id.hold("0123456789abcdef0123456789abcdef\n");
    file.hold(fuzz::text_of(data, size));
    Diagnostics found;
    const auto settings = load_settings(file.path(), {machine_id.path()}, found);
    fuzz::must(settings.has_value() == !has_errors(found),
               "settings are loaded whole, or an error says why not");
    if (!settings) return 0;
    fuzz::must(!settings->host_id.empty(), "a host has an id");
    fuzz::must(settings->gate.timeout_s >= 1 && settings->gate.timeout_s <= 60, "the gate waits 1 to 60 s");
    fuzz::must(settings->stale_grace_s >= 0, "no grace is negative");
    if (settings->issuers)
        for (const auto& rule : *settings->issuers)
            fuzz::must(!rule.iss.empty(), "an issuer has a name");
    return 0;
}
