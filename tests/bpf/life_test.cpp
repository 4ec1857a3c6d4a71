// What happens to a session once it lives: its label spreads, its end is an event, a dead one dies.
#include "fixture.h"

#include "base/moment.h"
#include "enforce/sweep.h"

#include <bpf/bpf.h>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace escort;
using namespace escort::test;

namespace {

std::uint64_t only_session(Kernel& kernel) {
    const auto sessions = kernel.state.sessions();
    REQUIRE(sessions.size() == 1);
    return sessions[0].id;
}

std::size_t labelled(Kernel& kernel, std::uint64_t id) {
    const auto tasks = kernel.state.labelled(id);
    REQUIRE(tasks);
    std::size_t alive = 0;
    for (const auto& task : *tasks)
        alive += (task.flags & ESCORT_TASK_GONE) == 0;
    return alive;
}

void stay() {
    for (;;)
        pause();
}

} // namespace

TEST_CASE("life: fork, vfork, threads, root and other accounts stay in the session; its end is one event") {
    Kernel kernel;
    kernel.rules(60'000);
    {
        Child child([] {
            syscall(SYS_setresuid, kSupport, kSupport, 0);
            if (fork() == 0) stay();
            if (vfork() == 0) {
                execl("/bin/sleep", "sleep", "60", nullptr);
                _exit(1);
            }
            if (fork() == 0) {
                syscall(SYS_setresuid, 0, 0, 0); // as sudo would
                setsid();
                stay();
            }
            std::thread(stay).detach();
            stay();
        });
        REQUIRE(eventually([&] {
            const auto all = kernel.state.sessions();
            return all.size() == 1 && labelled(kernel, all[0].id) == 5;
        }));
        const auto id = only_session(kernel);
        CHECK(kernel.state.session(id)->live == 5);
        // Marked dead, then swept: nothing of it is left, and it is said once.
        REQUIRE(kernel.state.set_verdict(id, {0, ESCORT_VERDICT_DEAD, 0}));
        const auto swept = sweep(kernel.state, id);
        REQUIRE(swept);
        CHECK(swept->processes.size() == 4);
        CHECK(child.wait() == -SIGKILL);
        CHECK(eventually([&] { return labelled(kernel, id) == 0 && kernel.state.session(id)->live == 0; }));
        while (waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }
    std::size_t last = 0; // written a moment after the count went to 0
    CHECK(eventually([&] {
        for (const auto& event : kernel.events())
            last += event.type == ESCORT_EVENT_LAST;
        return last > 0;
    }));
    CHECK(last == 1);
}

TEST_CASE("life: a sweep hurts nobody else") {
    Kernel kernel;
    kernel.rules(60'000);
    Child bystander([] { become(kTenant), stay(); });
    Child other([] { become(kSupport), stay(); });
    REQUIRE(eventually([&] { return kernel.state.sessions().size() == 1; }));
    const auto first = only_session(kernel);
    Child session([] { become(kSupport), stay(); });
    REQUIRE(eventually([&] { return kernel.state.sessions().size() == 2; }));
    for (const auto& [id, facts] : kernel.state.sessions()) {
        if (id == first) continue;
        REQUIRE(kernel.state.set_verdict(id, {0, ESCORT_VERDICT_DEAD, 0}));
        REQUIRE(sweep(kernel.state, id));
    }
    CHECK(session.wait() == -SIGKILL);
    CHECK(bystander.alive());
    CHECK(other.alive());
}

TEST_CASE("life: past its deadline or dead, a session dies at its next fork, exec and uid change") {
    for (int act = 0; act < 3; act++) {
        CAPTURE(act);
        Kernel kernel;
        kernel.rules(60'000);
        int gate[2];
        REQUIRE(pipe(gate) == 0);
        Child child([&] {
            syscall(SYS_setresuid, kSupport, kSupport, 0);
            char byte = 0;
            if (read(gate[0], &byte, 1) != 1) _exit(3);
            if (act == 0 && fork() == 0) _exit(0);
            if (act == 1) execl("/bin/sleep", "sleep", "60", nullptr);
            if (act == 2) syscall(SYS_setresuid, 0, 0, 0);
            // Its saved uid needs no capability: where the hooks ask for that, it is the kernel's clock that
            // ends it.
            usleep(5'000'000);
        });
        REQUIRE(eventually([&] { return kernel.state.sessions().size() == 1; }));
        const escort_verdict past{1, ESCORT_VERDICT_JUDGED, 0};
        REQUIRE(kernel.state.set_verdict(only_session(kernel), past));
        REQUIRE(write(gate[1], "x", 1) == 1);
        CHECK(child.wait() == -SIGKILL);
        close(gate[0]);
        close(gate[1]);
    }
}

TEST_CASE("life: a judged session may turn into the accounts of `also`, into no other principal") {
    for (const bool allowed : {false, true}) {
        Kernel kernel;
        kernel.rules(60'000);
        int gate[2];
        REQUIRE(pipe(gate) == 0);
        Child child([&] {
            syscall(SYS_setresuid, kSupport, kSupport, 0);
            char byte = 0;
            if (read(gate[0], &byte, 1) != 1) _exit(3);
            syscall(SYS_setresuid, 0, 0, 0); // root is no principal
            become(kSecond);
            execl("/bin/true", "true", nullptr); // commits the uid that it has: no account is entered by it
        });
        REQUIRE(eventually([&] { return kernel.state.sessions().size() == 1; }));
        const auto id = only_session(kernel);
        REQUIRE(kernel.state.set_verdict(id, {kNever, ESCORT_VERDICT_JUDGED, 0}));
        if (allowed) REQUIRE(kernel.state.allow_also(id, kSecond));
        REQUIRE(write(gate[1], "x", 1) == 1);
        CHECK(child.wait() == (allowed ? 0 : -SIGKILL));
        int entered = 0;
        for (const auto& event : kernel.events())
            entered += event.type == ESCORT_EVENT_ENTERED ? 1 : 0;
        CHECK(entered == 1);
        kernel.state.forget(id, {kSecond});
        CHECK(kernel.state.sessions().empty());
        close(gate[0]);
        close(gate[1]);
    }
}

TEST_CASE("life: a thread that execs keeps its label") {
    Kernel kernel;
    kernel.rules(60'000);
    Child child([] {
        become(kSupport);
        std::thread([] { execl("/bin/sleep", "sleep", "60", nullptr); }).join();
    });
    REQUIRE(eventually([&] {
        const auto all = kernel.state.labelled(0);
        return all && all->size() == 1 && std::string((*all)[0].comm) == "sleep";
    }));
    CHECK(kernel.state.session(only_session(kernel))->live == 1);
}

TEST_CASE("life: the programs outlive the agent; the next one adopts them and the labels") {
    std::uint64_t id = 0;
    auto kernel = std::make_unique<Kernel>();
    kernel->rules(60'000);
    Child child([] { become(kSupport), stay(); });
    REQUIRE(eventually([&] { return kernel->state.sessions().size() == 1; }));
    id = only_session(*kernel);
    kernel->rules(0);
    CHECK_FALSE(kernel->programs.adopted());
    kernel.reset();

    CHECK(run([] { become(kSupport); }) == -SIGKILL); // nobody is there, and it holds

    Kernel next(Pins::adopted);
    CHECK(next.programs.adopted());
    CHECK(labelled(next, id) == 1);
    CHECK(child.alive());
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
    CHECK(next.programs.repair().missing.empty());
}

TEST_CASE("life: sessions that were there before are found, labelled once and only then killed") {
    forget_pins();
    Child support([] { become(kSupport), stay(); });
    Child tenant([] { become(kTenant), stay(); });
    REQUIRE(eventually([&] {
        return system(("test $(stat -c %u /proc/" + std::to_string(support.pid()) + ") = 61001").c_str()) ==
                   0 &&
               system(("test $(stat -c %u /proc/" + std::to_string(tenant.pid()) + ") = 61003").c_str()) == 0;
    }));
    Kernel kernel(Pins::adopted);
    kernel.rules(0);
    const auto found = kernel.state.adopt();
    REQUIRE(found);
    std::size_t adopted = 0, unknown = 0;
    for (const auto& task : *found) {
        adopted += (task.flags & ESCORT_TASK_ADOPTED) != 0 && task.uid == kSupport;
        unknown += (task.flags & ESCORT_TASK_UNKNOWN) != 0 && task.uid == kTenant;
    }
    CHECK(adopted == 1);
    CHECK(unknown == 1);
    CHECK(support.alive());
    const auto id = only_session(kernel);
    CHECK(kernel.state.session(id)->entry == ESCORT_ENTRY_EXISTING);
    CHECK(kernel.state.adopt()->size() == 1); // the unknown uid alone
    REQUIRE(kernel.state.set_verdict(id, {0, ESCORT_VERDICT_DEAD, 0}));
    REQUIRE(sweep(kernel.state, id));
    CHECK(support.wait() == -SIGKILL);
    CHECK(tenant.alive());
}

TEST_CASE("life: a window is closed in the rules in force, and what it left out stays as it was") {
    Kernel kernel;
    kernel.rules(60'000);
    CHECK(run([] { become(kSecond); }) == 0);
    kernel.rules(0); // the same keys: written in place
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
    CHECK(run([] { become(kSecond); }) == -SIGKILL);
    kernel.rules(60'000);
    CHECK(run([] { become(kSupport); }) == 0);
    REQUIRE(kernel.state.set_rules({})); // other keys: flipped
    CHECK(run([] { become(kSupport); }) == 0);
    kernel.rules(0);
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
}

namespace {

bool kernel_has(const std::string& symbol) {
    std::ifstream symbols("/proc/kallsyms");
    for (std::string line; std::getline(symbols, line);)
        if (line.find(" " + symbol) != std::string::npos) return true;
    return false;
}

// Of the only session: how many of its tasks stand still, and how many there are.
std::pair<std::size_t, std::size_t> standing(Kernel& kernel, std::uint64_t id) {
    const auto tasks = kernel.state.labelled(id);
    REQUIRE(tasks);
    std::size_t stopped = 0, alive = 0;
    for (const auto& task : *tasks) {
        if ((task.flags & ESCORT_TASK_GONE) != 0) continue;
        alive++;
        stopped += (task.flags & ESCORT_TASK_STOPPED) != 0;
    }
    return {stopped, alive};
}

} // namespace

TEST_CASE(
    "life: a frozen session stands still at its next fork, exec and uid change, and dies when it must") {
    for (int act = 0; act < 3; act++) {
        CAPTURE(act);
        Kernel kernel;
        kernel.rules(60'000);
        int gate[2];
        REQUIRE(pipe(gate) == 0);
        Child child([&] {
            syscall(SYS_setresuid, kSupport, kSupport, 0);
            if (act == 2) syscall(SYS_setresuid, -1, 0, -1); // so that the change asks for the capability
            char byte = 0;
            if (read(gate[0], &byte, 1) != 1) _exit(3);
            if (act == 0 && fork() == 0) _exit(0);
            if (act == 1) execl("/bin/true", "true", nullptr);
            if (act == 2) syscall(SYS_setresuid, kTenant, kTenant, kTenant);
        });
        REQUIRE(eventually([&] { return kernel.state.sessions().size() == 1; }));
        const auto id = only_session(kernel);
        const escort_verdict frozen{kNever, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_FROZEN, 0};
        REQUIRE(kernel.state.set_verdict(id, frozen));
        REQUIRE(write(gate[1], "x", 1) == 1);
        // The child that was forked stands still, too, where the kernel has the means: at task_newtask.
        const std::size_t tasks = act == 0 && kernel_has("bpf_send_signal_task") ? 2 : 1;
        CHECK(eventually([&] { return standing(kernel, id) == std::pair(tasks, tasks); }));
        CHECK(child.alive());
        // Woken by somebody else it gets no further than its next hook; and dead is dead, frozen or not.
        if (act == 1) {
            REQUIRE(kernel.state.set_verdict(id, {0, frozen.flags | ESCORT_VERDICT_DEAD, 0}));
            REQUIRE(sweep(kernel.state, id));
            CHECK(child.wait() == -SIGKILL);
        } else {
            REQUIRE(kernel.state.set_verdict(id, {kNever, ESCORT_VERDICT_JUDGED, 0}));
            const auto stopped = kernel.state.labelled(id);
            REQUIRE(stopped);
            for (const auto& task : *stopped)
                kill(static_cast<pid_t>(task.tgid), SIGCONT);
            CHECK(child.wait() == 0);
        }
        close(gate[0]);
        close(gate[1]);
    }
}

TEST_CASE("life: an observed session is never stopped") {
    Kernel kernel;
    kernel.rules(60'000);
    int gate[2];
    REQUIRE(pipe(gate) == 0);
    Child child([&] {
        become(kSupport);
        char byte = 0;
        if (read(gate[0], &byte, 1) != 1) _exit(3);
        execl("/bin/true", "true", nullptr);
    });
    REQUIRE(eventually([&] { return kernel.state.sessions().size() == 1; }));
    REQUIRE(kernel.state.set_verdict(only_session(kernel),
                                     {kNever, ESCORT_VERDICT_FROZEN | ESCORT_VERDICT_OBSERVE, 0}));
    REQUIRE(write(gate[1], "x", 1) == 1);
    CHECK(child.wait() == 0);
    close(gate[0]);
    close(gate[1]);
}

TEST_CASE("life: a session's last exec or fork is known, and its tasks' terminal") {
    Kernel kernel;
    kernel.rules(60'000);
    int gate[2];
    REQUIRE(pipe(gate) == 0);
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(terminal >= 0);
    REQUIRE(grantpt(terminal) == 0);
    REQUIRE(unlockpt(terminal) == 0);
    const std::string name = ptsname(terminal);
    Child child([&] {
        setsid();
        if (open(name.c_str(), O_RDWR) < 0)
            _exit(4); // a session leader's first terminal is its controlling one
        become(kSupport);
        char byte = 0;
        if (read(gate[0], &byte, 1) != 1) _exit(3);
        execl("/bin/sleep", "sleep", "60", nullptr);
    });
    REQUIRE(eventually([&] { return kernel.state.sessions().size() == 1; }));
    const auto id = only_session(kernel);
    const auto before = kernel.state.session(id)->activity_ns;
    CHECK(before == kernel.state.session(id)->opened_ns);
    const auto tasks = kernel.state.labelled(id);
    REQUIRE(tasks);
    REQUIRE(tasks->size() == 1);
    CHECK("/dev/" + std::string((*tasks)[0].tty) == name);
    CHECK(((*tasks)[0].flags & ESCORT_TASK_STOPPED) == 0);
    REQUIRE(write(gate[1], "x", 1) == 1);
    CHECK(eventually([&] { return kernel.state.session(id)->activity_ns > before; }));
    close(terminal);
    close(gate[0]);
    close(gate[1]);
}

TEST_CASE("life: what is known of our own maps doesn't add up over restarts") {
    const auto named = [](const Kernel& kernel) {
        std::size_t count = 0;
        std::uint32_t id = 0;
        const int names = kernel.programs.map("own_maps");
        for (const std::uint32_t* last = nullptr; bpf_map_get_next_key(names, last, &id) == 0; last = &id)
            ++count;
        return count;
    };
    auto kernel = std::make_unique<Kernel>();
    kernel->rules(60'000);
    const auto first = named(*kernel);
    CHECK(first > 15);
    kernel->rules(30'000);
    CHECK(named(*kernel) == first);
    kernel.reset();
    Kernel next(Pins::adopted);
    next.rules(60'000);
    CHECK(named(next) == first);
}
