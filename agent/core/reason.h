// Why a verdict is what it is (contract §5). The order of the enumerators is the contract's: where several
// apply the first is the reason.
#pragma once

#include <string>
#include <vector>

namespace escort {

enum class Reason {
    approved,
    break_glass,
    denied_locally,
    location_denied,
    location_stale,
    citizenship_denied,
    screening_missing,
    revoked,
    expired,
    not_yet_valid,
    list_stale,
    no_approval,
    entry_denied,
    ungated,
    key_mismatch,
    source_mismatch,
    unproven,
    ticket_invalid,
    approver_invalid,
    escort_missing,
    escort_is_engineer,
    escort_absent,
    session_limit,
    duration_exceeded,
    idle,
    restricted,
    operator_act, // "operator": a C++ keyword
};

// The contract's word: "no_approval".
[[nodiscard]] const char* to_string(Reason reason);
[[nodiscard]] std::string join(const std::vector<Reason>& reasons);
// One sentence for people: what it means and what to do.
[[nodiscard]] const char* advice(Reason reason);

} // namespace escort
