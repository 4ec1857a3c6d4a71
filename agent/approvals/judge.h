// One raw document through every check that needs neither this host nor the time, in the contract's order:
// signature, type, issuer, strict parsing, the issuer's accounts.
#pragma once

#include "approvals/document.h"
#include "approvals/issuers.h"
#include "approvals/lease.h"
#include "approvals/revocation.h"
#include "core/approval.h"
#include "core/refusal.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

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
    std::int64_t exp = 0;     // 0: it carries none
    bool break_glass = false; // the key is one of breakglass.d
    std::string about;        // a lease's approval (jti), a revocation's session or approval

    // Of what is proven; nothing where no known type is.
    [[nodiscard]] std::optional<DocumentKind> kind() const {
        const auto known = kind_of(typ);
        return known ? std::optional(*known) : std::nullopt;
    }
};

using SignedDocument = std::variant<ApprovalList, LeaseDocument, RevocationDocument>;

// The document with sha256 and key filled in. `facts` holds what was learnt, refused or not. The rules don't
// apply to keys of breakglass.d: the folder is the rule.
[[nodiscard]] Judged<SignedDocument> judge_document(std::string_view file, const TrustSet& trust,
                                                    const IssuerRules& rules, DocumentFacts& facts);

} // namespace escort
