#include "escortctl/published_name.h"

#include "approvals/document.h"
#include "approvals/jws.h"
#include "approvals/key.h"
#include "approvals/lease.h"
#include "approvals/revocation.h"
#include "core/ledger.h"
#include "feed/keys.h"

namespace escort::ctl {

namespace {

template <typename T>
Result<T> or_error(Judged<T> judged) {
    if (!judged) return fail("document", judged.error().text);
    return std::move(*judged);
}

Result<PublishedName> named(DocumentKind kind, const std::string& audience, const std::string& issuer,
                            const std::string& about, std::int64_t until) {
    if (key_of_audience(audience).empty()) return fail("document", "aud is neither host:ID nor group:NAME");
    PublishedName name;
    name.kind = to_string(kind);
    name.audience = audience;
    name.identity = sha256_hex(issuer + '\0' + about).substr(0, 16);
    name.until = until;
    return name;
}

} // namespace

std::string PublishedName::key() const {
    return key_of_audience(audience) + "." + kind + "." + identity;
}

Result<PublishedName> published_name(std::string_view document) {
    const auto unverified = or_error(read_jws_unverified(document));
    if (!unverified) return tl::unexpected(unverified.error());
    const auto kind = or_error(kind_of(unverified->typ));
    if (!kind) return tl::unexpected(kind.error());
    switch (*kind) {
    case DocumentKind::approvals: {
        const auto list = or_error(parse_approvals(unverified->payload));
        if (!list) return tl::unexpected(list.error());
        return named(*kind, list->audience, list->issuer, list->subject, list->exp);
    }
    case DocumentKind::presence: {
        const auto lease = or_error(parse_lease(unverified->payload));
        if (!lease) return tl::unexpected(lease.error());
        return named(*kind, lease->audience, lease->issuer, lease->approval, lease->exp);
    }
    case DocumentKind::revocation:
        break;
    }
    const auto event = or_error(parse_revocation(unverified->payload));
    if (!event) return tl::unexpected(event.error());
    if (event->audience.size() != 1)
        return fail("document", "aud must name one host or group to be published");
    return named(*kind, event->audience.front(), event->issuer, event->session,
                 event->iat + kRevokedUnknownFor);
}

} // namespace escort::ctl
