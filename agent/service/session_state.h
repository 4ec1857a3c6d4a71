// What of the sessions must outlive a restart of the daemon: which approval each was admitted under, what it
// has proven, who froze it, and from which number the next ones count (numbers are never used twice within a
// boot).
#pragma once

#include "base/result.h"
#include "core/ledger_memory.h"
#include "core/session.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace escort {

struct KeptSession {
    std::optional<ApprovalId> approval;
    std::string unit; // of a unit's session
    Proven proven;
    bool user_manager = false;
    bool frozen_by_hand = false;
    std::set<std::uint32_t> entered; // uids of the accounts that it has turned into
    std::vector<std::string> also;   // accounts that its approval lets it turn into; only where it has
    bool operator==(const KeptSession&) const = default;
};

struct SessionState {
    std::uint32_t boot = 0;                      // first 32 bits of the boot id
    std::uint64_t next = 1;                      // of the next session, at least
    std::map<std::string, KeptSession> sessions; // by name
};

// A missing file, or one of another boot, is an empty state. Error: unreadable, or of a newer format.
[[nodiscard]] Result<SessionState> load_session_state(const std::string& path, std::uint32_t boot);
[[nodiscard]] Status save_session_state(const std::string& path, const SessionState& state);

// First 32 bits of this boot's id. Error: /proc can't be read.
[[nodiscard]] Result<std::uint32_t> boot_number();

} // namespace escort
