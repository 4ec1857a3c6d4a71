#include "core/candidates.h"

#include "core/escorting.h"
#include "core/proof.h"
#include "core/requirements.h"

#include <string_view>
#include <tuple>

namespace escort {

namespace {

// Smaller is better.
auto rank(const Weighed& weighed) {
    const ApprovalList& list = *weighed.candidate->list;
    return std::make_tuple(list.break_glass, !weighed.names_key, !weighed.names_source,
                           ~weighed.candidate->deadline_boot_ns, std::string_view(list.issuer),
                           std::string_view(weighed.candidate->approval->jti), ~list.seq,
                           std::string_view(list.audience), std::string_view(list.subject));
}

} // namespace

Findings weigh(const Case& one, bool explain) {
    Findings found(explain);
    check_denials(one, found);
    check_location(one, found);
    check_citizenship(one, found);
    check_screening(one, found);
    check_window(one, found);
    check_key(one, found);
    check_source(one, found);
    check_ticket(one, found);
    check_approvers(one, found);
    check_escort(one, found);
    check_sessions(one, found);
    check_duration(one, found);
    return found;
}

bool preferred(const Weighed& left, const Weighed& right) {
    return rank(left) < rank(right);
}

std::string why_preferred(const Weighed& left, const Weighed& right) {
    const auto a = rank(left);
    const auto b = rank(right);
    if (std::get<0>(a) != std::get<0>(b)) return "the other is an emergency's";
    if (std::get<1>(a) != std::get<1>(b)) return "it names the session's key";
    if (std::get<2>(a) != std::get<2>(b)) return "it names the session's address";
    if (std::get<3>(a) != std::get<3>(b)) return "it lasts longest";
    return "it is the first by name";
}

bool nearer(const std::vector<Reason>& left, const std::vector<Reason>& right) {
    if (left.empty() || right.empty()) return left.empty() && !right.empty();
    if (left.front() != right.front()) return left.front() > right.front();
    if (left.size() != right.size()) return left.size() < right.size();
    return left > right;
}

void sort_by_merit(std::vector<Weighed>& weighed) {
    std::sort(weighed.begin(), weighed.end(), [](const Weighed& left, const Weighed& right) {
        if (left.reasons != right.reasons) return nearer(left.reasons, right.reasons);
        return preferred(left, right);
    });
}

} // namespace escort
