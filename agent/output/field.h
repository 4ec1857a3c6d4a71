// The journal's fields (contract §6), as an enum: no field name is written twice, so none can be misspelt.
#pragma once

#include <cstdint>
#include <string_view>

namespace escort {

enum class Field : std::uint8_t {
    session,
    account,
    uid,
    entry,
    source,
    tty,
    audit_session,
    logind_session,
    verdict,
    reason,
    reasons, // words separated by commas
    action,
    approval,
    engineer,
    escort,
    ticket,
    policy,
    tier,
    latency_us, // from the session's first instant in the kernel to the act
    processes,  // how many were killed
    object_pid,
    issuer,
    seq,
    doc_sha256,
    key, // RFC 7638 thumbprint of the signing key
    country,
    asserted_by,
    approvers, // ids separated by commas
    proven_key,
    operated_by, // who ran escortctl
    started,     // seconds since the epoch, as is `ended`
    ended,
    policy_sha256,
    mode,
    host,
    exe, // of a program that a session started: its path
    cwd,
    script,    // where an interpreter runs: the name that was to be run
    arguments, // quoted as a shell would
    euid,
    rose,   // "1": it runs as root, and what started it did not
    parent, // process
    at,     // microseconds since the epoch
    dropped,
};
constexpr int kFieldCount = 44;

// "ESCORT_SESSION" ...; Field::object_pid is OBJECT_PID, for which journald itself adds OBJECT_* fields.
[[nodiscard]] std::string_view name(Field field);

} // namespace escort
