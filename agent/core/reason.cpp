#include "core/reason.h"

#include <array>
#include <cstddef>

namespace escort {

namespace {
struct Text {
    const char* word;
    const char* advice;
};

// Indexed by Reason.
constexpr std::array<Text, 27> kTexts{{
    {"approved", "An approval is in force."},
    {"break_glass", "An emergency approval is in force."},
    {"denied_locally", "This host's admin has shut the door; `escortctl undeny` opens it again."},
    {"location_denied", "The engineer's place is not allowed; no escort cures this."},
    {"location_stale", "The engineer's place was asserted too long ago; ask the broker for a fresh list."},
    {"citizenship_denied", "The engineer's citizenship is not allowed by the policy."},
    {"screening_missing", "A screening that the policy names is missing."},
    {"revoked", "The approval was revoked or withdrawn; ask the broker for a new one."},
    {"expired", "The approval's window is over; ask the broker for a new one."},
    {"not_yet_valid", "The approval's window has not begun."},
    {"list_stale",
     "The broker's list is out of date on this host; check that documents arrive in the spool."},
    {"no_approval", "No approval of this account for this host; ask the broker for one."},
    {"entry_denied", "The way in is not one that may use an approval; see require.entries of the policy."},
    {"ungated", "The session did not pass the PAM gate."},
    {"key_mismatch", "The key is not the one that was approved."},
    {"source_mismatch", "The address is not one that was approved."},
    {"unproven", "A field that must be proven could not be."},
    {"ticket_invalid", "The approval's ticket does not match the policy."},
    {"approver_invalid", "The approval lacks a valid approver."},
    {"escort_missing", "The policy wants an escort and the approval names none."},
    {"escort_is_engineer", "The escort and the engineer are the same person."},
    {"escort_absent", "The escort is not present."},
    {"session_limit", "The approval's sessions are all in use."},
    {"duration_exceeded", "The session has lasted as long as it may."},
    {"idle", "The session was idle too long."},
    {"restricted", "The session did what the policy restricts."},
    {"operator", "An operator of this host ended it."},
}};
static_assert(kTexts.size() == static_cast<std::size_t>(Reason::operator_act) + 1);
} // namespace

const char* to_string(Reason reason) {
    return kTexts.at(static_cast<std::size_t>(reason)).word;
}

const char* advice(Reason reason) {
    return kTexts.at(static_cast<std::size_t>(reason)).advice;
}

std::string join(const std::vector<Reason>& reasons) {
    std::string text;
    for (const auto reason : reasons) {
        if (!text.empty()) text += ',';
        text += to_string(reason);
    }
    return text;
}

} // namespace escort
