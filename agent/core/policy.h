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

struct Principals {
    std::vector<Placed<std::string>> users; // account names or shell globs
    std::vector<Placed<UidRange>> uids;
    std::vector<Placed<std::string>> groups; // primary or supplementary
};

// gate: only a session cleared before its first instruction; window: any while an approval is open.
enum class Admission { gate, window };

// Root jobs of a unit that may switch to these accounts: logged, never killed. No accounts: any.
struct Exemption {
    std::string unit;                  // "puppet.service", at most 63 bytes
    std::vector<std::string> accounts; // names or shell globs
    Place place;
};

enum class Violation { log, kill_process, kill };

struct Policy {
    std::string name;
    Place place; // of the file's `policy:` key
    Placed<Mode> mode{Mode::enforce, {}};
    Principals principals;
    Placed<Admission> admission{Admission::gate, {}};
    Placed<std::set<Entry>> entries; // default: sshd, login, su, sudo
    Placed<Violation> on_violation{Violation::kill, {}};
    std::vector<Exemption> exempt;
};

struct PolicySet {
    std::vector<Policy> policies; // file order
    bool allow_empty = false;
    std::string sha256; // over the names and bytes of all files, lower-case hex
};

} // namespace escort
