// Keys of one policy that work against each other, mean nothing without another, or that no session can ever
// meet. Warnings only: such a policy is loaded, and fails closed.
#pragma once

#include "core/policy.h"

namespace escort {

// Adds a warning at the place of each such key. Defaults are never warned of.
void check_contradictions(const Policy& policy, Diagnostics& out);

} // namespace escort
