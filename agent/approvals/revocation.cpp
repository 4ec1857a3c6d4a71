#include "approvals/revocation.h"

#include "approvals/claims.h"
#include "approvals/strict_json.h"

#include <algorithm>

namespace escort {

namespace {

constexpr std::size_t kBootDigits = 8; // of the boot id, before the dash

// RFC 9493 §3.2.4 (opaque) within a complex subject (OpenID SSF 1.0 §3.2).
void read_session(Claims& claims, RevocationDocument& out) {
    if (claims.text("format", Need::required) != "opaque") claims.refuse_claim("format", "must be opaque");
    out.session = claims.text("id", Need::required);
}

void read_subject(Claims& claims, RevocationDocument& out) {
    if (claims.text("format", Need::required) != "complex") claims.refuse_claim("format", "must be complex");
    claims.object("session", Need::required, [&](Claims& inner) { read_session(inner, out); });
}

} // namespace

Judged<RevocationDocument> parse_revocation(std::string_view payload) {
    const auto object = parse_strict(payload);
    if (!object) return tl::unexpected(refusal_of(object.error()));
    std::optional<Refusal> refusal;
    Claims claims(*object, "", refusal);
    RevocationDocument out;
    out.issuer = claims.text("iss", Need::required);
    out.jti = claims.text("jti", Need::required);
    out.iat = claims.integer("iat", Need::required, 0).value_or(0);
    out.audience = claims.text_or_texts("aud");
    if (object->contains("aud") && out.audience.empty()) claims.refuse_claim("aud", "is empty");
    // Events of other types may stand beside it; it holds all the same. What it holds itself is for people.
    claims.object(
        "events", Need::required,
        [&](Claims& inner) {
            inner.object(
                kSessionRevoked, Need::required, [](Claims&) {}, Others::ignored);
        },
        Others::ignored);
    claims.object(
        "sub_id", Need::required, [&](Claims& inner) { read_subject(inner, out); }, Others::ignored);
    if (refusal) return tl::unexpected(std::move(*refusal));
    return out;
}

std::string to_payload(const RevocationDocument& revocation) {
    using nlohmann::ordered_json;
    ordered_json out{{"iss", revocation.issuer}, {"jti", revocation.jti}, {"iat", revocation.iat}};
    if (revocation.audience.size() == 1)
        out["aud"] = revocation.audience[0];
    else if (!revocation.audience.empty())
        out["aud"] = revocation.audience;
    out["sub_id"] = {{"format", "complex"}, {"session", {{"format", "opaque"}, {"id", revocation.session}}}};
    out["events"][kSessionRevoked] = ordered_json::object();
    return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

bool is_session_id(std::string_view text) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto hex = [&](char c) { return digit(c) || (c >= 'a' && c <= 'f'); };
    if (text.size() <= kBootDigits + 1 || text[kBootDigits] != '-') return false;
    const std::string_view number = text.substr(kBootDigits + 1);
    return std::all_of(text.begin(), text.begin() + kBootDigits, hex) &&
           std::all_of(number.begin(), number.end(), digit);
}

} // namespace escort
