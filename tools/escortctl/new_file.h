// Files that must not be there yet: keys are never overwritten.
#pragma once

#include "escortctl/command.h"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace escort::ctl {

// Creates `path` with exactly this mode. Fails where there is anything already, a dangling symlink included;
// Exit::not_permitted where the folder may not be written.
[[nodiscard]] Outcome<bool> write_new_file(const std::string& path, std::string_view content, mode_t mode);

} // namespace escort::ctl
