// Compact JWS (RFC 7515 §3.1): split, check the header, verify over the raw bytes. Never looks at the
// payload.
#pragma once

#include "approvals/trust.h"
#include "core/refusal.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace escort {

constexpr std::size_t kDocumentLimit = 16UL * 1024 * 1024; // bytes of the raw document (contract §4)
constexpr std::size_t kHeaderLimit = 4UL * 1024;           // bytes of the decoded protected header

// RFC 7515 §3.1, as it stands: nothing is decoded.
struct JwsSegments {
    std::string_view header;
    std::string_view payload;
    std::string_view signature;
    std::string_view signed_bytes; // "HEADER.PAYLOAD" (RFC 7515 §5.2 step 8)
};

// Nothing where `raw` has not three parts with a dot between, none of them empty.
[[nodiscard]] std::optional<JwsSegments> split_jws(std::string_view raw);

struct VerifiedDocument {
    std::string typ;          // exactly as the header has it
    std::string payload;      // decoded bytes, not parsed yet
    std::string key;          // thumbprint of the key that signed
    std::string sha256;       // of the raw document, lower-case hex
    bool break_glass = false; // the key is one of breakglass.d
};

// What the three segments say, unverified: for `document show` and for reasons, never for a decision.
struct UnverifiedDocument {
    std::string alg;
    std::string typ;
    std::optional<std::string> kid;
    std::string payload;
};

// The document without the one line end that an editor or `echo` may have left behind it. Hashes and the kept
// copy are over these bytes.
[[nodiscard]] std::string_view document_bytes(std::string_view file);

// An RS256 signature counts under a `secevent+jwt` alone (contract §4).
[[nodiscard]] Judged<VerifiedDocument> verify_jws(std::string_view file, const TrustSet& trust);
[[nodiscard]] Judged<UnverifiedDocument> read_jws_unverified(std::string_view file);

} // namespace escort
