// What PID 1 is told of a session's end.
#include "service/runtime_max.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

struct Given {
    Verdict verdict;
    Approval approval;
    Policy policy;
    Moment now;
    std::uint64_t opened_boot_ns = 0;

    Given() {
        verdict.ruling = Ruling::approved;
        approval.exp = 10'000;
        now.trusted = 9'000;
        now.boot_ns = 700 * kNsPerSecond;
        opened_boot_ns = 600 * kNsPerSecond;
    }
    [[nodiscard]] std::uint32_t seconds() const {
        Candidate candidate;
        candidate.approval = &approval;
        candidate.deadline_live_boot_ns = now.boot_ns; // the list's end is no matter
        return runtime_max_s(verdict, candidate, policy, opened_boot_ns, now);
    }
};

} // namespace

TEST_CASE("runtime max: the first of the approval's end and the two durations, and five seconds") {
    Given given;
    CHECK(given.seconds() == 1005);
    given.approval.max_duration = 600; // open for 100 s
    CHECK(given.seconds() == 505);
    given.policy.require.max_duration = Placed<std::int64_t>{300, {}};
    CHECK(given.seconds() == 205);
    given.policy.require.max_duration->value = 900;
    CHECK(given.seconds() == 505);
    given.now.trusted = 9'990;
    CHECK(given.seconds() == 15);
}

TEST_CASE("runtime max: never nothing for what is over, nothing for what is not ended") {
    Given given;
    given.now.trusted = 20'000;
    CHECK(given.seconds() == 5);
    given.approval.exp = INT64_MAX;
    CHECK(given.seconds() == INT32_MAX);
    given.verdict.observe = true;
    CHECK(given.seconds() == 0);
    given.verdict.observe = false;
    given.verdict.log_only = true;
    CHECK(given.seconds() == 0);
    given.verdict.log_only = false;
    given.verdict.ruling = Ruling::denied;
    CHECK(given.seconds() == 0);
}
