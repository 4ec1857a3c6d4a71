// `escortctl policy check`: validates without a daemon and without privileges.
#pragma once

#include "base/diagnostic.h"

#include <string>
#include <vector>

namespace escort {

// Each folder among `paths` is a set of its own; all single files together are one more. Invalid when
// has_errors() says so; print each with Diagnostic::text(), "FILE:LINE:COLUMN: error: MESSAGE".
[[nodiscard]] Diagnostics check_policies(const std::vector<std::string>& paths);

} // namespace escort
