// The policy model (contract §3): what the YAML says, as plain values with the place each came from.
//
//   PolicySet = every file of policies.d, in lexical order
//     Policy  = whose sessions (principals), what an approval must meet (require), what happens when
//               it does not (mode, on_violation), and which root jobs are left alone (exempt)
//
// An account that several policies name is governed by the first in file order, but enforce beats observe.
#pragma once

#include "base/diagnostic.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace escort {

enum class Mode { enforce, observe };

// A way into the machine (contract §6, ESCORT_ENTRY). The numbers are those of bpf/abi.h.
enum class Entry : std::uint8_t {
    other = 0,
    sshd = 1,
    login = 2,
    su = 3,
    sudo = 4,
    cron = 5,
    at = 6,
    systemd = 7,
    unit = 8,
    existing = 9,
};

// "sshd", "su" ...: the journal's and the policy's word.
[[nodiscard]] const char* to_string(Entry entry);
[[nodiscard]] std::optional<Entry> entry_from(const std::string& word);

// A value that remembers the file, line and column it was written at; the place of a default has no file.
template <typename T>
struct Placed {
    T value{};
    Place place{};
};

struct UidRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0; // inclusive
};

// A vendor's guest agent (`principals.units`): the daemon itself and what it may run for itself go on;
// anything else that it execs opens a session of the unit.
struct UnitPrincipal {
    std::string name;                 // "walinuxagent.service", at most 63 bytes
    std::vector<std::string> may_run; // absolute paths or shell globs of them
    Place place;
};

struct Principals {
    std::vector<Placed<std::string>> users; // account names or shell globs
    std::vector<Placed<UidRange>> uids;
    std::vector<Placed<std::string>> groups; // primary or supplementary
    std::vector<UnitPrincipal> units;
};

// gate: only a session cleared before its first instruction; window: any while an approval is open.
enum class Admission { gate, window };

// `allow: []` allows nothing; an absent list is no requirement.
struct AllowDeny {
    std::optional<Placed<std::vector<std::string>>> allow;
    std::optional<Placed<std::vector<std::string>>> deny;
};

struct RequireEngineer {
    AllowDeny country;                                    // location.allow, location.deny
    std::optional<Placed<std::int64_t>> location_max_age; // seconds
    std::optional<Placed<std::vector<std::string>>> location_asserted_by;
    std::optional<Place> location; // where `location:` stands, if it does
    AllowDeny citizenship;
    std::optional<Placed<std::vector<std::string>>> screening;
};

enum class Absent { freeze, kill };

struct RequireEscort {
    Placed<bool> required{false, {}};
    // required: {unless: ...}: not of an engineer who meets all that is listed here.
    bool has_unless = false;
    std::vector<std::string> unless_citizenship, unless_screening;
    std::optional<Placed<std::int64_t>> lease; // seconds; absent: a lease lasts until its own exp
    Placed<Absent> absent{Absent::freeze, {}};
    std::optional<Placed<std::int64_t>> grace; // seconds; absent: frozen as long as the approval lasts
};

// What an approval and a session must meet (`require:`).
struct Requirements {
    Placed<Admission> admission{Admission::gate, {}};
    Placed<std::set<Entry>> entries; // default: sshd, login, su, sudo
    RequireEngineer engineer;
    RequireEscort escort;
    std::optional<Placed<std::uint32_t>> approvers_min;
    std::optional<Placed<std::string>> ticket;              // ECMAScript regular expression, whole string
    std::optional<Placed<std::vector<std::string>>> source; // CIDR
    std::optional<Place> bind_source;                       // bind: [source]
    std::optional<Place> bind_ssh_key;                      // bind: [ssh_key]
    std::optional<Placed<std::int64_t>> max_duration;       // seconds
    std::optional<Placed<std::int64_t>> idle_timeout;       // seconds
    std::optional<Placed<std::uint32_t>> max_sessions;      // of one approval
};

// restrict.user_manager
enum class UserManager { deny, allow };

// What of a session is written down (`record:`).
struct Recording {
    Placed<std::uint32_t> exec_per_minute{600, {}}; // of each session; what is over it is counted. 0: none
    Placed<bool> arguments{false, {}};              // of the programs that it starts
};

// Root jobs of a unit that may switch to these accounts: logged, never killed. No accounts: any.
struct Exemption {
    std::string unit;                  // "puppet.service", at most 63 bytes
    std::vector<std::string> accounts; // names or shell globs
    Place place;
};

enum class Violation { log, kill_process, kill, freeze };

struct Policy {
    std::string name;
    Place place; // of the file's `policy:` key
    Placed<Mode> mode{Mode::enforce, {}};
    Principals principals;
    Requirements require;
    Placed<bool> break_glass{true, {}}; // may an emergency approval be used?
    Placed<UserManager> user_manager{UserManager::deny, {}};
    Placed<Violation> on_violation{Violation::kill, {}};
    std::vector<Exemption> exempt;
    Recording record;
    std::optional<Placed<std::int64_t>> notify_before_expiry; // seconds
};

struct PolicySet {
    std::vector<Policy> policies; // file order
    bool allow_empty = false;
    std::string sha256; // over the names and bytes of all files, lower-case hex
};

} // namespace escort
