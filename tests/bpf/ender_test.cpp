// The end of sessions: marked first, killed together, however the host makes it hard.
#include "enforce/ender.h"
#include "fixture.h"

#include <bpf/bpf.h>
#include <cerrno>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace escort;
using namespace escort::test;

namespace {

// An Ender with a loop of its own, and what it has said.
struct Ending {
    explicit Ending(Kernel& of) : kernel(of) {
        REQUIRE(sd_event_new(&loop) >= 0);
        ender = std::make_unique<Ender>(kernel.state, loop, [this](const Ended& each) {
            ended.push_back(each);
            kernel.state.forget(each.id, {});
        });
        ender->on_lingering = [this](const Lingering& each) { lingering.push_back(each); };
    }
    ~Ending() {
        ender.reset();
        sd_event_unref(loop);
    }
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;

    void turn() {
        sd_event_run(loop, 5'000); // microseconds
        for (const auto& event : kernel.events())
            if (event.type == ESCORT_EVENT_LAST) ender->last_task_gone(event.id, event.time_ns);
    }
    bool until(const std::function<bool()>& condition, int turns = 400) {
        for (int i = 0; i < turns && !condition(); i++)
            turn();
        return condition();
    }

    Kernel& kernel;
    sd_event* loop = nullptr;
    std::unique_ptr<Ender> ender;
    std::vector<Ended> ended;
    std::vector<Lingering> lingering;
};

void stay() {
    for (;;)
        pause();
}

std::vector<std::uint64_t> ids(Kernel& kernel) {
    std::vector<std::uint64_t> all;
    for (const auto& session : kernel.state.sessions())
        all.push_back(session.id);
    return all;
}

std::uint64_t only_session(Kernel& kernel) {
    REQUIRE(eventually([&] { return kernel.state.sessions().size() == 1; }));
    return ids(kernel)[0];
}

void wait_for_tasks(Kernel& kernel, std::size_t number) {
    REQUIRE(eventually([&] {
        const auto tasks = kernel.state.labelled(0);
        return tasks && tasks->size() == number;
    }));
}

} // namespace

TEST_CASE("ender: sessions that end together are all marked first, then killed in one pass") {
    constexpr std::size_t kSessions = 20, kProcesses = 5;
    Kernel kernel;
    kernel.rules(60'000);
    std::vector<std::unique_ptr<Child>> children;
    for (std::size_t i = 0; i < kSessions; i++)
        children.push_back(std::make_unique<Child>([] {
            become(kSupport);
            prctl(PR_SET_PDEATHSIG, 0);
            for (std::size_t more = 1; more < kProcesses; more++)
                if (fork() == 0) stay();
            stay();
        }));
    wait_for_tasks(kernel, kSessions * kProcesses);
    Child bystander([] { become(kTenant), stay(); });
    Ending ending(kernel);
    const auto all = ids(kernel);
    REQUIRE(all.size() == kSessions);
    for (const auto id : all)
        ending.ender->begin(id);
    for (const auto id : all) {
        CHECK((kernel.state.verdict(id)->flags & ESCORT_VERDICT_DEAD) != 0);
        CHECK(kernel.state.session(id)->live == kProcesses); // nothing is killed before all are marked
    }
    CHECK(ending.ended.empty());
    sd_event_run(ending.loop, 0); // the one pass
    for (const auto& child : children)
        CHECK(child->wait() == -SIGKILL);
    CHECK(ending.until([&] { return ending.ended.size() == kSessions; }));
    for (const auto& each : ending.ended)
        CHECK(each.processes == kProcesses);
    CHECK(bystander.alive());
    CHECK(ending.lingering.empty());
}

TEST_CASE("ender: a lead is kept, and holds back no other session") {
    Kernel kernel;
    kernel.rules(60'000);
    Child late([] { become(kSupport), stay(); });
    const auto first = only_session(kernel);
    Child soon([] { become(kSupport), stay(); });
    wait_for_tasks(kernel, 2);
    Ending ending(kernel);
    ending.ender->begin(first, std::chrono::milliseconds(300));
    for (const auto id : ids(kernel))
        if (id != first) ending.ender->begin(id);
    CHECK(ending.until([&] { return !ending.ended.empty(); }));
    CHECK(soon.wait() == -SIGKILL);
    CHECK(late.alive());
    CHECK((kernel.state.verdict(first)->flags & ESCORT_VERDICT_DEAD) != 0);
    CHECK(ending.until([&] { return ending.ended.size() == 2; }));
    CHECK(late.wait() == -SIGKILL);
    CHECK(ending.ended[1].elapsed_ns >= 300'000'000);
}

TEST_CASE("ender: it kills when the process has no descriptor left") {
    Kernel kernel;
    kernel.rules(60'000);
    Child child([] {
        become(kSupport);
        if (fork() == 0) stay();
        stay();
    });
    wait_for_tasks(kernel, 2);
    const auto id = only_session(kernel);
    Ending ending(kernel);
    ending.ender->begin(id);
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit tight{256, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    std::vector<int> used;
    for (int fd = dup(0); fd >= 0; fd = dup(0))
        used.push_back(fd);
    const int error = errno;
    sd_event_run(ending.loop, 0);
    const bool still_used_up = dup(0) < 0; // what it needed it has taken back
    for (const int fd : used)
        close(fd);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(error == EMFILE);
    CHECK(still_used_up);
    CHECK(eventually([&] { return !child.alive(); }));
    CHECK(ending.until([&] { return !ending.ended.empty(); }));
    CHECK(ending.ended[0].processes == 2);
}

TEST_CASE("ender: a process whose first thread has gone dies like any other") {
    Kernel kernel;
    kernel.rules(60'000);
    Child child([] {
        syscall(SYS_setresuid, kSupport, kSupport, kSupport);
        std::thread(stay).detach();
        syscall(SYS_exit, 0); // this thread alone
    });
    REQUIRE(eventually([&] {
        const auto tasks = kernel.state.labelled(0);
        return tasks && tasks->size() == 2;
    }));
    Ending ending(kernel);
    ending.ender->begin(only_session(kernel));
    CHECK(ending.until([&] { return !ending.ended.empty(); }));
    CHECK(child.wait() == -SIGKILL);
    CHECK(ending.ended[0].processes == 1);
}

TEST_CASE(
    "ender: a root daemon one of whose threads alone is of the session lives on, however often it is swept") {
    Kernel kernel;
    kernel.rules(60'000);
    const Child daemon([] {
        std::thread([] { become(kSupport), stay(); }).detach();
        stay();
    });
    const auto id = only_session(kernel);
    wait_for_tasks(kernel, 1);
    Ending ending(kernel);
    ending.ender->begin(id);
    ending.until([] { return false; }, 60); // passes, the later ones with every means there is
    CHECK(daemon.alive());
    CHECK(ending.ender->ending(id));
    CHECK(ending.ended.empty());
    // ... and a pass of its own, as the start of a daemon makes it.
    const auto swept = sweep(kernel.state, id);
    REQUIRE(swept);
    CHECK(swept->processes.size() == 1);
    CHECK(swept->signalled.empty());
    CHECK(daemon.alive());
}

TEST_CASE("ender: what does not die is reported once, and its end is the end") {
    Kernel kernel;
    kernel.rules(60'000);
    Child child([] { become(kSupport), stay(); });
    const auto id = only_session(kernel);
    // A debugger holds it at its exit, where SIGKILL has no more to say: as an uninterruptible sleep does.
    REQUIRE(ptrace(PTRACE_SEIZE, child.pid(), nullptr, PTRACE_O_TRACEEXIT) == 0);
    Ending ending(kernel);
    ending.ender->begin(id);
    CHECK(ending.until([&] { return !ending.lingering.empty(); }, 1600));
    REQUIRE(ending.lingering.size() == 1);
    CHECK(ending.lingering[0].id == id);
    CHECK(ending.lingering[0].tasks == 1);
    CHECK(ending.lingering[0].processes == 1);
    CHECK(ending.lingering[0].elapsed_ns >= 5'000'000'000);
    ending.until([] { return false; }, 400); // two seconds more: not reported again
    CHECK(ending.lingering.size() == 1);
    CHECK(ending.ended.empty());
    int status = 0;
    REQUIRE(waitpid(child.pid(), &status, 0) == child.pid());
    REQUIRE(ptrace(PTRACE_DETACH, child.pid(), nullptr, nullptr) == 0);
    CHECK(child.wait() == -SIGKILL);
    CHECK(ending.until([&] { return !ending.ended.empty(); }));
    CHECK(ending.ended[0].processes == 1);
}

namespace {

// The calling task's number in the initial PID namespace: a program of two instructions says it.
std::uint32_t kernel_tid() {
    const bpf_insn code[] = {{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_pid_tgid},
                             {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_SYSCALL;
    load.prog_flags = BPF_F_SLEEPABLE;
    load.insns = reinterpret_cast<std::uintptr_t>(code);
    load.insn_cnt = 2;
    load.license = reinterpret_cast<std::uintptr_t>("GPL");
    const auto program = static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
    if (program < 0) return 0;
    bpf_attr run{};
    run.test.prog_fd = static_cast<__u32>(program);
    const bool ran = syscall(SYS_bpf, BPF_PROG_TEST_RUN, &run, sizeof run) == 0;
    close(program);
    return ran ? run.test.retval : 0;
}

// The process's start in the kernel's own nanoseconds: the iterator's, while the process is in the session.
std::uint64_t start_of(Kernel& kernel, std::uint64_t id, std::uint32_t pid) {
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    REQUIRE(kernel.state.label(pidfd, id));
    const auto tasks = kernel.state.labelled(id);
    REQUIRE(tasks);
    std::uint64_t start_ns = 0;
    for (const auto& task : *tasks)
        if (task.tgid == pid) start_ns = task.start_ns;
    REQUIRE(start_ns != 0);
    REQUIRE(bpf_map_delete_elem(kernel.programs.map("labels"), &pidfd) == 0);
    close(pidfd);
    return start_ns;
}

} // namespace

TEST_CASE("ender: a task without storage for its label is found and killed like any other") {
    constexpr std::size_t kTasks = 20; // more than are held at once
    Kernel kernel;
    kernel.rules(60'000);
    Child session([] { become(kSupport), stay(); });
    const auto id = only_session(kernel);
    Child bystander([] { stay(); });
    int told[2];
    REQUIRE(pipe(told) == 0);
    std::vector<std::unique_ptr<Child>> children;
    const escort_label label{id, 0, 0};
    const std::uint32_t zero = 0;
    for (std::size_t i = 0; i < kTasks; i++) {
        children.push_back(std::make_unique<Child>([&] {
            const std::uint32_t tid = kernel_tid();
            if (write(told[1], &tid, sizeof tid) != sizeof tid) _exit(3);
            stay();
        }));
        std::uint32_t tid = 0;
        REQUIRE(read(told[0], &tid, sizeof tid) == sizeof tid);
        REQUIRE(tid != 0);
        const auto pid = static_cast<std::uint32_t>(children.back()->pid());
        const escort_orphan_key key{tid, 0, start_of(kernel, id, pid)};
        REQUIRE(bpf_map_update_elem(kernel.programs.map("orphans"), &key, &label, BPF_ANY) == 0);
    }
    escort_config config{};
    REQUIRE(bpf_map_lookup_elem(kernel.programs.map("config"), &zero, &config) == 0);
    config.orphans += kTasks;
    REQUIRE(bpf_map_update_elem(kernel.programs.map("config"), &zero, &config, BPF_ANY) == 0);
    wait_for_tasks(kernel, kTasks + 1);

    Ending ending(kernel);
    ending.ender->begin(id);
    sd_event_run(ending.loop, 0);
    for (const auto& child : children)
        CHECK(eventually([&] { return !child->alive(); }));
    CHECK(session.wait() == -SIGKILL);
    CHECK(bystander.alive());
    close(told[0]);
    close(told[1]);
}
