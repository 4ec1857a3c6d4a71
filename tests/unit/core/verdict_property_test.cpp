// What must hold of every verdict, over random worlds: an approval covers all that is asked at that instant,
// fewer facts never make it better, the times it names are right, and the order of candidates means nothing.
#include "core/cidr.h"
#include "core/random_world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <regex>

using namespace escort;
using random_world::Maker;
using random_world::World;

namespace {

constexpr std::uint64_t kSeed = 20'260'101;
constexpr int kCases = 20'000;

using Words = std::vector<std::string>;

bool in(const Words& list, const std::string& word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}
bool all_in(const Words& list, const Words& words) {
    return std::all_of(words.begin(), words.end(), [&](const auto& word) { return in(list, word); });
}
bool address_in(const std::optional<std::string>& address, const Words& networks) {
    return address && in_any(*parse_ip(*address), networks);
}

// The contract's §3 and §4 once more, as one plain yes or no, written without a look at the engine.
bool engineer_covers(const RequireEngineer& require, const Engineer& engineer, const Moment& now) {
    const auto& place = engineer.location;
    const auto& [allow, deny] = require.country;
    if ((allow || deny || require.location_max_age || require.location_asserted_by) && !place) return false;
    if (allow && !in(allow->value, place->country)) return false;
    if (deny && in(deny->value, place->country)) return false;
    if (require.location_asserted_by && !in(require.location_asserted_by->value, place->asserted_by))
        return false;
    if (require.location_max_age &&
        (now.trusted - place->at >= require.location_max_age->value || place->at - now.trusted > 60))
        return false;
    const auto& has = engineer.citizenship;
    if (const auto& list = require.citizenship.allow; list && (has.empty() || !all_in(list->value, has)))
        return false;
    if (const auto& list = require.citizenship.deny)
        for (const auto& country : has)
            if (in(list->value, country)) return false;
    return !require.screening || all_in(engineer.screening, require.screening->value);
}

bool escort_covers(const RequireEscort& require, const Candidate& candidate, const World& world,
                   const Moment& now) {
    if (!require.required.value) return true;
    const Engineer& engineer = candidate.approval->engineer;
    const bool asks = !require.unless_citizenship.empty() || !require.unless_screening.empty();
    const bool citizen =
        require.unless_citizenship.empty() ||
        (!engineer.citizenship.empty() && all_in(require.unless_citizenship, engineer.citizenship));
    if (asks && citizen && all_in(engineer.screening, require.unless_screening)) return true;
    const auto& escort = candidate.approval->escort;
    if (!escort || escort->id == engineer.id) return false;
    const Lease* lease = world.presence.find(candidate.id());
    if (lease == nullptr || lease->presence.escort != escort->id) return false;
    if (lease->presence.exp <= now.trusted) return false;
    return !require.lease || lease->presence.iat + require.lease->value > now.trusted;
}

bool proof_covers(const Requirements& require, const Approval& approval, const SessionFacts& facts) {
    const bool names_key = !approval.ssh.fingerprints.empty() || !approval.ssh.key_ids.empty();
    const bool known = facts.key || facts.key_id;
    const bool matches = (facts.key && in(approval.ssh.fingerprints, *facts.key)) ||
                         (facts.key_id && in(approval.ssh.key_ids, *facts.key_id));
    if (names_key && known && !matches) return false;
    if (require.bind_ssh_key && (!names_key || (!known && !facts.key_later))) return false;
    if (require.bind_source && (approval.source.empty() || !facts.source)) return false;
    if (require.source && require.source->value.empty()) return false;
    if (!facts.source) return true;
    if (require.source && !address_in(facts.source, require.source->value)) return false;
    return approval.source.empty() || address_in(facts.source, approval.source);
}

bool covers(const Candidate& candidate, const World& world, const SessionFacts& facts, const Moment& now) {
    const Requirements& require = world.policy.require;
    const Approval& approval = *candidate.approval;
    const bool emergency = candidate.list->break_glass;
    if (world.denials.accounts.contains(facts.account) || world.denials.hits(approval)) return false;
    if (emergency && !world.policy.break_glass.value) return false;
    if (world.ledger->memory().revoked.contains(candidate.id())) return false;
    if (now.trusted >= approval.exp || now.trusted < approval.nbf - 60) return false;
    if (now.trusted >= candidate.list->exp + 60) return false;
    if (!require.entries.value.contains(facts.entry)) return false;
    if (require.admission.value == Admission::gate && !facts.gated) return false;
    if (!engineer_covers(require.engineer, approval.engineer, now)) return false;
    if (!proof_covers(require, approval, facts)) return false;
    if (!emergency) {
        if (require.ticket &&
            (!approval.ticket || !std::regex_match(approval.ticket->id, std::regex(require.ticket->value))))
            return false;
        std::set<std::string> others(approval.approvers.begin(), approval.approvers.end());
        others.erase(approval.engineer.id);
        if (approval.escort) others.erase(approval.escort->id);
        if (require.approvers_min && others.size() < require.approvers_min->value) return false;
        if (!escort_covers(require.escort, candidate, world, now)) return false;
    }
    const auto used = world.sessions.find(candidate.id());
    const std::uint32_t sessions = used == world.sessions.end() ? 0 : used->second;
    if (require.max_sessions && sessions >= require.max_sessions->value) return false;
    if (approval.max_sessions && sessions >= *approval.max_sessions) return false;
    const auto age = static_cast<std::int64_t>((now.boot_ns - facts.opened_boot_ns) / kNsPerSecond);
    if (require.max_duration && age >= require.max_duration->value) return false;
    if (approval.max_duration && age >= *approval.max_duration) return false;
    return !require.idle_timeout ||
           facts.idle_ns < static_cast<std::uint64_t>(require.idle_timeout->value) * kNsPerSecond;
}

bool approved(const Verdict& verdict) {
    return verdict.ruling == Ruling::approved;
}

} // namespace

