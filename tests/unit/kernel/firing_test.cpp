// What counts as seen to fire, and children that must die.
#include "kernel/canary.h"
#include "kernel/firing.h"
#include "kernel/rules.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

using namespace escort;

namespace {

CanaryEnd wait_for(const Canary& canary) {
    pollfd wait{canary.pidfd.get(), POLLIN, 0};
    REQUIRE(::poll(&wait, 1, 10'000) == 1);
    return end_of(canary);
}

} // namespace

TEST_CASE("firing: only a program that ran in between is seen; what can't be counted is not") {
    CHECK(judge_firing("p", 5, 7, "").seen());
    CHECK(judge_firing("p", 5, 7, "").runs == 2);
    const Firing silent = judge_firing("p", 5, 5, "");
    CHECK_FALSE(silent.seen());
    CHECK(silent.why == "attached, but it did not run");
    CHECK(judge_firing("p", 0, 0, "the kernel does not count runs: no").why ==
          "the kernel does not count runs: no");
    CHECK(judge_firing("p", 0, 3, "switched on by a sysctl").seen()); // it moved: that is proof
}

TEST_CASE("firing: a link that is none is not seen, and says why") {
    const Fd none(::dup(STDERR_FILENO));
    const FiringCount count({{"escort_newtask", none.get()}});
    const auto firings = count.take();
    REQUIRE(firings.size() == 1);
    CHECK(firings[0].name == "escort_newtask");
    CHECK_FALSE(firings[0].seen());
    CHECK(firings[0].why.starts_with("ask the link: "));
}

TEST_CASE("canary: where nothing kills it, it lives and says so; without the right it could not") {
    for (const IdentityCall call : kIdentityCalls) {
        CAPTURE(to_string(call));
        const auto canary = start_canary(call, kProbeUid);
        REQUIRE(canary);
        CHECK(wait_for(*canary) == (::geteuid() == 0 ? CanaryEnd::lived : CanaryEnd::could_not));
    }
}

TEST_CASE("canary: running until its end; a SIGKILL is a SIGKILL; the exercise ends by itself") {
    const auto exercise = start_exercise();
    REQUIRE(exercise);
    CHECK(wait_for(*exercise) != CanaryEnd::killed);
    const auto again = start_exercise();
    REQUIRE(again);
    kill_canary(*again);
    CHECK(wait_for(*again) == CanaryEnd::killed);
}
