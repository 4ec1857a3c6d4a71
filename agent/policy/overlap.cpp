#include "policy/overlap.h"

#include "policy/names.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>

namespace escort {

namespace {

void check_names(const PolicySet& set, Diagnostics& out) {
    std::map<std::string, Place> seen;
    for (const auto& policy : set.policies) {
        const auto [earlier, fresh] = seen.emplace(policy.name, policy.place);
        if (!fresh)
            out.push_back({Severity::error, policy.place,
                           fmt::format("policy \"{}\" is also in {}", policy.name, earlier->second.text())});
    }
}

// Reports where a running total first passes `most`.
void count(std::uint64_t& total, std::uint64_t more, std::uint64_t most, const Place& place, const char* what,
           Diagnostics& out) {
    const bool before = total <= most;
    total += more;
    if (before && total > most)
        out.push_back(
            {Severity::error, place, fmt::format("all policies together hold more than {} {}", most, what)});
}

void check_counts(const PolicySet& set, Diagnostics& out) {
    std::uint64_t uids = 0;
    std::uint64_t names = 0;
    std::uint64_t units = 0;
    std::uint64_t programs = 0;
    std::uint64_t exempt = 0;
    std::set<std::string> exempt_names;
    for (const auto& policy : set.policies) {
        for (const auto& range : policy.principals.uids)
            count(uids, std::uint64_t{range.value.last} - range.value.first + 1, kPrincipalUids, range.place,
                  "uids in principals.uids", out);
        for (const auto* list : {&policy.principals.users, &policy.principals.groups})
            for (const auto& name : *list)
                count(names, 1, kPrincipalNames, name.place, "users and groups", out);
        for (const auto& unit : policy.principals.units) {
            count(units, 1, kPrincipalUnits, unit.place, "units in principals.units", out);
            count(programs, unit.may_run.size(), kUnitPrograms, unit.place, "programs in may_run", out);
        }
        for (const auto& one : policy.exempt)
            if (exempt_names.insert(one.unit).second)
                count(exempt, 1, kExemptUnits, one.place, "units in exempt", out);
    }
}

// Which of two policies governs what both name.
const Policy& governing(const Policy& earlier, const Policy& later) {
    const bool beats = later.mode.value == Mode::enforce && earlier.mode.value == Mode::observe;
    return beats ? later : earlier;
}

void warn_twice(const std::string& what, const Policy& earlier, const Place& earlier_place,
                const Policy& later, const Place& later_place, Diagnostics& out) {
    out.push_back(
        {Severity::warning, later_place,
         fmt::format("{} is also named by policy \"{}\" in {}", what, earlier.name, earlier_place.text()),
         fmt::format("policy \"{}\" governs it", governing(earlier, later).name)});
}

std::optional<std::string> shared_user(const std::string& one, const std::string& other) {
    if (one == other) return (is_glob(one) ? "pattern \"" : "account \"") + one + "\"";
    if (is_glob(one) == is_glob(other)) return std::nullopt; // whether two patterns meet isn't told
    const std::string& pattern = is_glob(one) ? one : other;
    const std::string& name = is_glob(one) ? other : one;
    if (!glob_matches(pattern, name)) return std::nullopt;
    return "account \"" + name + "\"";
}

std::optional<std::string> shared_group(const std::string& one, const std::string& other) {
    if (one != other) return std::nullopt;
    return "group \"" + one + "\"";
}

std::optional<std::string> shared_uids(const UidRange& one, const UidRange& other) {
    const auto first = std::max(one.first, other.first);
    const auto last = std::min(one.last, other.last);
    if (first > last) return std::nullopt;
    return first == last ? fmt::format("uid {}", first) : fmt::format("uids {}-{}", first, last);
}

// Warns of each item of `list` that meets one of an earlier policy: of the first such one only.
template <typename T>
void warn_of_shared(const PolicySet& set, std::vector<Placed<T>> Principals::*list,
                    std::optional<std::string> (*shared)(const T&, const T&), Diagnostics& out) {
    const auto warn_of_first = [&](std::size_t later, const Placed<T>& item) {
        for (std::size_t earlier = 0; earlier < later; ++earlier) {
            const Policy& policy = set.policies[earlier];
            for (const auto& one : policy.principals.*list) {
                const auto what = shared(one.value, item.value);
                if (what) return warn_twice(*what, policy, one.place, set.policies[later], item.place, out);
            }
        }
    };
    for (std::size_t later = 1; later < set.policies.size(); ++later)
        for (const auto& item : set.policies[later].principals.*list)
            warn_of_first(later, item);
}

// The same of units. One policy may not say two things of a unit.
void check_units(const PolicySet& set, Diagnostics& out) {
    std::map<std::string, std::pair<const Policy*, const UnitPrincipal*>> seen;
    for (const auto& policy : set.policies) {
        for (const auto& unit : policy.principals.units) {
            const auto [at, fresh] = seen.emplace(unit.name, std::pair(&policy, &unit));
            if (fresh) continue;
            const auto& [earlier, place] = at->second;
            const std::string what = "unit \"" + unit.name + "\"";
            if (earlier == &policy) {
                out.push_back({Severity::error, unit.place,
                               fmt::format("{} is also in {}", what, place->place.text())});
            } else {
                warn_twice(what, *earlier, place->place, policy, unit.place, out);
            }
        }
    }
}

} // namespace

void check_overlap(const PolicySet& set, Diagnostics& out) {
    check_names(set, out);
    check_counts(set, out);
    check_units(set, out);
    if (has_errors(out)) return;
    warn_of_shared(set, &Principals::users, shared_user, out);
    warn_of_shared(set, &Principals::groups, shared_group, out);
    warn_of_shared(set, &Principals::uids, shared_uids, out);
}

} // namespace escort
