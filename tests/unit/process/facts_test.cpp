// Facts of a process, and that they are never those of another.
#include "process/facts.h"

#include "process/children.h"

#include <sys/syscall.h>

using namespace escort;

namespace {
Fd pidfd_of(pid_t pid) {
    return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
}
ProcessFacts told(const std::string& exe, const std::string& cgroup, const std::string& parent) {
    ProcessFacts facts;
    facts.exe = exe;
    facts.cgroup = cgroup;
    facts.cgroup_parent = parent;
    return facts;
}
} // namespace

TEST_CASE("process: what /proc says of it") {
    const TestPrograms programs;
    const TestChild child({programs.shell("a) R 1 (b"), "-c", "echo $$; while :; do sleep 60; done"});
    const auto process = Process::open(child.pid());
    REQUIRE(process);
    const auto facts = process->facts();
    REQUIRE(facts);
    CHECK(facts->pid == child.pid());
    CHECK(facts->parent == ::getpid());
    CHECK(facts->comm == "a) R 1 (b"); // a name that looks like other fields
    CHECK(facts->program() == "a) R 1 (b");
    CHECK(facts->uid == ::getuid());
    CHECK(facts->effective_uid == ::geteuid());
    CHECK(facts->start_ticks > Process::open(::getpid())->facts()->start_ticks);
    CHECK(process->parent()->pid() == ::getpid());
}

TEST_CASE("process: a program that was replaced keeps its name") {
    const TestPrograms programs;
    const auto path = programs.shell("sshd");
    const TestChild child({path, "-c", "echo $$; while :; do sleep 60; done"});
    std::filesystem::remove(path);
    const auto facts = Process::open(child.pid())->facts();
    CHECK(facts->exe == path + " (deleted)");
    CHECK(facts->program() == "sshd");
    CHECK(way_in(*facts) == Entry::sshd);
}

TEST_CASE("process: nothing is said of one that has ended") {
    const TestPrograms programs;
    TestChild child({programs.shell("sh"), "-c", "echo $$; while :; do sleep 60; done"});
    const pid_t pid = child.pid();
    const auto process = Process::open(pid);
    REQUIRE(process->alive());
    ::kill(pid, SIGKILL);
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
    CHECK_FALSE(process->alive()); // a zombie: /proc still knows it
    CHECK_FALSE(process->facts());
    CHECK_FALSE(process->parent());
    CHECK_FALSE(Process::open(pid));
    child.end();
    CHECK_FALSE(process->facts());
    CHECK_FALSE(Process::open(pid));
    CHECK_FALSE(Process::open(0));
    CHECK_FALSE(Process::open(-1));
    CHECK(way_in(*process) == Entry::other);
}

TEST_CASE("process: a pidfd that was handed over must be that process's") {
    const TestPrograms programs;
    TestChild child({programs.shell("sh"), "-c", "echo $$; while :; do sleep 60; done"});
    CHECK(Process::open(child.pid(), pidfd_of(child.pid())));
    CHECK_FALSE(Process::open(::getpid(), pidfd_of(child.pid())));
    CHECK_FALSE(Process::open(child.pid(), Fd(::dup(0)))); // no pidfd at all
    CHECK_FALSE(Process::open(child.pid(), Fd()));
    Fd pidfd = pidfd_of(child.pid());
    const pid_t pid = child.pid();
    child.end();
    CHECK_FALSE(Process::open(pid, std::move(pidfd)));
}

TEST_CASE("process: the way in is what the kernel programs would say") {
    CHECK(way_in(told("/usr/sbin/sshd", "ssh.service", "system.slice")) == Entry::sshd);
    CHECK(way_in(told("/usr/bin/su", "session-3.scope", "user-1001.slice")) == Entry::su);
    CHECK(way_in(told("/usr/bin/su", "cron.service", "system.slice")) == Entry::cron);
    CHECK(way_in(told("/usr/bin/sudo", "some.service", "system.slice")) == Entry::systemd);
    CHECK(way_in(told("", "", "")) == Entry::other);
}
