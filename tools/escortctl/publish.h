// document publish: a signed document where couriers look for it.
#pragma once

#include "escortctl/command.h"

namespace escort::ctl {

[[nodiscard]] Command publish_command();

} // namespace escort::ctl
