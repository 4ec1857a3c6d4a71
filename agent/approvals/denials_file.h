// The doors that this host's admin has shut, kept across restarts: state/denials.json, JSON with "format": 1.
#pragma once

#include "base/result.h"
#include "core/denials.h"

#include <string>

namespace escort {

// None where the file does not exist. An error (unreadable, broken, of a newer format): nobody knows which
// doors are shut, so the caller must not go on as if none were.
[[nodiscard]] Result<Denials> load_denials(const std::string& file);

// Whole or not at all, mode 0600.
[[nodiscard]] Status save_denials(const std::string& file, const Denials& denials);

} // namespace escort
