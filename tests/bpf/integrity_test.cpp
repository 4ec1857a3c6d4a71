// What somebody else has written into the maps is seen and put back (threats.md, A2).
#include "fixture.h"

#include "base/clock.h"

#include <bpf/bpf.h>
#include <csignal>
#include <doctest/doctest.h>
#include <set>
#include <string>
#include <unistd.h>
#include <vector>

using namespace escort;
using namespace escort::test;

namespace {

using Changes = std::vector<std::string>;
constexpr std::uint32_t kZero = 0;

// The map that `rules` points to, as anybody with the id gets it.
int rules_in_force(const Kernel& kernel) {
    std::uint32_t id = 0;
    REQUIRE(bpf_map_lookup_elem(kernel.programs.map("rules"), &kZero, &id) == 0);
    const int map = bpf_map_get_fd_by_id(id);
    REQUIRE(map >= 0);
    return map;
}

bool refuses(std::uint32_t uid) {
    return run([uid] { become(uid); }) == -SIGKILL;
}

} // namespace

TEST_CASE("integrity: rules that were taken out, changed or swapped for others are put back") {
    Kernel kernel;
    kernel.rules(0);
    CHECK(kernel.state.restore().empty());
    REQUIRE(refuses(kSupport));

    const int map = rules_in_force(kernel);
    escort_rule_key key{};
    REQUIRE(bpf_map_get_next_key(map, nullptr, &key) == 0);
    escort_rule rule{};
    REQUIRE(bpf_map_lookup_elem(map, &key, &rule) == 0);

    SUBCASE("taken out") {
        while (bpf_map_get_next_key(map, nullptr, &key) == 0)
            REQUIRE(bpf_map_delete_elem(map, &key) == 0);
        CHECK_FALSE(refuses(kSupport));
    }
    SUBCASE("changed") {
        rule.window_until = boot_ns() + 60'000'000'000;
        REQUIRE(bpf_map_update_elem(map, &key, &rule, BPF_EXIST) == 0);
    }
    SUBCASE("swapped") {
        const int other =
            bpf_map_create(BPF_MAP_TYPE_HASH, "rules_inner", sizeof key, sizeof rule, 1, nullptr);
        REQUIRE(other >= 0);
        REQUIRE(bpf_map_update_elem(kernel.programs.map("rules"), &kZero, &other, BPF_ANY) == 0);
        ::close(other);
        CHECK_FALSE(refuses(kSupport));
    }
    ::close(map);
    CHECK(kernel.state.restore() == Changes{"the rules"});
    CHECK(refuses(kSupport));
    CHECK(refuses(kSecond));
    CHECK(kernel.state.restore().empty());
}

TEST_CASE("integrity: who is governed is put back, and numbers given out meanwhile are not given out again") {
    Kernel kernel;
    kernel.rules(0);
    CHECK(kernel.state.restore().empty());
    const int map = kernel.programs.map("config");
    escort_config config{};
    REQUIRE(bpf_map_lookup_elem(map, &kZero, &config) == 0);
    const escort_config before = config;
    config.ready = 0; // nobody is
    config.next = 1;
    REQUIRE(bpf_map_update_elem(map, &kZero, &config, BPF_ANY) == 0);
    CHECK_FALSE(refuses(kSupport));
    CHECK(kernel.state.restore() == Changes{"who is governed"});
    REQUIRE(bpf_map_lookup_elem(map, &kZero, &config) == 0);
    CHECK(config.ready == before.ready);
    CHECK(config.next > before.next);
    CHECK(refuses(kSupport));
    CHECK(kernel.state.restore().empty());
}

TEST_CASE("integrity: a verdict that was lifted is put back; a session marked dead by the kernel stays so") {
    Kernel kernel;
    kernel.rules(60'000);
    const Child child([] { become(kSupport); });
    const std::uint64_t id = session_of(kernel, child);
    const escort_verdict told{boot_ns() + 60'000'000'000, ESCORT_VERDICT_JUDGED, 0};
    REQUIRE(kernel.state.set_verdict(id, told));
    CHECK(kernel.state.restore().empty());

    escort_verdict lifted = told;
    lifted.deadline_ns += 3'600'000'000'000;
    REQUIRE(bpf_map_update_elem(kernel.programs.map("verdicts"), &id, &lifted, BPF_EXIST) == 0);
    CHECK(kernel.state.restore() == Changes{"the verdict of session " + std::to_string(id & UINT32_MAX)});
    CHECK(kernel.state.verdict(id)->deadline_ns == told.deadline_ns);

    escort_verdict dead = told;
    dead.flags |= ESCORT_VERDICT_DEAD;
    REQUIRE(bpf_map_update_elem(kernel.programs.map("verdicts"), &id, &dead, BPF_EXIST) == 0);
    CHECK(kernel.state.restore().empty());
    CHECK(kernel.state.take_dead() == std::set<std::uint64_t>{id});
    CHECK((kernel.state.verdict(id)->flags & ESCORT_VERDICT_DEAD) != 0);
}
