// A listed unit: its own program and what it may run go on, anything else that it execs is a session.
#include "fixture.h"

#include "kernel/running_units.h"

#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <iterator>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace escort;
using namespace escort::test;

namespace {

constexpr const char* kUnit = "escort-test-agent.service";

// A cgroup at exactly /system.slice/UNIT, and a folder with a guest agent made of scripts.
class Unit {
  public:
    Unit() : folder_(std::string(std::getenv("ESCORT_TEST_BPFFS")) + "-unit"), groups_(folder_ + "/cgroup") {
        mkdir(folder_.c_str(), 0755);
        REQUIRE(mount("tmpfs", folder_.c_str(), "tmpfs", 0, nullptr) == 0);
        REQUIRE(mkdir(groups_.c_str(), 0755) == 0);
        REQUIRE(mount("cgroup2", groups_.c_str(), "cgroup2", 0, nullptr) == 0);
        made_slice_ = mkdir((groups_ + "/system.slice").c_str(), 0755) == 0;
        REQUIRE(mkdir(group().c_str(), 0755) == 0);
    }
    ~Unit() {
        CHECK(eventually([&] { return rmdir(group().c_str()) == 0; }));
        if (made_slice_) rmdir((groups_ + "/system.slice").c_str());
        umount2(groups_.c_str(), MNT_DETACH);
        umount2(folder_.c_str(), MNT_DETACH);
        rmdir(folder_.c_str());
    }
    Unit(const Unit&) = delete;
    Unit& operator=(const Unit&) = delete;

    [[nodiscard]] std::string group() const { return groups_ + "/system.slice/" + kUnit; }
    [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }
    std::string script(const std::string& name, const std::string& text) const {
        std::ofstream(file(name)) << text;
        chmod(file(name).c_str(), 0755);
        return file(name);
    }
    // In the child: into the unit's cgroup, as PID 1 does before it execs.
    void enter() const { std::ofstream(group() + "/cgroup.procs") << getpid() << std::flush; }
    // The guest agent, started by PID 1 (which this test is): runs `commands`, and says how it came out.
    int agent(const std::string& commands) const {
        const std::string path = script("agent", commands);
        return run([&] {
            enter();
            execl("/bin/sh", "sh", path.c_str(), "-daemon", nullptr);
        });
    }

  private:
    std::string folder_, groups_;
    bool made_slice_ = false;
};

std::vector<escort_event> opened(Kernel& kernel) {
    std::vector<escort_event> all;
    for (const auto& event : kernel.events())
        if (event.type == ESCORT_EVENT_OPENED) all.push_back(event);
    return all;
}

constexpr int kKilled = 128 + SIGKILL;

} // namespace

TEST_CASE(
    "unit: its own start and what it may run open nothing; the rest dies before its first instruction") {
    const Unit unit;
    Kernel kernel;
    kernel.unit(kUnit, {"/usr/bin/true", "/usr/bin/mk*r"}, 0);
    CHECK(unit.agent("/bin/true && /bin/mkdir " + unit.file("made") + "; exit $?\n") == 0);
    CHECK(opened(kernel).empty());

    CHECK(unit.agent("/bin/touch " + unit.file("canary") + "\nexit $?\n") == kKilled);
    CHECK(access(unit.file("canary").c_str(), F_OK) != 0);
    const auto events = opened(kernel);
    REQUIRE(events.size() == 1);
    CHECK(events[0].entry == ESCORT_ENTRY_UNIT);
    CHECK(events[0].uid == 0);
    CHECK(std::string(events[0].cgroup) == kUnit);
    CHECK(std::string(events[0].exe) == "touch");
    CHECK(events[0].reason == ESCORT_REASON_NO_WINDOW);
    CHECK(events[0].flags == (ESCORT_EVENT_REFUSED | ESCORT_EVENT_SIGNALLED));
    CHECK(eventually([&] { return kernel.state.sessions().empty(); }));
}

TEST_CASE(
    "unit: its program again, with other options, is its own; its interpreter with another script is not") {
    const Unit unit;
    Kernel kernel;
    kernel.unit(kUnit, {}, 0);
    const std::string other = unit.script("other", ": > " + unit.file("canary") + "\n");
    CHECK(unit.agent("[ \"$1\" = -child ] && exit 5\n/bin/sh $0 -child\n[ $? = 5 ] || exit 1\n"
                     "exec /bin/sh $0 -child\n") == 5);
    CHECK(opened(kernel).empty());
    CHECK(unit.agent("/bin/sh " + other + "\nexit $?\n") == kKilled);
    CHECK(unit.agent("exec /bin/sh -c ': > " + unit.file("canary") + "'\n") == -SIGKILL);
    CHECK(unit.agent("(/bin/sh " + other + " $0 -daemon) & wait $!\nexit $?\n") == kKilled);
    CHECK(access(unit.file("canary").c_str(), F_OK) != 0);
    CHECK(opened(kernel).size() == 3);
}

