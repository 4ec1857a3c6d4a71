// The embedded broker's dealings with the world: the key, the daemon's current list, the spool, the verdict.
#pragma once

#include "approvals/signing.h"
#include "base/fd.h"
#include "core/approval.h"
#include "escortctl/command.h"

#include <functional>
#include <optional>
#include <string>

namespace escort::ctl {

constexpr const char* kLocalKey = "/etc/escortd/local-broker.key";

// The next list from the last one of this host.
using NextList =
    std::function<Result<ApprovalList>(const std::optional<ApprovalList>& last, const std::string& host_id)>;

struct Published {
    ApprovalList list;
    nlohmann::json verdict; // the daemon's answer to `document_result`: accepted
};

// Locks the key's file (two of these at once would sign the same seq), asks the daemon for this host's list,
// signs the next one, drops it into the spool by rename and waits for the daemon's verdict. `host_id` empty:
// the daemon's. A refusal is a failure that says why and what to do.
[[nodiscard]] Outcome<Published> publish_next(const Context& context, const std::string& key_path,
                                              std::string host_id, const NextList& next);

} // namespace escort::ctl
