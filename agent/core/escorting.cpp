#include "core/escorting.h"

#include "base/contains.h"

namespace escort {

namespace {

constexpr const char* kRequired = "require.escort.required";

// required: {unless: ...}: does the engineer meet all of it? An `unless` that names nothing excuses nobody.
bool excused(const RequireEscort& require, const Engineer& engineer) {
    if (!require.has_unless) return false;
    if (require.unless_citizenship.empty() && require.unless_screening.empty()) return false;
    const auto& has = engineer.citizenship;
    if (!require.unless_citizenship.empty() &&
        (has.empty() || !std::all_of(has.begin(), has.end(), [&](const auto& country) {
             return contains(require.unless_citizenship, country);
         })))
        return false;
    return std::all_of(require.unless_screening.begin(), require.unless_screening.end(),
                       [&](const auto& word) { return contains(engineer.screening, word); });
}

// The lease of the approval's own escort; somebody else's is none.
const Lease* lease_of(const Case& one) {
    if (one.evidence.presence == nullptr) return nullptr;
    const Lease* lease = one.evidence.presence->find(one.candidate.id());
    if (lease == nullptr || lease->presence.escort != one.approval().escort->id) return nullptr;
    return lease;
}

// When the escort was last known to be there; a session's absence begins with it at the earliest. Not what
// until() says: that is 0 once the lease is over.
std::uint64_t away_since(const Case& one, const Lease* lease, const std::optional<std::int64_t>& limit) {
    if (lease == nullptr) return one.facts.opened_boot_ns;
    std::int64_t lasted = lease->presence.exp - lease->presence.iat; // 24 h at most
    if (limit) lasted = std::min(lasted, *limit);
    // A lease that ends presence (exp at or before iat) ended it when it was signed.
    const std::int64_t last =
        lease->iat_boot_ns + std::max<std::int64_t>(lasted, 0) * static_cast<std::int64_t>(kNsPerSecond);
    const auto known = last <= 0 ? 0 : static_cast<std::uint64_t>(last);
    return std::max(std::min(known, one.now.boot_ns), one.facts.opened_boot_ns);
}

void check_presence(const Case& one, Findings& found) {
    const RequireEscort& require = one.policy.require.escort;
    const std::string& escort = one.approval().escort->id;
    const Lease* lease = lease_of(one);
    const auto limit = require.lease ? std::optional(require.lease->value) : std::nullopt;
    const std::uint64_t until = lease == nullptr ? 0 : lease->until(limit);
    const Place& place = require.lease ? require.lease->place : require.required.place;
    const char* rule = require.lease ? "require.escort.lease" : kRequired;
    const bool freezes = require.absent.value == Absent::freeze;

    if (until > one.now.boot_ns) {
        found.pass(rule, place, [&] {
            return escort + " is present for " + std::to_string((until - one.now.boot_ns) / kNsPerSecond) +
                   " s more";
        });
        found.changes_at(until);
        if (!freezes) found.ends_at(until);
        if (freezes && require.grace) found.ends_at(seconds_after(until, require.grace->value));
        return;
    }
    const auto away = [&] { return lease == nullptr ? escort + " has no lease" : escort + " is away"; };
    if (!one.live() || !freezes) {
        found.fail(Reason::escort_absent, rule, place, away);
        return;
    }
    if (require.grace) {
        const std::uint64_t end = seconds_after(away_since(one, lease, limit), require.grace->value);
        if (end <= one.now.boot_ns) {
            found.fail(Reason::escort_absent, "require.escort.grace", require.grace->place, [&] {
                return away() + " for longer than " + std::to_string(require.grace->value) + " s";
            });
            return;
        }
        found.ends_at(end);
    }
    found.hold(Reason::escort_absent);
    found.skip(rule, place, [&] { return away() + ": the session stands still"; });
}

} // namespace

void check_escort(const Case& one, Findings& found) {
    const RequireEscort& require = one.policy.require.escort;
    if (!require.required.value && !require.has_unless) return;
    const Place& place = require.required.place;
    if (one.emergency()) {
        found.skip(kRequired, place, [] { return "break-glass needs none"; });
        return;
    }
    if (excused(require, one.engineer())) {
        found.pass(kRequired, place, [&] { return one.engineer().id + " needs none: meets `unless`"; });
        return;
    }
    const auto& escort = one.approval().escort;
    if (!escort || escort->id.empty()) {
        found.fail(Reason::escort_missing, kRequired, place, [] { return "the approval names no escort"; });
        return;
    }
    if (escort->id == one.engineer().id) {
        found.fail(Reason::escort_is_engineer, kRequired, place,
                   [&] { return escort->id + " is the engineer"; });
        return;
    }
    found.pass(kRequired, place, [&] { return "escort " + escort->id; });
    check_presence(one, found);
}

} // namespace escort
