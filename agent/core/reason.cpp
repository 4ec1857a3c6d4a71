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
    {"location_denied",
     "The engineer's place is not allowed; no escort cures this. Someone in an allowed country can do it."},
    {"location_stale", "The engineer's place was asserted too long ago; confirm it again, then ask the "
                       "broker for a fresh list."},
    {"citizenship_denied",
     "The engineer's citizenship is not allowed by the policy. Ask the broker for another engineer."},
    {"screening_missing",
     "A screening that the policy names is missing. Ask the broker for an engineer who has it."},
    {"revoked", "The approval was revoked or withdrawn; ask the broker for a new one."},
    {"expired", "The approval's window is over; ask the broker for a new one."},
    {"not_yet_valid", "The approval's window has not begun; try again when it does."},
    {"list_stale",
     "The broker's list is out of date on this host; check that documents arrive in the spool."},
    {"no_approval", "No approval of this account for this host; ask the broker for one."},
    {"entry_denied", "The way in is not one that may use an approval; log in by one of the policy's "
                     "require.entries, such as ssh."},
    {"ungated", "The session did not pass the PAM gate; log in anew, by a way that PAM guards."},
    {"key_mismatch", "The key is not one that was approved; use the approved key, or ask for an approval "
                     "that names this one."},
    {"source_mismatch", "The address is not one that was approved; connect from an approved network."},
    {"unproven", "The key or the address must be proven and could not be; log in by ssh with the approved "
                 "key, and see that the approval names both."},
    {"ticket_invalid", "The approval's ticket is missing or not of the policy's form; ask for an approval "
                       "with the right ticket."},
    {"approver_invalid",
     "Too few people approved it; the engineer and the escort don't count. Ask for another approver."},
    {"escort_missing", "The policy wants an escort and the approval names none; ask the broker for one."},
    {"escort_is_engineer",
     "The escort and the engineer are the same person; ask the broker for another escort."},
    {"escort_absent", "The escort is not present; ask the escort to be, then try again."},
    {"session_limit",
     "As many sessions are live as the approval, or this host, allows; end one of them first."},
    {"duration_exceeded", "The session has lasted as long as it may; open a new one, if the approval still "
                          "lasts."},
    {"idle", "The session was idle too long; open a new one."},
    {"restricted", "The session did what the policy restricts."},
    {"operator", "An operator of this host ended it; ask them why."},
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
