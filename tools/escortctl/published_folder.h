// A folder that a web server offers to couriers: hosts/ID/documents and groups/NAME/documents, each a JSON
// list of compact JWS (contract §1).
#pragma once

#include "base/result.h"
#include "escortctl/published_name.h"

#include <cstdint>
#include <string>

namespace escort::ctl {

// Puts the document into its list, in place of the last one of its kind, audience and identity, and drops
// what has expired by `now` (seconds since the epoch). The file's path. Two at once wait for each other.
[[nodiscard]] Result<std::string> publish_into(const std::string& folder, const PublishedName& name,
                                               const std::string& document, std::int64_t now);

} // namespace escort::ctl
