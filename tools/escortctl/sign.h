// document sign: a document of any type, from its claims.
#pragma once

#include "escortctl/command.h"

namespace escort::ctl {

[[nodiscard]] Command sign_command();

} // namespace escort::ctl
