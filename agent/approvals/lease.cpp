#include "approvals/lease.h"

#include "approvals/claims.h"
#include "approvals/shapes.h"
#include "approvals/strict_json.h"
#include "core/presence.h"

namespace escort {

Judged<LeaseDocument> parse_lease(std::string_view payload) {
    const auto object = parse_strict(payload);
    if (!object) return tl::unexpected(refusal_of(object.error()));
    std::optional<Refusal> refusal;
    Claims claims(*object, "", refusal);
    LeaseDocument out;
    out.issuer = claims.text("iss", Need::required);
    out.audience = claims.text("aud", Need::required, shapes::audience);
    out.iat = claims.integer("iat", Need::required, 0).value_or(0);
    out.exp = claims.integer("exp", Need::required, 0).value_or(0);
    out.approval = claims.text("approval", Need::required);
    out.escort = claims.text("escort", Need::required);
    if (out.exp > out.iat + kLeaseLifetime) claims.refuse_claim("exp", "is more than 24 h after iat");
    claims.finish();
    if (refusal) return tl::unexpected(std::move(*refusal));
    return out;
}

std::string to_payload(const LeaseDocument& lease) {
    const nlohmann::ordered_json out{{"iss", lease.issuer},        {"aud", lease.audience},
                                     {"iat", lease.iat},           {"exp", lease.exp},
                                     {"approval", lease.approval}, {"escort", lease.escort}};
    return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace escort
