#include "core/requirements.h"

#include "base/contains.h"
#include "core/pattern.h"

#include <limits>
#include <set>

namespace escort {

namespace {

bool holds_all(const std::vector<std::string>& list, const std::vector<std::string>& words) {
    return std::all_of(words.begin(), words.end(), [&](const auto& word) { return contains(list, word); });
}

bool holds_any(const std::vector<std::string>& list, const std::vector<std::string>& words) {
    return std::any_of(words.begin(), words.end(), [&](const auto& word) { return contains(list, word); });
}

std::string asked(const std::string& has, const std::vector<std::string>& list) {
    return has + "; asked: " + text_of(list);
}

// How long the place holds: asserted at `at`, for `max_age`. Asserted in the future it is of no use, or a
// broker's wrong clock would make it last.
void check_age(const Case& one, const Location& location, Findings& found) {
    const auto& max_age = *one.policy.require.engineer.location_max_age;
    constexpr auto kLatest = std::numeric_limits<std::int64_t>::max();
    const std::int64_t until =
        location.at > 0 && max_age.value > kLatest - location.at ? kLatest : location.at + max_age.value;
    const bool ahead = location.at > one.now.trusted + kClockSkew;
    const bool fresh = one.now.trusted < until && !ahead;
    found.check(fresh, Reason::location_stale, "require.engineer.location.max_age", max_age.place, [&] {
        const std::string limit = "; asked: at most " + std::to_string(max_age.value) + " s";
        if (ahead) return "asserted " + std::to_string(location.at - one.now.trusted) + " s ahead" + limit;
        return "asserted " + std::to_string(one.now.trusted - location.at) + " s ago" + limit;
    });
    if (fresh) found.ends_at(one.now.boot_at(until));
}

} // namespace

void check_denials(const Case& one, Findings& found) {
    const Denials* denials = one.evidence.denials;
    if (denials == nullptr || !denials->hits(one.approval())) return;
    found.fail(Reason::denied_locally, "deny", one, [&] {
        return denials->approvals.contains(one.approval().jti)
                   ? "the approval is denied on this host"
                   : "engineer " + one.engineer().id + " is denied on this host";
    });
}

void check_location(const Case& one, Findings& found) {
    const RequireEngineer& require = one.policy.require.engineer;
    const auto& allow = require.country.allow;
    const auto& deny = require.country.deny;
    const auto& location = one.engineer().location;
    if (!location || location->country.empty()) {
        const auto missing = [] { return "the approval says no place"; };
        if (allow)
            found.fail(Reason::location_denied, "require.engineer.location.allow", allow->place, missing);
        if (deny) found.fail(Reason::location_denied, "require.engineer.location.deny", deny->place, missing);
        if (!location) {
            if (require.location_asserted_by)
                found.fail(Reason::location_denied, "require.engineer.location.asserted_by",
                           require.location_asserted_by->place, missing);
            if (require.location_max_age)
                found.fail(Reason::location_stale, "require.engineer.location.max_age",
                           require.location_max_age->place, missing);
            return;
        }
    } else {
        if (allow)
            found.check(contains(allow->value, location->country), Reason::location_denied,
                        "require.engineer.location.allow", allow->place,
                        [&] { return asked("in " + location->country, allow->value); });
        if (deny)
            found.check(!contains(deny->value, location->country), Reason::location_denied,
                        "require.engineer.location.deny", deny->place,
                        [&] { return "in " + location->country + "; denied: " + text_of(deny->value); });
    }
    if (const auto& by = require.location_asserted_by)
        found.check(contains(by->value, location->asserted_by), Reason::location_denied,
                    "require.engineer.location.asserted_by", by->place,
                    [&] { return asked("asserted by " + location->asserted_by, by->value); });
    if (require.location_max_age) check_age(one, *location, found);
}

void check_citizenship(const Case& one, Findings& found) {
    const AllowDeny& require = one.policy.require.engineer.citizenship;
    const auto& has = one.engineer().citizenship;
    if (const auto& allow = require.allow)
        found.check(!has.empty() && holds_all(allow->value, has), Reason::citizenship_denied,
                    "require.engineer.citizenship.allow", allow->place,
                    [&] { return asked("citizen of " + text_of(has), allow->value); });
    if (const auto& deny = require.deny)
        found.check(!holds_any(deny->value, has), Reason::citizenship_denied,
                    "require.engineer.citizenship.deny", deny->place,
                    [&] { return "citizen of " + text_of(has) + "; denied: " + text_of(deny->value); });
}

void check_screening(const Case& one, Findings& found) {
    const auto& require = one.policy.require.engineer.screening;
    if (!require) return;
    const auto& has = one.engineer().screening;
    found.check(holds_all(has, require->value), Reason::screening_missing, "require.engineer.screening",
                require->place, [&] { return asked("screened: " + text_of(has), require->value); });
}

void check_window(const Case& one, Findings& found) {
    const Candidate& candidate = one.candidate;
    const auto seconds = [&](std::int64_t from, std::int64_t to) { return std::to_string(to - from) + " s"; };
    if (candidate.revoked) found.fail(Reason::revoked, "revoked", one, [] { return "revoked or withdrawn"; });
    if (candidate.expired)
        found.fail(Reason::expired, "window", one,
                   [&] { return "over since " + seconds(one.approval().exp, one.now.trusted); });
    if (candidate.not_yet_valid && !one.live()) // a live session's has begun, whatever the clock says now
        found.fail(Reason::not_yet_valid, "window", one,
                   [&] { return "begins in " + seconds(one.now.trusted, one.approval().nbf); });
    // A live session outlasts its list by stale_grace; a new one doesn't.
    const std::uint64_t until = candidate.deadline_live_boot_ns;
    const bool stale = one.live() ? !candidate.expired && until <= one.now.boot_ns : candidate.list_stale;
    if (stale)
        found.fail(Reason::list_stale, "list", one, [&] {
            return "the list's exp is over since " + seconds(candidate.list->exp, one.now.trusted);
        });
    if (!candidate.expired && !candidate.not_yet_valid && !stale)
        found.pass("window", one, [&] { return "open for " + seconds(one.now.trusted, one.approval().exp); });
    found.ends_at(until);
}

void check_ticket(const Case& one, Findings& found) {
    const auto& require = one.policy.require.ticket;
    if (!require) return;
    if (one.emergency()) {
        found.skip("require.ticket", require->place, [] { return "break-glass needs none"; });
        return;
    }
    const auto& ticket = one.approval().ticket;
    const auto matches = [&] {
        const Patterns* patterns = one.evidence.patterns;
        if (const Pattern* known = patterns == nullptr ? nullptr : patterns->find(require->value))
            return known->matches(ticket->id);
        const auto compiled = Pattern::compile(require->value);
        return compiled && compiled->matches(ticket->id);
    };
    found.check(ticket && matches(), Reason::ticket_invalid, "require.ticket", require->place, [&] {
        return (ticket ? "ticket " + ticket->id : std::string("no ticket")) + "; asked: " + require->value;
    });
}

void check_approvers(const Case& one, Findings& found) {
    const auto& require = one.policy.require.approvers_min;
    if (!require) return;
    if (one.emergency()) {
        found.skip("require.approvers.min", require->place, [] { return "break-glass needs none"; });
        return;
    }
    std::set<std::string> count(one.approval().approvers.begin(), one.approval().approvers.end());
    count.erase("");
    count.erase(one.engineer().id);
    if (one.approval().escort) count.erase(one.approval().escort->id);
    found.check(count.size() >= require->value, Reason::approver_invalid, "require.approvers.min",
                require->place, [&] {
                    return text_of(std::vector<std::string>(count.begin(), count.end())) +
                           " beside engineer and escort; asked: " + std::to_string(require->value);
                });
}

} // namespace escort
