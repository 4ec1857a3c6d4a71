// The settings of one host (contract §1), read once at the start. Every key is optional.
#pragma once

#include "approvals/issuers.h"
#include "base/diagnostic.h"
#include "base/result.h"
#include "core/policy.h"
#include "feed/settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace escort {

constexpr const char* kSettingsFile = "/etc/escortd/escortd.yaml";
// The last that were valid, of kSettingsFile.
constexpr const char* kKeptSettingsFile = "/var/lib/escortd/state/settings.yaml";

struct Paths {
    std::string policies = "/etc/escortd/policies.d";
    std::string trust = "/etc/escortd/trust.d";
    std::string breakglass = "/etc/escortd/breakglass.d";
    std::string spool = "/var/lib/escortd/spool";
    std::string outbox = "/var/lib/escortd/outbox"; // session events for the broker (feed/outbox.h)
    std::string state = "/var/lib/escortd/state";
    std::string run = "/run/escortd";
    std::string pins = "/sys/fs/bpf/escortd";
};

enum class RequiredTier { any, deny };
enum class Hooks { automatic, tracepoints };

struct GateSettings {
    std::int64_t timeout_s = 2;   // for the daemon's answer, 1 to 60
    bool admit_when_down = false; // principals, when the daemon doesn't answer
};

struct Settings {
    std::string host_id; // default: the machine id
    std::vector<std::string> groups;
    IssuerRules issuers; // absent: any issuer with any trusted key
    Paths paths;
    std::optional<Mode> mode_override; // observe, or absent
    RequiredTier required_tier = RequiredTier::any;
    Hooks hooks = Hooks::automatic;
    std::int64_t stale_grace_s = 0; // seconds that live sessions outlast an expired list
    GateSettings gate;
    CourierSettings courier;
};

// Where the defaults come from that are not written in the program.
struct SettingsSources {
    std::string machine_id = "/etc/machine-id"; // machine-id(5)
    bool may_be_missing = false; // no settings file: all defaults (true for kSettingsFile only)
};

// Reads `path`. Nothing when an error was added to `out`: the daemon must not start on half its settings.
[[nodiscard]] std::optional<Settings> load_settings(const std::string& path, const SettingsSources& sources,
                                                    Diagnostics& out);

// What a daemon starts with.
struct StartSettings {
    Settings settings;
    std::string text; // theirs, to be kept for a start with invalid ones; empty: they are kept ones
    // They are the kept ones, since `path` is invalid (the diagnostics say why).
    std::optional<Error> problem;
};

// load_settings(); where `path` is invalid, what `kept` holds (empty: nothing is kept), since a daemon that
// doesn't start protects nothing once the host has booted anew. Nothing: invalid, and none were kept.
[[nodiscard]] std::optional<StartSettings> settings_to_start(const std::string& path, const std::string& kept,
                                                             const SettingsSources& sources,
                                                             Diagnostics& out);

} // namespace escort
