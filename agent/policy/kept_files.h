// The raw files of the last good policy set in the state folder (layout: keeper.h). Knows no policies.
#pragma once

#include "base/result.h"
#include "policy/load.h"

#include <optional>
#include <string>

namespace escort {

// Writes copies, then the manifest, then removes what the manifest no longer names.
[[nodiscard]] Status write_kept_files(const std::string& folder, const PolicySources& sources);

// The files the manifest names, with the copies' paths. Nothing where no set was ever kept. An error for a
// newer format, an unreadable manifest, or a copy that is missing or was changed.
[[nodiscard]] Result<std::optional<PolicySources>> read_kept_files(const std::string& folder);

} // namespace escort
