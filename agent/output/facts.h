// What the records are made of: small plain structs that the daemon fills from its own. An empty string or
// nullopt says "not known" and leaves the field out. Ids only, never people's names (contract §6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace escort {

struct SessionRecord {
    std::string id; // "7f3a2c1e-42"
    std::string account;
    std::optional<std::uint32_t> uid;
    std::string entry; // "sshd" ...
    std::string source;
    std::string tty;
    std::optional<std::uint32_t> audit_session;
    std::string logind_session;

    std::string verdict; // approved, denied, observed
    std::string reason;
    std::vector<std::string> reasons; // all that apply, the first is `reason`
    std::string action;               // log, kill_process, kill, freeze, none
    std::string policy;               // name
    std::string mode;                 // of that policy: enforce, observe

    std::string approval; // jti
    std::string issuer;
    std::string engineer;
    std::string escort;
    std::string ticket;
    std::vector<std::string> approvers;
    std::string country;
    std::string asserted_by;
    std::string proven_key; // fingerprint or certificate key id, as the gate heard it from sshd
    std::string authority;  // of an emergency's approval: who answers for it, and why
    std::string emergency;

    pid_t pid = 0; // the session's first process; 0: not known
    std::optional<std::uint64_t> latency_us;
    std::optional<std::uint64_t> processes; // killed, or frozen
    std::int64_t started = 0;               // seconds since the epoch; 0: not known
    std::int64_t ended = 0;
    std::int64_t deadline = 0; // when an approved session will end; 0: not known
    std::string operated_by;   // who ended, froze or thawed it by hand
    std::string note;          // what the operator gave as reason; goes into the message
};

// A program that a session started. Texts as the kernel had them.
struct ProgramRecord {
    std::string path; // a memfd's: its name, without a slash
    std::string cwd;
    std::string script; // where an interpreter runs: the name that was to be run
    std::vector<std::string> arguments;
    bool path_cut = false, cwd_cut = false; // at their start
    bool script_cut = false, arguments_cut = false;
    bool nameless = false; // a memfd, a deleted file
    bool rose = false;     // runs as root, and what started it did not
    std::uint32_t uid = 0, euid = 0;
    pid_t pid = 0;
    pid_t parent = 0;    // 0: not known, as of `pid`
    std::int64_t at = 0; // microseconds since the epoch
};

struct DocumentRecord {
    std::string file; // name in the spool
    std::string issuer;
    std::string audience;
    std::string subject;
    std::optional<std::uint64_t> seq;
    std::string sha256; // of the raw document
    std::string key;    // thumbprint
    std::size_t approvals = 0;
    std::int64_t expires = 0;

    std::string reason; // refused: "rollback" ...
    std::string text;   // refused: one line for people
    bool alert = false; // refused, and an attack is likely: rollback, equivocation, seq_jump
};

struct ApprovalRecord {
    std::string jti;
    std::string issuer;
    std::string account;
    std::string engineer;
    std::string ticket;
    bool absent = false; // left out of the next list, not named in `revoked`
    std::size_t sessions = 0;
    std::string doc_sha256;
    std::optional<std::uint64_t> seq;
};

// An escort's lease as it now stands.
struct PresenceRecord {
    std::string approval;
    std::string issuer;
    std::string account;
    std::string engineer;
    std::string escort;
    bool present = false;
    std::int64_t until = 0;   // present: when the lease ends; 0: not known
    std::size_t sessions = 0; // live ones under the approval
    std::string doc_sha256;
};

struct PolicyRecord {
    std::string sha256;
    std::size_t policies = 0;
    std::size_t principals = 0;
    std::vector<std::string> warnings; // "FILE:LINE:COLUMN: warning: ..."
    std::vector<std::string> errors;   // refused: the same, "error"
    bool last_good_kept = false;       // refused: an earlier set stays in force
};

} // namespace escort
