#include "approvals/document.h"

#include "approvals/claims.h"
#include "approvals/shapes.h"
#include "approvals/strict_json.h"

#include <limits>
#include <unordered_set>

namespace escort {

namespace {

using nlohmann::json;

// All three or none: a place that nobody asserts, or at no known time, proves nothing.
Location read_location(Claims& claims) {
    Location out;
    out.country = claims.text("country", Need::required, shapes::country);
    out.asserted_by = claims.text("asserted_by", Need::required);
    out.at = claims.integer("at", Need::required, 0).value_or(0);
    return out;
}

Engineer read_engineer(Claims& claims) {
    Engineer out;
    out.id = claims.text("id", Need::required);
    out.name = claims.text_or_empty("name");
    out.employer = claims.text_or_empty("employer");
    out.citizenship = claims.texts("citizenship", shapes::country);
    out.screening = claims.texts("screening");
    claims.object("location", Need::optional, [&](Claims& inner) { out.location = read_location(inner); });
    return out;
}

Escort read_escort(Claims& claims) {
    Escort out;
    out.id = claims.text("id", Need::required);
    out.citizenship = claims.texts("citizenship", shapes::country);
    out.screening = claims.texts("screening");
    return out;
}

void check_approval(Claims& claims, const Approval& approval) {
    if (approval.account.empty() == approval.unit.empty())
        claims.refuse_claim("account", approval.account.empty() ? "is missing, and no unit is named either"
                                                                : "stands beside a unit: name one of them");
    if (approval.nbf >= approval.exp) claims.refuse_claim("exp", "must be after nbf");
}

Approval read_approval(Claims& claims) {
    Approval out;
    out.jti = claims.text("jti", Need::required);
    out.account = claims.text("account", Need::optional);
    out.unit = claims.text("unit", Need::optional);
    out.nbf = claims.integer("nbf", Need::required, 0).value_or(0);
    out.exp = claims.integer("exp", Need::required, 0).value_or(0);
    claims.object("engineer", Need::required, [&](Claims& inner) { out.engineer = read_engineer(inner); });
    claims.object("escort", Need::optional, [&](Claims& inner) { out.escort = read_escort(inner); });
    claims.object("ticket", Need::optional, [&](Claims& inner) {
        out.ticket = Ticket{inner.text_or_empty("system"), inner.text("id", Need::required)};
    });
    out.approvers = claims.texts("approvers");
    out.source = claims.texts("source", shapes::cidr);
    claims.object("ssh", Need::optional, [&](Claims& inner) {
        out.ssh = {inner.texts("fingerprints", shapes::fingerprint), inner.texts("key_ids")};
    });
    out.also = claims.texts("also");
    if (const auto sessions =
            claims.integer("max_sessions", Need::optional, 1, std::numeric_limits<std::uint32_t>::max()))
        out.max_sessions = static_cast<std::uint32_t>(*sessions);
    out.max_duration = claims.integer("max_duration", Need::optional, 1);
    claims.object("emergency", Need::optional, [&](Claims& inner) {
        out.emergency =
            Emergency{inner.text("authority", Need::required), inner.text("reason", Need::required)};
    });
    check_approval(claims, out);
    claims.finish();
    return out;
}

void read_list(Claims& claims, ApprovalList& out) {
    out.issuer = claims.text("iss", Need::required);
    out.audience = claims.text("aud", Need::required, shapes::audience);
    out.subject = claims.text_or_empty("sub");
    out.iat = claims.integer("iat", Need::required, 0).value_or(0);
    out.exp = claims.integer("exp", Need::required, 0).value_or(0);
    out.seq = static_cast<std::uint64_t>(claims.integer("seq", Need::required, 0).value_or(0));
    out.revoked = claims.texts("revoked");
    claims.list("approvals");
    if (out.exp <= out.iat) claims.refuse_claim("exp", "must be after iat");
    if (out.exp - out.iat > kListLifetime) claims.refuse_claim("exp", "is more than 24 h after iat");
    claims.finish();
}

// How many approvals to make room for, so that none is moved while the list grows. A guess, bounded.
std::size_t likely_approvals(std::string_view payload) {
    constexpr std::string_view kEach = "\"jti\"";
    std::size_t count = 0;
    for (std::size_t at = 0;
         count < kApprovalsLimit && (at = payload.find(kEach, at)) != std::string_view::npos;
         at += kEach.size())
        ++count;
    return count;
}

} // namespace

const char* to_string(DocumentKind kind) {
    switch (kind) {
    case DocumentKind::approvals:
        return "approvals";
    case DocumentKind::presence:
        return "presence";
    case DocumentKind::revocation:
        return "revocation";
    }
    return "";
}

const char* type_of(DocumentKind kind) {
    switch (kind) {
    case DocumentKind::approvals:
        return kApprovalsType;
    case DocumentKind::presence:
        return kPresenceType;
    case DocumentKind::revocation:
        return kRevocationType;
    }
    return "";
}

Judged<DocumentKind> kind_of(const std::string& typ) {
    for (const auto kind : {DocumentKind::approvals, DocumentKind::presence, DocumentKind::revocation})
        if (typ == type_of(kind)) return kind;
    return refuse(RefusalCode::unsupported, "header.typ: '" + typ + "' is unknown");
}

Judged<void> check_emergencies(const ApprovalList& list, bool break_glass_key) {
    const auto invalid = [](std::string text) { return refuse(RefusalCode::invalid, std::move(text)); };
    for (std::size_t i = 0; i < list.approvals.size(); ++i) {
        const Approval& approval = list.approvals[i];
        const std::string path = "approvals[" + std::to_string(i) + "].";
        if (approval.emergency && !break_glass_key)
            return invalid(path + "emergency: is for the keys of breakglass.d alone");
        if (!break_glass_key) continue;
        if (!approval.emergency)
            return invalid(path + "emergency: is missing: a key of breakglass.d signs nothing else");
        if (approval.exp > list.iat + kBreakGlassLifetime)
            return invalid(path + "exp: is more than 4 h after the list's iat");
    }
    if (!break_glass_key) return {};
    if (!list.audience.starts_with("host:")) return invalid("aud: must be one host, for break-glass");
    if (list.exp - list.iat > kBreakGlassLifetime)
        return invalid("exp: is more than 4 h after iat, for break-glass");
    if (!list.revoked.empty()) return invalid("revoked: a break-glass list carries none");
    return {};
}

Judged<ApprovalList> parse_approvals(std::string_view payload) {
    ApprovalList list;
    std::optional<Refusal> refusal;
    std::unordered_set<std::string> jtis;
    const auto one_approval = [&](std::size_t index, const json& element) -> Status {
        const std::string path = "approvals[" + std::to_string(index) + "]";
        if (!element.is_object()) return fail(path, "must be an object");
        Claims claims(element, path, refusal);
        Approval approval = read_approval(claims);
        if (!refusal && !jtis.insert(approval.jti).second)
            claims.refuse_claim("jti", "'" + approval.jti + "' is there twice");
        if (refusal) return fail("", refusal->text);
        list.approvals.push_back(std::move(approval));
        return {};
    };
    list.approvals.reserve(likely_approvals(payload));
    JsonRules rules;
    rules.streamed = "approvals";
    rules.streamed_entries = kApprovalsLimit;
    const auto claims_json = parse_strict(payload, rules, one_approval);
    if (refusal) return tl::unexpected(std::move(*refusal));
    if (!claims_json) return tl::unexpected(refusal_of(claims_json.error()));
    Claims claims(*claims_json, "", refusal);
    read_list(claims, list);
    if (refusal) return tl::unexpected(std::move(*refusal));
    return list;
}

} // namespace escort
