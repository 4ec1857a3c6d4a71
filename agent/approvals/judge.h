// One raw document through every check that needs neither this host nor the time, in the contract's order:
// signature, type, issuer, strict parsing, the issuer's accounts.
#pragma once

#include "approvals/issuers.h"
#include "core/approval.h"
#include "core/refusal.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace escort {

// What is known about a document, as far as it was judged: all that the journal may say about it.
struct DocumentFacts {
    std::string file;   // name in the spool or in the state folder
    std::string sha256; // of the raw document, lower-case hex
    std::string typ;    // from here on only what a trusted key has signed
    std::string key;    // thumbprint
    std::string issuer;
    std::string audience;
    std::string subject;
    std::optional<std::uint64_t> seq;
    std::int64_t iat = 0;
    std::int64_t exp = 0;
};

// The list with sha256 and key filled in. `facts` holds what was learnt, refused or not.
[[nodiscard]] Judged<ApprovalList> judge_document(std::string_view file, const TrustSet& trust,
                                                  const IssuerRules& rules, DocumentFacts& facts);

} // namespace escort
