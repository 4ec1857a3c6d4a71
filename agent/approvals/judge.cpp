#include "approvals/judge.h"

#include "approvals/jws.h"
#include "approvals/strict_json.h"

namespace escort {

namespace {

struct Rules {
    const TrustSet& trust;
    const IssuerRules& issuers;
};

Judged<SignedDocument> judge_list(VerifiedDocument& verified, const Rules& rules, DocumentFacts& facts) {
    auto list = parse_approvals(verified.payload);
    if (!list) return tl::unexpected(std::move(list.error()));
    list->sha256 = std::move(verified.sha256);
    list->key = std::move(verified.key);
    list->break_glass = verified.break_glass;
    facts.issuer = list->issuer;
    facts.audience = list->audience;
    facts.subject = list->subject;
    facts.seq = list->seq;
    facts.iat = list->iat;
    facts.exp = list->exp;
    if (auto fits = check_emergencies(*list, list->break_glass); !fits)
        return tl::unexpected(std::move(fits.error()));
    if (!list->break_glass)
        if (auto accounts = check_accounts(rules.issuers, *list, rules.trust); !accounts)
            return tl::unexpected(std::move(accounts.error()));
    return std::move(*list);
}

Judged<SignedDocument> judge_lease(VerifiedDocument& verified, const Rules& rules, DocumentFacts& facts) {
    auto lease = parse_lease(verified.payload);
    if (!lease) return tl::unexpected(std::move(lease.error()));
    lease->issuers = spoken_for(rules.issuers, lease->issuer, to_string(DocumentKind::presence), verified.key,
                                rules.trust);
    lease->sha256 = std::move(verified.sha256);
    lease->key = std::move(verified.key);
    facts.issuer = lease->issuer;
    facts.audience = lease->audience;
    facts.iat = lease->iat;
    facts.exp = lease->exp;
    facts.about = lease->approval;
    return std::move(*lease);
}

Judged<SignedDocument> judge_revocation(VerifiedDocument& verified, const Rules& rules,
                                        DocumentFacts& facts) {
    auto event = parse_revocation(verified.payload);
    if (!event) return tl::unexpected(std::move(event.error()));
    event->issuers = spoken_for(rules.issuers, event->issuer, to_string(DocumentKind::revocation),
                                verified.key, rules.trust);
    event->sha256 = std::move(verified.sha256);
    event->key = std::move(verified.key);
    facts.issuer = event->issuer;
    for (const std::string& audience : event->audience)
        facts.audience += (facts.audience.empty() ? "" : ",") + audience;
    facts.iat = event->iat;
    facts.about = event->session;
    return std::move(*event);
}

} // namespace

Judged<SignedDocument> judge_document(std::string_view file, const TrustSet& trust, const IssuerRules& rules,
                                      DocumentFacts& facts) {
    auto verified = verify_jws(file, trust);
    facts.sha256 = verified ? verified->sha256 : sha256_hex(document_bytes(file), trust.properties);
    if (!verified) return tl::unexpected(std::move(verified.error()));
    facts.typ = verified->typ;
    facts.key = verified->key;
    facts.break_glass = verified->break_glass;
    const auto kind = kind_of(verified->typ);
    if (!kind) return tl::unexpected(kind.error());
    if (verified->break_glass && *kind != DocumentKind::approvals)
        return refuse(RefusalCode::issuer_not_allowed,
                      "header.typ: a key of breakglass.d signs break-glass approvals alone");
    const auto iss = peek_string(verified->payload, "iss");
    if (iss) {
        facts.issuer = *iss;
        if (!verified->break_glass)
            if (auto issuer = check_issuer(rules, *iss, to_string(*kind), verified->key, trust); !issuer)
                return tl::unexpected(std::move(issuer.error()));
    }
    // Without a readable iss the parser says what is wrong.
    auto out = *kind == DocumentKind::approvals  ? judge_list(*verified, {trust, rules}, facts)
               : *kind == DocumentKind::presence ? judge_lease(*verified, {trust, rules}, facts)
                                                 : judge_revocation(*verified, {trust, rules}, facts);
    if (out && (!iss || *iss != facts.issuer))
        return refuse(RefusalCode::invalid, "iss: is not the one that was judged");
    return out;
}

} // namespace escort
