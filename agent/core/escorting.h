// The escort that a policy asks for: named by the approval, someone else than the engineer, and present.
#pragma once

#include "core/findings.h"

namespace escort {

// escort_missing, escort_is_engineer, escort_absent. Of a live session whose escort is away and whose policy
// says `absent: freeze`: not a failure but a hold, until the grace is over.
void check_escort(const Case& one, Findings& found);

} // namespace escort
