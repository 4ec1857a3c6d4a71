// The kernel's own clock: what is over dies though none of its tasks comes by a hook and no daemon is there.
#include "fixture.h"

#include "base/clock.h"
#include "kernel/clock.h"

#include <algorithm>
#include <bpf/bpf.h>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <optional>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace escort;
using namespace escort::test;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

// Neither forks, execs nor changes its identity again.
void spin() {
    become(kSupport);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        asm volatile("");
}
void sleep_on() {
    become(kSupport);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        ::pause();
}
[[noreturn]] void stand() {
    become(kSupport);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::raise(SIGSTOP);
    for (;;)
        ::pause();
}

// The kernel, started; what the test does with it goes away as a daemon does: pins stay.
struct Ground {
    Ground() : kernel(std::make_optional<Kernel>()) { kernel->rules(60'000); }
    ~Ground() { forget_pins(); }
    Ground(const Ground&) = delete;
    Ground& operator=(const Ground&) = delete;
    void judge(const Child& child, std::uint64_t after_ms, std::uint32_t flags) const {
        REQUIRE(
            kernel->state.set_verdict(session_of(*kernel, child), {boot_ns() + after_ms * kMs, flags, 0}));
    }
    std::optional<Kernel> kernel;
};

// Not one of its hooks fires; so long may it take: the clock looks twice a second.
bool dies(const Child& child, int within_ms) {
    for (int i = 0; i < within_ms / 5; i++) {
        if (!child.alive()) return true;
        ::usleep(5000);
    }
    return false;
}

} // namespace

TEST_CASE("clock: past its deadline a session dies, busy, asleep or stopped, with no daemon") {
    Ground ground;
    const bool sleepers = ground.kernel->programs.clock() != ClockKind::samples;
    const Child busy(spin);
    const Child asleep(sleep_on);
    const Child stopped(stand);
    ground.judge(busy, 700, ESCORT_VERDICT_JUDGED);
    ground.judge(asleep, 700, ESCORT_VERDICT_JUDGED);
    ground.judge(stopped, 700, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_FROZEN);
    ground.kernel.reset();
    ::usleep(400'000);
    CHECK(busy.alive());
    CHECK(asleep.alive());
    CHECK(stopped.alive());
    // The daemon's time to say why: 500 ms after the deadline, in which the clock has ticked.
    const std::uint64_t graced = boot_ns() + 700 * kMs;
    while (boot_ns() < graced) {
        const bool all = busy.alive() && asleep.alive() && stopped.alive();
        if (boot_ns() < graced) CHECK(all); // else this process was late itself
        ::usleep(50'000);
    }
    CHECK(dies(busy, 1500));
    if (!sleepers) return; // PID 1 ends them: systemd.runtime_max_sec
    CHECK(dies(asleep, 1500));
    CHECK(dies(stopped, 1500));
}

TEST_CASE("clock: a dead session dies; watched and released ones, other sessions and bystanders don't") {
    Ground ground;
    const Child dead(spin);
    const Child watched(spin);
    const Child released(spin);
    const Child other(spin);
    const Child bystander([] {
        become(kTenant);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            ::pause();
    });
    ground.judge(watched, 0, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_DEAD | ESCORT_VERDICT_OBSERVE);
    ground.judge(released, 0, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_DEAD | ESCORT_VERDICT_RELEASED);
    ground.judge(other, 60'000, ESCORT_VERDICT_JUDGED);
    ground.judge(dead, 60'000, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_DEAD);
    ground.kernel.reset();
    CHECK(dies(dead, 1500));
    ::usleep(1'200'000); // two more ticks
    CHECK(watched.alive());
    CHECK(released.alive());
    CHECK(other.alive());
    CHECK(bystander.alive());
}

TEST_CASE("clock: a root daemon with one thread of a session's uid is not hit") {
    Ground ground;
    const Child daemon([] {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_t thread{};
        pthread_create(
            &thread, nullptr,
            [](void*) -> void* {
                become(kSupport);
                for (;;)
                    asm volatile("");
            },
            nullptr);
        for (;;)
            ::pause();
    });
    ground.judge(daemon, 0, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_DEAD);
    ground.kernel.reset();
    CHECK_FALSE(dies(daemon, 1500));
}

TEST_CASE("clock: a process outlives its first thread, and dies all the same") {
    Ground ground;
    const Child process([] {
        become(kSupport);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_t thread{};
        pthread_create(
            &thread, nullptr,
            [](void*) -> void* {
                for (;;)
                    asm volatile("");
            },
            nullptr);
        ::syscall(SYS_exit, 0);
    });
    ground.judge(process, 500, ESCORT_VERDICT_JUDGED);
    ground.kernel.reset();
    CHECK(dies(process, 2000));
}

TEST_CASE("clock: it goes on with the next daemon's programs, and counts whom it signals") {
    Ground ground;
    ground.kernel.reset();
    ground.kernel.emplace(Pins::adopted);
    ground.kernel->rules(60'000);
    const Child busy(spin);
    ground.judge(busy, 300, ESCORT_VERDICT_JUDGED);
    CHECK(dies(busy, 1500));
    CHECK(eventually([&] { return ground.kernel->state.counters()[ESCORT_COUNT_CLOCK_KILLED] == 1; }));
    if (ground.kernel->programs.clock() == ClockKind::samples) return;
    const auto clock = read_clock(ground.kernel->programs.map("clock"));
    REQUIRE(clock);
    CHECK(clock->carrier != 0);
    CHECK_FALSE(stands_still(*clock, ClockKind::timer, boot_ns()));
    CHECK(stands_still(*clock, ClockKind::timer, boot_ns() + 3'000 * kMs));
}

TEST_CASE("clock: one that was stopped is wound again; one that is late for once isn't taken for stopped") {
    Kernel kernel;
    kernel.rules(60'000);
    if (kernel.programs.clock() == ClockKind::samples) return;
    const int map = kernel.programs.map("clock");
    const auto late = [&] { return stands_still(*read_clock(map), kernel.programs.clock(), boot_ns()); };
    const auto found = [&] {
        const auto missing = kernel.programs.repair().missing;
        return std::count(missing.begin(), missing.end(), "clock");
    };
    CHECK(found() == 0);
    bpf_map_info info{};
    std::uint32_t size = sizeof info;
    REQUIRE(bpf_obj_get_info_by_fd(map, &info, &size) == 0);
    std::vector<char> same(info.value_size), zeros(info.value_size), ahead(info.value_size);
    const std::uint32_t zero = 0;
    REQUIRE(bpf_map_lookup_elem(map, &zero, same.data()) == 0);
    const std::uint64_t to_come = boot_ns() + 3'600'000 * kMs;
    std::memcpy(ahead.data() + offsetof(escort_clock, tick_ns), &to_come, sizeof to_come);
    for (const auto& value : {same, zeros, ahead}) {
        REQUIRE(bpf_map_update_elem(map, &zero, value.data(), BPF_ANY) == 0); // cancels the timer in it
        REQUIRE((eventually(late) || eventually(late)));                      // four ticks
        CHECK(found() == 0); // so late it could be after a sleep of the machine
        CHECK(found() == 1);
        REQUIRE(eventually([&] { return !late(); }));
        CHECK(found() == 0);
    }
}
