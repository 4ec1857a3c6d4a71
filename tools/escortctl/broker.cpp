#include "escortctl/broker.h"

#include "approvals/document.h"

#include <algorithm>

namespace escort::ctl {

namespace {

constexpr std::int64_t kShortestList = 300; // seconds

// Everything but iat-dependent ends: seq grows by one; the first of a host starts at the clock, so that it is
// higher than what a daemon may remember of a list that is long gone.
ApprovalList next_list(const std::optional<ApprovalList>& last, const std::string& host_id,
                       std::int64_t now) {
    ApprovalList next;
    next.issuer = local_issuer(host_id);
    next.audience = "host:" + host_id;
    next.subject = kLocalSubject;
    next.iat = now;
    next.seq = last ? last->seq + 1 : static_cast<std::uint64_t>(now);
    if (last)
        std::copy_if(last->approvals.begin(), last->approvals.end(), std::back_inserter(next.approvals),
                     [&](const Approval& approval) { return approval.exp > now; });
    return next;
}

void set_expiry(ApprovalList& list) {
    std::int64_t last = 0;
    for (const Approval& approval : list.approvals)
        last = std::max(last, approval.exp);
    list.exp = list_expiry(list.iat, last);
}

} // namespace

std::string local_issuer(const std::string& host_id) {
    return "escortctl:" + host_id;
}

std::int64_t list_expiry(std::int64_t now, std::int64_t last_exp) {
    return std::clamp(last_exp, now + kShortestList, now + kListLifetime);
}

Result<ApprovalList> with_approval(const std::optional<ApprovalList>& last, const std::string& host_id,
                                   Approval approval, std::int64_t now) {
    if (approval.exp > now + kListLifetime)
        return fail(
            "approve",
            "the approval would end more than 24 h from now, and a list of approvals lives 24 h at most",
            "Approve for less; before it ends, approve again.");
    if (approval.exp <= now) return fail("approve", "the approval's window is past already");
    ApprovalList next = next_list(last, host_id, now);
    next.approvals.push_back(std::move(approval));
    set_expiry(next);
    return next;
}

Result<ApprovalList> without_approval(const std::optional<ApprovalList>& last, const std::string& host_id,
                                      const std::string& jti, std::int64_t now) {
    const auto named = [&](const Approval& approval) { return approval.jti == jti; };
    if (!last || std::none_of(last->approvals.begin(), last->approvals.end(), named))
        return fail("revoke", "this host's own list has no approval " + jti,
                    "See 'escortctl approvals'; one of another issuer is revoked at its broker.");
    ApprovalList next = next_list(last, host_id, now);
    std::erase_if(next.approvals, named);
    next.revoked.push_back(jti);
    set_expiry(next);
    return next;
}

} // namespace escort::ctl
