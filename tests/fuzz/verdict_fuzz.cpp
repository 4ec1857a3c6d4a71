// The verdict engine over arbitrary worlds: policies, approvals, sessions and times drawn from the input.
// What must hold of any verdict, whatever the engine weighs.
#include "fuzz.h"

#include "core/candidates.h"
#include "core/random_world.h"

#include <algorithm>

using namespace escort;
using random_world::Maker;
using random_world::World;

namespace {

// The input's bytes, two a draw; zeros behind its end.
class Draws {
  public:
    explicit Draws(std::string_view bytes) : bytes_(bytes) {}
    std::uint64_t operator()() {
        std::uint64_t value = 0;
        for (int i = 0; i < 2; ++i, ++at_)
            value = value << 8 | (at_ < bytes_.size() ? static_cast<unsigned char>(bytes_[at_]) : 0U);
        return value;
    }

  private:
    std::string_view bytes_;
    std::size_t at_ = 0;
};

bool has(const Verdict& verdict, Reason reason) {
    return std::find(verdict.reasons.begin(), verdict.reasons.end(), reason) != verdict.reasons.end();
}

void check_shape(const Verdict& verdict, const Moment& now) {
    const auto& reasons = verdict.reasons;
    fuzz::must(!reasons.empty() && verdict.reason == reasons.front(), "the reason is the first of all");
    fuzz::must(std::is_sorted(reasons.begin(), reasons.end()) &&
                   std::adjacent_find(reasons.begin(), reasons.end()) == reasons.end(),
               "reasons stand in the contract's order, each once");
    const bool grants = verdict.reason == Reason::approved || verdict.reason == Reason::break_glass;
    fuzz::must(grants == (verdict.ruling == Ruling::approved), "the reason says the ruling");
    if (!grants) return;
    fuzz::must(reasons.size() == 1 && verdict.approval, "an approved session has one approval");
    fuzz::must(verdict.deadline_boot_ns > now.boot_ns && verdict.recheck_boot_ns <= verdict.deadline_boot_ns,
               "it ends later, and is judged again by then");
}

// What the approval that was used must be, told by its own words alone.
void check_granted(const World& world, const Verdict& verdict) {
    const auto candidates = world.ledger->candidates(random_world::kAccount, world.now);
    const auto used = std::find_if(candidates.begin(), candidates.end(),
                                   [&](const auto& one) { return one.id() == *verdict.approval; });
    fuzz::must(used != candidates.end() && used->admits(), "the approval used is one that grants now");
    fuzz::must(!world.denials.hits(*used->approval) && !world.denials.hits_account(random_world::kAccount),
               "no door that is shut is gone through");
    fuzz::must(used->list->break_glass == (verdict.reason == Reason::break_glass), "an emergency says so");
    fuzz::must(verdict.deadline_boot_ns <= used->deadline_live_boot_ns, "no session outlasts its approval");
    const auto& place = used->approval->engineer.location;
    const auto& [allow, deny] = world.policy.require.engineer.country;
    fuzz::must((!allow && !deny) || place, "an unknown place is no place");
    const auto listed = [&](const auto& list) {
        return std::find(list->value.begin(), list->value.end(), place->country) != list->value.end();
    };
    fuzz::must((!allow || listed(allow)) && (!deny || !listed(deny)), "the engineer's place is never cured");
}

// Nobody does anything any more: it is judged again in time, and ends at its deadline.
void check_life(const World& world, const Verdict& verdict) {
    SessionFacts live = world.facts;
    live.approval = verdict.approval;
    live.key_later = false;
    if (!live.key && !live.key_id && world.policy.require.bind_ssh_key) return; // proven in between
    const Verdict begun = world.judge(live, world.now);
    check_shape(begun, world.now);
    fuzz::must(begun.ruling == Ruling::approved, "a session that was approved goes on");
    const auto until = [&](std::uint64_t boot_ns) {
        SessionFacts then = live;
        then.idle_ns += boot_ns - world.now.boot_ns;
        return world.judge(then, world.later(boot_ns));
    };
    check_shape(until(begun.recheck_boot_ns), world.later(begun.recheck_boot_ns));
    fuzz::must(until(begun.deadline_boot_ns).ruling == Ruling::denied, "a session ends at its deadline");
}

// Whoever escorts: a place that is denied stays so.
void check_place(World& world, const Verdict& verdict) {
    if (!has(verdict, Reason::location_denied)) return;
    for (const auto& candidate : world.ledger->candidates(random_world::kAccount, world.now))
        if (candidate.approval->escort)
            (void)world.presence.accept({candidate.id(), candidate.approval->escort->id, world.now.trusted,
                                         world.now.trusted + 600, "f"},
                                        world.now);
    world.policy.require.escort.required.value = false;
    const auto candidates = world.ledger->candidates(random_world::kAccount, world.now);
    if (candidates.size() == 1)
        fuzz::must(has(world.judge(world.facts, world.now), Reason::location_denied),
                   "location_denied is never cured");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Maker maker(Draws(fuzz::text_of(data, size)));
    const auto world = maker.world();
    const Verdict verdict = world->judge(world->facts, world->now);
    check_shape(verdict, world->now);
    if (verdict.ruling == Ruling::approved) {
        check_granted(*world, verdict);
        fuzz::must(window_until(world->policy, world->evidence(world->now), world->now) > world->now.boot_ns,
                   "the kernel's window is open where a session is approved");
        check_life(*world, verdict);
    }
    Evidence explained = world->evidence(world->now);
    explained.explain = true;
    std::reverse(explained.candidates.begin(), explained.candidates.end());
    const auto same = judge(world->policy, world->facts, explained, false, world->now);
    fuzz::must(same.reasons == verdict.reasons && same.approval == verdict.approval && !same.rules.empty(),
               "neither an explanation nor an order changes a verdict");
    check_place(*world, verdict);
    return 0;
}
