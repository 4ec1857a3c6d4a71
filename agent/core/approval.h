// What a broker approved: the values of an `escort-approvals+jwt` (contract §4) once it has been verified.
// Plain data. Times are seconds since the epoch unless the name says otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace escort {

struct Location {
    std::string country; // ISO 3166-1 alpha-2
    std::string asserted_by;
    std::int64_t at = 0;
};

struct Engineer {
    std::string id;
    std::string name;
    std::string employer;
    std::vector<std::string> citizenship; // ISO 3166-1 alpha-2
    std::vector<std::string> screening;
    std::optional<Location> location;
};

struct Escort {
    std::string id;
    std::vector<std::string> citizenship;
    std::vector<std::string> screening;
};

struct Ticket {
    std::string system;
    std::string id;
};

struct SshBinding {
    std::vector<std::string> fingerprints; // "SHA256:..."
    std::vector<std::string> key_ids;
};

struct Emergency {
    std::string authority;
    std::string reason;
};

// One approved session. Identity: (issuer of its list, jti). Names an account or a unit, never both.
struct Approval {
    std::string jti;
    std::string account;
    std::string unit;
    std::int64_t nbf = 0;
    std::int64_t exp = 0;
    Engineer engineer;
    std::optional<Escort> escort;
    std::optional<Ticket> ticket;
    std::vector<std::string> approvers;
    std::vector<std::string> source; // CIDR
    SshBinding ssh;
    std::vector<std::string> also;             // further principal accounts the session may turn into
    std::optional<std::uint32_t> max_sessions; // 1 and above
    std::optional<std::int64_t> max_duration;  // seconds, 1 and above
    std::optional<Emergency> emergency;        // break-glass

    // Whose session it approves: the account, or the unit.
    [[nodiscard]] const std::string& whose() const { return unit.empty() ? account : unit; }
};

// A whole list as it was signed, with what it is known by.
struct ApprovalList {
    std::string issuer;
    std::string audience; // "host:ID" or "group:NAME"
    std::string subject;  // empty by default
    std::int64_t iat = 0;
    std::int64_t exp = 0;
    std::uint64_t seq = 0; // below 2^53
    std::vector<Approval> approvals;
    std::vector<std::string> revoked; // jti
    std::string sha256;               // of the raw document, lower-case hex
    std::string key;                  // RFC 7638 thumbprint of the key that signed it
    bool break_glass = false;         // signed by a key of breakglass.d: every approval is an emergency's
};

} // namespace escort