TEST_CASE("unit: a script counts by its own path, not by its interpreter's; a name must be clean") {
    const Unit unit;
    Kernel kernel;
    const std::string text = "#!/bin/sh\n: > " + unit.file("canary") + "\n";
    const std::string script = unit.script("script", text), hidden = unit.script("hidden", text);
    kernel.unit(kUnit, {"/usr/bin/dash", unit.file("scr*")}, 0);
    CHECK(unit.agent(hidden + "\nexit $?\n") == kKilled); // though dash itself is listed
    CHECK(unit.agent("cd " + unit.file("") + "; ./script\nexit $?\n") == kKilled);
    CHECK(unit.agent(unit.file("script/../hidden") + "\nexit $?\n") != 0);
    mkdir(unit.file("scr").c_str(), 0755);
    CHECK(unit.agent(unit.file("scr/../hidden") + "\nexit $?\n") == kKilled);
    CHECK(access(unit.file("canary").c_str(), F_OK) != 0);
    CHECK(unit.agent(script + "\nexit $?\n") == 0);
    CHECK(access(unit.file("canary").c_str(), F_OK) == 0);
}

TEST_CASE("unit: a program that is listed by a link's name, and arguments where they are listed") {
    const Unit unit;
    Kernel kernel;
    REQUIRE(symlink("/usr/bin/true", unit.file("link").c_str()) == 0);
    kernel.unit(kUnit, {unit.file("link"), "/usr/bin/dash " + unit.file("sc*t") + " -run"}, 0);
    CHECK(unit.agent(unit.file("link") + "\nexit $?\n") == 0);
    CHECK(unit.agent("/usr/bin/true\nexit $?\n") == kKilled);
    const std::string script = unit.script("script", "exit 6\n");
    CHECK(unit.agent("/bin/sh " + script + " -run\nexit $?\n") == 6);
    CHECK(unit.agent("/bin/sh " + script + "\nexit $?\n") == kKilled);
    CHECK(unit.agent("/bin/sh " + script + " -run more\nexit $?\n") == kKilled);
    CHECK(unit.agent("/bin/sh '" + unit.file("sc x t") + "' -run\nexit $?\n") ==
          2); // dash found no such file
}

TEST_CASE("unit: with a window a session opens, and what it runs stays in it") {
    const Unit unit;
    Kernel kernel;
    kernel.unit(kUnit, {}, 60'000);
    CHECK(unit.agent("/bin/sh -c '/bin/true && /bin/true; exit 4'\nexit $?\n") == 4);
    const auto events = opened(kernel);
    REQUIRE(events.size() == 1);
    CHECK(events[0].reason == ESCORT_REASON_WINDOW);
    CHECK(kernel.state.session(events[0].id)->entry == ESCORT_ENTRY_UNIT);

    kernel.unit(kUnit, {}, 0, Mode::observe);
    CHECK(unit.agent("/bin/true\nexit $?\n") == 0);
    CHECK(opened(kernel).at(0).flags == ESCORT_EVENT_OBSERVED);
}

TEST_CASE("unit: whoever stands elsewhere is none of it") {
    const Unit unit;
    Kernel kernel;
    kernel.unit("escort-test-agent.servic", {}, 0);
    CHECK(unit.agent("/bin/true\nexit $?\n") == 0);
    kernel.unit(kUnit, {}, 0);
    CHECK(run([] { execl("/bin/sh", "sh", "-c", "/bin/true; exit $?", nullptr); }) == 0);
    CHECK(opened(kernel).empty());
    // ... but who leaves its cgroup is still the unit's.
    CHECK(unit.agent("echo $$ > " + unit.group() + "/../../cgroup.procs; /bin/true\nexit $?\n") == kKilled);
}

TEST_CASE("unit: a task that PID 1 did not fork has no start of its own") {
    const Unit unit;
    Kernel kernel;
    kernel.unit(kUnit, {}, 0);
    CHECK(run([&] {
              Child inner([&] {
                  unit.enter();
                  execl("/bin/true", "true", nullptr);
              });
              _exit(inner.wait() == -SIGKILL ? 5 : 0);
          }) == 5);
    // Twice forked and left by its parent, so that PID 1 is its parent now: as little.
    const std::string orphan = "(/bin/sh -c ': > " + unit.file("canary") + "' & ) ; exit 0\n";
    CHECK(unit.agent(orphan) == 0);
    usleep(50'000);
    CHECK(access(unit.file("canary").c_str(), F_OK) != 0);
}

TEST_CASE("unit: one that runs already when it is listed goes on, and is held to its list") {
    const Unit unit;
    Kernel kernel;
    kernel.rules(0);
    const std::string path =
        unit.script("agent", "[ \"$1\" = -child ] && exit 0\nread go < " + unit.file("fifo") +
                                 "\n/bin/sh $0 -child || exit 1\n/bin/true\nexit $?\n");
    REQUIRE(mkfifo(unit.file("fifo").c_str(), 0600) == 0);
    Child agent([&] {
        unit.enter();
        execl("/bin/sh", "sh", path.c_str(), "-daemon", nullptr);
    });
    REQUIRE(eventually([&] {
        std::ifstream file("/proc/" + std::to_string(agent.pid()) + "/comm");
        return std::string(std::istreambuf_iterator<char>(file), {}) == "sh\n";
    }));
    kernel.unit(kUnit, {}, 0);
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, agent.pid(), 0));
    const auto noted = kernel.state.unit_task(pidfd);
    REQUIRE(noted);
    CHECK(noted->state == ESCORT_UNIT_OWN);
    CHECK(std::string(noted->own.bytes + noted->own.begin) == "/usr/bin/dash");
    CHECK(std::string(noted->own.bytes + ESCORT_TEXT_HALF) == path);
    CHECK(noted->own.end == ESCORT_TEXT_HALF + path.size() + 1);
    close(pidfd);
    std::ofstream(unit.file("fifo")) << "go\n" << std::flush;
    CHECK(agent.wait() == kKilled);
    CHECK(opened(kernel).size() == 1);
}
