// What tells a published document apart from others, by its unverified claims: which of them it takes the
// place of. Pure; whether it is genuine is for the host that receives it.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace escort::ctl {

struct PublishedName {
    std::string kind;       // "approvals", "presence", "revocation"
    std::string audience;   // "host:ID", "group:NAME"
    std::string identity;   // 16 hex digits: of issuer, and list or approval or revoked session
    std::int64_t until = 0; // nobody needs it after that: seconds since the epoch

    // Of the bucket: "host.ID.approvals.0123456789abcdef".
    [[nodiscard]] std::string key() const;
};

// Error: it is no compact JWS, or lacks what places it (typ, iss, aud).
[[nodiscard]] Result<PublishedName> published_name(std::string_view document);

} // namespace escort::ctl
