// The shape of a policy file: contract §3, every key of it, with what is not supported yet marked so.
#pragma once

#include "policy/shape.h"

namespace escort {

[[nodiscard]] Shape policy_shape();

} // namespace escort
