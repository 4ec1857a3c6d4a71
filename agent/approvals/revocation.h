// The payload of a CAEP `session-revoked` Security Event Token (`secevent+jwt`; RFC 8417, RFC 9493, CAEP 1.0
// §3.1; contract §4). Strict about what it acts upon and deaf to the rest: transmitters add claims of their
// own, and to refuse a revocation is the unsafe way out. Knows nothing of signatures, of this host or of the
// time.
#pragma once

#include "core/refusal.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace escort {

constexpr const char* kSessionRevoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

struct RevocationDocument {
    std::string issuer;
    std::string jti;                   // of the event itself
    std::int64_t iat = 0;              // seconds since the epoch
    std::vector<std::string> audience; // empty: it names none
    std::string session;               // sub_id.session.id: an approval's jti, or a session id of this host
    // Not claims: filled in by whoever verified the document.
    std::string sha256;
    std::string key;
    std::vector<std::string> issuers; // whose approvals it may take back: its own, and `revokes_for`
};

// A refusal's text begins with the claim's JSON path; `unsupported` where it is another kind of event.
[[nodiscard]] Judged<RevocationDocument> parse_revocation(std::string_view payload);

// The claims as JSON.
[[nodiscard]] std::string to_payload(const RevocationDocument& revocation);

// Does it look like an id of a session: "7f3a2c1e-42" (contract §6)?
[[nodiscard]] bool is_session_id(std::string_view text);

} // namespace escort
