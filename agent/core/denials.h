// Doors that this host's admin has shut (`escortctl deny`): local, persistent, only ever takes away. Plain
// values.
#pragma once

#include "core/approval.h"

#include <set>
#include <string>

namespace escort {

struct Denials {
    std::set<std::string> approvals; // jti, of any issuer
    std::set<std::string> engineers; // id
    std::set<std::string> accounts;  // name of an account, or of a unit

    [[nodiscard]] bool hits_account(const std::string& account) const { return accounts.contains(account); }
    [[nodiscard]] bool hits(const Approval& approval) const {
        return approvals.contains(approval.jti) || engineers.contains(approval.engineer.id);
    }
    [[nodiscard]] bool empty() const { return approvals.empty() && engineers.empty() && accounts.empty(); }
    bool operator==(const Denials&) const = default;
};

} // namespace escort
