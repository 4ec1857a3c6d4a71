// The texts of /proc/PID, as the kernel writes them and as they can't be.
#include "process/proc_text.h"

#include <doctest/doctest.h>

using namespace escort;

TEST_CASE("proc text: stat, whatever the name is") {
    ProcessFacts facts;
    const std::string rest = " S 7 42 42 34816 42 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 1 2";
    CHECK(read_stat("42 (bash)" + rest, facts));
    CHECK(facts.state == 'S');
    CHECK(facts.comm == "bash");
    CHECK(facts.parent == 7);
    CHECK(facts.tty == 34816);
    CHECK(facts.start_ticks == 9876);
    CHECK(read_stat("42 (a) S 1 (b)" + rest, facts));
    CHECK(facts.comm == "a) S 1 (b");
    CHECK(facts.parent == 7);
    for (const char* wrong : {"", "42", "42 (bash", ") (", "42 (bash)", "42 (bash) S", "42 (bash) S x"})
        CHECK_FALSE(read_stat(wrong, facts));
    CHECK_FALSE(read_stat("42 (bash) S 7 42 42 34816 42 1 1 2 3 4 5 6 7 8 20 0 1 0", facts)); // cut short
}

TEST_CASE("proc text: the real and the effective uid") {
    ProcessFacts facts;
    CHECK(read_uids("Name:\tbash\nUid:\t1001\t0\t0\t0\nGid:\t1\t1\t1\t1\n", facts));
    CHECK(facts.uid == 1001);
    CHECK(facts.effective_uid == 0);
    for (const char* wrong : {"", "Uid:\t1\t2\n", "Name:\tx\nUid:\t1\n", "Name:\tx\nUid:\t-1\t0\n"})
        CHECK_FALSE(read_uids(wrong, facts));
}

TEST_CASE("proc text: the last two folders of the unified hierarchy") {
    const auto of = [](std::string_view text) {
        ProcessFacts facts;
        read_cgroup(text, facts);
        return facts.cgroup_parent + "|" + facts.cgroup;
    };
    CHECK(of("0::/user.slice/user-1001.slice/session-3.scope\n") == "user-1001.slice|session-3.scope");
    CHECK(of("1:cpu:/a/b\n0::/system.slice/cron.service\n") == "system.slice|cron.service");
    CHECK(of("0::/init.scope\n") == "|init.scope");
    CHECK(of("0::/\n") == "|");
    CHECK(of("0::\n1:cpu:/a/b\n") == "|"); // nothing of another hierarchy
    CHECK(of("1:cpu:/a/b\n") == "|");
    CHECK(of("") == "|");
}

TEST_CASE("proc text: the pid behind a pidfd") {
    CHECK(read_pid("pos:\t0\nflags:\t02\nPid:\t42\nNSpid:\t42\n") == 42);
    CHECK(read_pid("pos:\t0\nPid:\t-1\n") == -1);
    CHECK_FALSE(read_pid("pos:\t0\n"));
    CHECK_FALSE(read_pid("pos:\t0\nPid:\tx\n"));
}