TEST_CASE("verdict property: approved where an approval covers every required field, and nowhere else") {
    Maker maker(kSeed);
    int count = 0;
    for (int i = 0; i < kCases; ++i) {
        const auto world = maker.world();
        const auto verdict = world->judge(world->facts, world->now);
        const auto candidates = world->ledger->candidates(random_world::kAccount, world->now);
        bool any = false, chosen = false;
        for (const auto& candidate : candidates) {
            const bool fits = covers(candidate, *world, world->facts, world->now);
            any = any || fits;
            if (fits && verdict.approval && candidate.id() == *verdict.approval) chosen = true;
        }
        if (approved(verdict) != any || chosen != any) {
            CAPTURE(i);
            CAPTURE(join(verdict.reasons));
            CHECK(approved(verdict) == any);
            CHECK(chosen == any);
        }
        if (any) ++count;
        if (any && window_until(world->policy, world->evidence(world->now), world->now) <= world->now.boot_ns)
            FAIL_CHECK("case ", i, ": approved while the kernel's window is shut");
    }
    CHECK(count > kCases / 20);
    CHECK(count < kCases / 2);
}

TEST_CASE("verdict property: fewer facts never make a verdict better") {
    Maker maker(kSeed + 1);
    for (int i = 0; i < kCases; ++i) {
        const auto world = maker.world();
        SessionFacts fewer = world->facts;
        if (maker.one_in(2)) fewer.source.reset();
        if (maker.one_in(2)) fewer.key.reset();
        if (maker.one_in(2)) fewer.key_id.reset();
        if (maker.one_in(2)) fewer.gated = false;
        if (maker.one_in(2)) fewer.key_later = false;
        const PresenceBook present = world->presence;
        if (maker.one_in(4)) world->presence = {};
        const Verdict less = world->judge(fewer, world->now);
        if (!approved(less)) continue;
        // The same approval, by all that was known.
        world->presence = present;
        Evidence evidence = world->evidence(world->now);
        std::erase_if(evidence.candidates, [&](const auto& one) { return one.id() != *less.approval; });
        const Verdict full = judge(world->policy, world->facts, evidence, false, world->now);
        if (approved(full)) continue;
        // What is known and wrong speaks against an approval though it need not be proven: that alone.
        const auto wrong = [](Reason r) { return r == Reason::key_mismatch || r == Reason::source_mismatch; };
        if (!std::all_of(full.reasons.begin(), full.reasons.end(), wrong))
            FAIL_CHECK("case ", i, ": ", join(full.reasons));
        const Requirements& require = world->policy.require;
        for (const Reason reason : full.reasons)
            if (reason == Reason::key_mismatch ? require.bind_ssh_key && !fewer.key_later
                                               : require.bind_source.has_value())
                FAIL_CHECK("case ", i, ": a bound field need not be proven");
    }
}

TEST_CASE("verdict property: nothing changes by time alone before recheck, and the deadline ends it") {
    Maker maker(kSeed + 2);
    int deadlines = 0, holds = 0;
    for (int i = 0; i < kCases; ++i) {
        const auto world = maker.world();
        const Verdict first = world->judge(world->facts, world->now);
        if (!approved(first)) continue;
        SessionFacts live = world->facts;
        live.approval = first.approval;
        live.key_later = false;
        if (!live.key && !live.key_id && world->policy.require.bind_ssh_key) continue; // proven in between
        const Verdict begun = world->judge(live, world->now);
        CHECK(approved(begun));
        CHECK(begun.deadline_boot_ns > world->now.boot_ns);
        CHECK(begun.recheck_boot_ns <= begun.deadline_boot_ns);
        const auto until = [&](std::uint64_t boot_ns) { // idle all the while
            SessionFacts then = live;
            then.idle_ns += boot_ns - world->now.boot_ns;
            return world->judge(then, world->later(boot_ns));
        };
        const Verdict same = until(begun.recheck_boot_ns - 1);
        if (!approved(same) || same.hold != begun.hold)
            FAIL_CHECK("case ", i, ": before recheck ", join(same.reasons));
        if (begun.recheck_boot_ns < begun.deadline_boot_ns) {
            const Verdict changed = until(begun.recheck_boot_ns);
            if (approved(changed) && changed.hold == begun.hold)
                FAIL_CHECK("case ", i, ": no change at recheck");
            if (changed.held_for) ++holds;
        }
        ++deadlines;
        if (const auto end = until(begun.deadline_boot_ns); approved(end))
            FAIL_CHECK("case ", i, ": approved at its deadline");
    }
    CHECK(deadlines > kCases / 20);
    CHECK(holds > 10);
}

TEST_CASE("verdict property: the order of what is offered means nothing, nor whether it is explained") {
    Maker maker(kSeed + 3);
    for (int i = 0; i < kCases / 4; ++i) {
        const auto world = maker.world();
        auto evidence = world->evidence(world->now);
        const auto first = judge(world->policy, world->facts, evidence, false, world->now);
        std::reverse(evidence.candidates.begin(), evidence.candidates.end());
        std::reverse(evidence.tombstones.begin(), evidence.tombstones.end());
        evidence.explain = true;
        const auto second = judge(world->policy, world->facts, evidence, false, world->now);
        if (first.reasons != second.reasons || first.approval != second.approval ||
            first.deadline_boot_ns != second.deadline_boot_ns)
            FAIL_CHECK("case ", i, ": ", join(first.reasons), " or ", join(second.reasons));
        CHECK(first.rules.empty());
        CHECK_FALSE(second.rules.empty());
    }
}
