// `reload --dry-run`: who would die, or be governed from now on, if the policies were read again. Changes
// nothing.
#pragma once

#include "service/policies.h"
#include "service/sessions.h"

#include <cstdint>
#include <string>
#include <vector>

namespace escort {

// A live session under the rules to come.
struct Fate {
    std::string id; // empty: processes that are in no session yet
    std::string account;
    std::string engineer;
    std::string reason;
    std::size_t processes = 0;
};

struct Fates {
    std::vector<Fate> would_end;
    std::vector<Fate> would_freeze;
    std::vector<Fate> would_go; // governed no more
};

// `next`: the rulebook as it would be. `sessions` may be null (no kernel): nobody is governed now.
[[nodiscard]] Fates fates(const Rulebook& next, const Sessions* sessions, const Moment& now);

} // namespace escort
