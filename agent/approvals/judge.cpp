#include "approvals/judge.h"

#include "approvals/document.h"
#include "approvals/jws.h"
#include "approvals/strict_json.h"

namespace escort {

Judged<ApprovalList> judge_document(std::string_view file, const TrustSet& trust, const IssuerRules& rules,
                                    DocumentFacts& facts) {
    auto verified = verify_jws(file, trust);
    facts.sha256 = verified ? verified->sha256 : sha256_hex(document_bytes(file), trust.properties);
    if (!verified) return tl::unexpected(std::move(verified.error()));
    facts.typ = verified->typ;
    facts.key = verified->key;
    if (auto type = check_type(verified->typ); !type) return tl::unexpected(std::move(type.error()));
    const auto iss = peek_string(verified->payload, "iss");
    if (iss) {
        facts.issuer = *iss;
        if (auto issuer = check_issuer(rules, *iss, "approvals", verified->key, trust); !issuer)
            return tl::unexpected(std::move(issuer.error()));
    }
    auto list = parse_approvals(verified->payload); // without a readable iss this says what is wrong
    if (!list) return list;
    if (!iss || *iss != list->issuer)
        return refuse(RefusalCode::invalid, "iss: is not the one that was judged");
    list->sha256 = std::move(verified->sha256);
    list->key = std::move(verified->key);
    facts.audience = list->audience;
    facts.subject = list->subject;
    facts.seq = list->seq;
    facts.iat = list->iat;
    facts.exp = list->exp;
    if (auto accounts = check_accounts(rules, *list, trust); !accounts)
        return tl::unexpected(std::move(accounts.error()));
    return list;
}

} // namespace escort
