#include "output/field.h"

#include <array>

namespace escort {

std::string_view name(Field field) {
    // In the order of the enum.
    static constexpr std::array<std::string_view, kFieldCount> kNames{"ESCORT_SESSION",
                                                                      "ESCORT_ACCOUNT",
                                                                      "ESCORT_UID",
                                                                      "ESCORT_ENTRY",
                                                                      "ESCORT_SOURCE",
                                                                      "ESCORT_TTY",
                                                                      "ESCORT_AUDIT_SESSION",
                                                                      "ESCORT_LOGIND_SESSION",
                                                                      "ESCORT_VERDICT",
                                                                      "ESCORT_REASON",
                                                                      "ESCORT_REASONS",
                                                                      "ESCORT_ACTION",
                                                                      "ESCORT_APPROVAL",
                                                                      "ESCORT_ENGINEER",
                                                                      "ESCORT_ESCORT",
                                                                      "ESCORT_TICKET",
                                                                      "ESCORT_POLICY",
                                                                      "ESCORT_TIER",
                                                                      "ESCORT_LATENCY_US",
                                                                      "ESCORT_PROCESSES",
                                                                      "OBJECT_PID",
                                                                      "ESCORT_ISSUER",
                                                                      "ESCORT_SEQ",
                                                                      "ESCORT_DOC_SHA256",
                                                                      "ESCORT_KEY",
                                                                      "ESCORT_COUNTRY",
                                                                      "ESCORT_ASSERTED_BY",
                                                                      "ESCORT_APPROVERS",
                                                                      "ESCORT_PROVEN_KEY",
                                                                      "ESCORT_OPERATOR",
                                                                      "ESCORT_STARTED",
                                                                      "ESCORT_ENDED",
                                                                      "ESCORT_POLICY_SHA256",
                                                                      "ESCORT_MODE",
                                                                      "ESCORT_HOST",
                                                                      "ESCORT_EXE",
                                                                      "ESCORT_CWD",
                                                                      "ESCORT_SCRIPT",
                                                                      "ESCORT_ARGUMENTS",
                                                                      "ESCORT_EUID",
                                                                      "ESCORT_ROSE",
                                                                      "ESCORT_PARENT",
                                                                      "ESCORT_AT",
                                                                      "ESCORT_DROPPED"};
    return kNames.at(static_cast<std::size_t>(field));
}

} // namespace escort
