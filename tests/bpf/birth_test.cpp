// When a session starts, and that one without a window dies before its next instruction.
#include "fixture.h"

#include "kernel/probe.h"

#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <optional>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace escort;
using namespace escort::test;

TEST_CASE("birth: every call that sets the real uid is a session's start, and refused without a window") {
    Kernel kernel;
    kernel.rules(0);
    CHECK(run([] { syscall(SYS_setuid, kSupport); }) == -SIGKILL);
    CHECK(run([] { syscall(SYS_setreuid, kSupport, -1); }) == -SIGKILL);
    CHECK(run([] { syscall(SYS_setresuid, kSupport, -1, -1); }) == -SIGKILL);
    CHECK(run([] { _exit(setuid(kSupport)); }) == -SIGKILL);

    const auto events = kernel.events();
    std::size_t opened = 0;
    for (const auto& event : events) {
        if (event.type != ESCORT_EVENT_OPENED) continue;
        opened++;
        CHECK(event.abi == ESCORT_ABI);
        CHECK(event.uid == kSupport);
        CHECK(event.reason == ESCORT_REASON_NO_WINDOW);
        CHECK(event.flags == (ESCORT_EVENT_REFUSED | ESCORT_EVENT_SIGNALLED));
        CHECK((event.id >> 32) == 0x7e57);
        CHECK(event.number == 1);
        CHECK(event.tgid > 1);
        CHECK(std::string(event.exe) == "bpf_tests");
    }
    CHECK(opened == 4);
    CHECK(kernel.state.counters()[ESCORT_COUNT_REFUSED] == 4);
    // A refused session leaves nothing in the maps, daemon or no daemon.
    CHECK(eventually([&] { return kernel.state.sessions().empty(); }));
}

TEST_CASE("birth: who doesn't enter a principal's real uid is left alone") {
    Kernel kernel;
    kernel.rules(0);
    CHECK(run([] { become(kTenant); }) == 0);
    CHECK(run([] { syscall(SYS_setresuid, -1, kSupport, -1), syscall(SYS_setresuid, -1, 0, -1); }) == 0);
    CHECK(run([] { syscall(SYS_setfsuid, kSupport); }) == 0);
    CHECK(run([] { become(kTenant), syscall(SYS_setuid, kSupport); }) == 0); // refused by the kernel: EPERM
    for (const auto& event : kernel.events())
        CHECK(event.type == ESCORT_EVENT_UNKNOWN);
}

TEST_CASE("birth: a uid that was never looked up is told of once") {
    Kernel kernel;
    kernel.rules(0);
    CHECK(run([] { become(kTenant); }) == 0);
    CHECK(run([] { become(kTenant); }) == 0);
    CHECK(run([] { become(1500); }) == 0); // below uid_min
    const auto events = kernel.events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].type == ESCORT_EVENT_UNKNOWN);
    CHECK(events[0].uid == kTenant);
    kernel.state.clear_known();
    CHECK(run([] { become(kTenant); }) == 0);
    CHECK(kernel.events().size() == 1);
}

TEST_CASE("birth: a window admits, until it is over, by the ways in that the policy lists") {
    Kernel kernel;
    kernel.rules(60'000);
    CHECK(run([] { become(kSupport); }) == 0);
    auto events = kernel.events();
    REQUIRE(!events.empty());
    CHECK(events[0].reason == ESCORT_REASON_WINDOW);
    CHECK(events[0].flags == 0);
    kernel.rules(1);
    usleep(5000);
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
}

TEST_CASE("birth: observe and the momentary change that pam_keyinit makes") {
    Kernel kernel;
    kernel.rules(0, Mode::observe);
    CHECK(run([] { become(kSupport); }) == 0);
    const auto events = kernel.events();
    REQUIRE(!events.empty());
    CHECK(events[0].flags == ESCORT_EVENT_OBSERVED);
    kernel.rules(20, Mode::observe); // a window that ends: nothing ends with it
    CHECK(run([] {
              syscall(SYS_setresuid, kSupport, kSupport, 0);
              usleep(50'000);
              syscall(SYS_setresuid, 0, 0, 0);
          }) == 0);
    kernel.events();

    kernel.rules(60'000);
    CHECK(run([] { syscall(SYS_setreuid, kSupport, -1), syscall(SYS_setreuid, 0, -1); }) == 0);
    CHECK(kernel.events().size() >= 2); // opened, last: the login process is labelled
}

namespace {

// A copy of a program that belongs to the account, set-user-ID, on a file system of its own.
class AccountsProgram {
  public:
    explicit AccountsProgram(const std::string& of, const std::string& name = "program")
        : folder_(std::string(std::getenv("ESCORT_TEST_BPFFS")) + "-setuid"), file_(folder_ + "/" + name) {
        mkdir(folder_.c_str(), 0755);
        REQUIRE(mount("tmpfs", folder_.c_str(), "tmpfs", 0, nullptr) == 0);
        REQUIRE(system(("cp " + of + " " + file_).c_str()) == 0);
        REQUIRE(chown(file_.c_str(), kSupport, 0) == 0);
        REQUIRE(chmod(file_.c_str(), 04755) == 0);
    }
    ~AccountsProgram() {
        umount2(folder_.c_str(), MNT_DETACH);
        rmdir(folder_.c_str());
    }
    AccountsProgram(const AccountsProgram&) = delete;
    AccountsProgram& operator=(const AccountsProgram&) = delete;
    [[nodiscard]] const char* path() const { return file_.c_str(); }

  private:
    std::string folder_, file_;
};

// A handler of binfmt_misc for files that end with its own name, with flag C: what runs is the interpreter,
// with what the file gives.
class Handler {
  public:
    explicit Handler(const std::string& interpreter)
        : folder_(std::string(std::getenv("ESCORT_TEST_BPFFS")) + "-binfmt") {
        mkdir(folder_.c_str(), 0755);
        REQUIRE(mount("none", folder_.c_str(), "binfmt_misc", 0, nullptr) == 0);
        write("/" + std::string(kName), "-1"); // of a run that was cut off
        REQUIRE(write("/register", std::string(":") + kName + ":E::" + kName + "::" + interpreter + ":C"));
    }
    ~Handler() {
        write("/" + std::string(kName), "-1");
        umount2(folder_.c_str(), MNT_DETACH);
        rmdir(folder_.c_str());
    }
    Handler(const Handler&) = delete;
    Handler& operator=(const Handler&) = delete;
    static constexpr const char* kName = "escort-bpf-tests";

  private:
    bool write(const std::string& file, const std::string& text) const {
        const Fd fd(open((folder_ + file).c_str(), O_WRONLY | O_CLOEXEC));
        return fd.valid() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    }
    std::string folder_;
};

} // namespace

TEST_CASE(
    "birth: a set-user-ID program of the account, or a file that binfmt_misc runs with its credentials") {
    Kernel kernel;
    kernel.rules(0);
    std::string name = "program";
    std::optional<Handler> handler;
    SUBCASE("a program") {}
    SUBCASE("a file") {
        handler.emplace("/bin/true");
        name += std::string(".") + Handler::kName;
    }
    const AccountsProgram program("/bin/true", name);
    const auto exec = [&] {
        become(kTenant);
        execl(program.path(), "true", nullptr);
        _exit(7);
    };
    CHECK(run(exec) == -SIGKILL);
    kernel.rules(0, Mode::observe);
    CHECK(run(exec) == 0);
}

TEST_CASE(
    "birth: a set-user-ID program of the account whose mode is another once the kernel has gone by it") {
    Kernel kernel;
    kernel.rules(0);
    const AccountsProgram program("/bin/dash");
    const Child flipping([&] {
        for (;;) {
            (void)chmod(program.path(), 04755);
            (void)chmod(program.path(), 0755);
        }
    });
    const std::string not_in = "test $(id -u) != " + std::to_string(kSupport);
    int in = 0, refused = 0;
    for (int i = 0; i < 2000; ++i) {
        const int end = run([&] {
            become(kTenant);
            execl(program.path(), "dash", "-p", "-c", not_in.c_str(), nullptr);
            _exit(7);
        });
        in += end == 1;
        refused += end == -SIGKILL;
    }
    CHECK(in == 0);
    CHECK(refused > 100);
}

TEST_CASE("birth: one thread of a root daemon takes the account's uid: the daemon is not hurt") {
    Kernel kernel;
    kernel.rules(0);
    CHECK(run([] {
              std::thread([] { become(kSupport); }).join();
              if (getuid() != 0) _exit(9);
          }) == 0);
    const auto events = kernel.events();
    REQUIRE(!events.empty());
    CHECK((events[0].flags & ESCORT_EVENT_THREAD_SPARED) != 0);
    CHECK((events[0].flags & ESCORT_EVENT_SIGNALLED) == 0);
    // ... but what that thread execs is refused.
    CHECK(run([] { std::thread([] { become(kSupport), execl("/bin/true", "true", nullptr); }).join(); }) ==
          -SIGKILL);
}

TEST_CASE("birth: threads that change their uid one by one are one session") {
    Kernel kernel;
    kernel.rules(60'000);
    CHECK(run([] {
              std::thread other([] { usleep(20'000); });
              if (setuid(kSupport) != 0) _exit(4); // glibc changes every thread
              other.join();
          }) == 0);
    std::size_t opened = 0;
    for (const auto& event : kernel.events())
        opened += event.type == ESCORT_EVENT_OPENED;
    CHECK(opened == 1);
}

TEST_CASE("birth: a PID namespace on the host's own root is governed, a container is not") {
    Kernel kernel;
    kernel.rules(0);
    const auto nested = [](bool container) {
        return [container] {
            if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) _exit(8);
            const pid_t inner = fork();
            if (inner == 0) {
                if (container && chroot("/proc") != 0) _exit(8); // any other root
                const pid_t leaf = fork();
                if (leaf == 0) {
                    become(kSupport);
                    _exit(0);
                }
                int status = 0;
                waitpid(leaf, &status, 0);
                _exit(WIFSIGNALED(status) ? 5 : 0);
            }
            int status = 0;
            waitpid(inner, &status, 0);
            _exit(WEXITSTATUS(status));
        };
    };
    CHECK(run(nested(false)) == 5);
    CHECK(run(nested(true)) == 0);
    CHECK(kernel.state.counters()[ESCORT_COUNT_UNGOVERNED] == 1);
}

TEST_CASE("birth: a container that has the host's PID namespace is not governed, a chroot is") {
    Kernel kernel;
    kernel.rules(0);
    const std::string root = std::string(std::getenv("ESCORT_TEST_BPFFS")) + "-root";
    mkdir(root.c_str(), 0755);
    const auto become_there = [&](bool container) {
        if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("tmpfs", root.c_str(), "tmpfs", 0, nullptr) != 0 || chdir(root.c_str()) != 0)
            _exit(8);
        if (container && syscall(SYS_pivot_root, ".", ".") != 0) _exit(8);
        if (!container && chroot(".") != 0) _exit(8);
        become(kSupport);
    };
    CHECK(run([&] { become_there(true); }) == 0);
    CHECK(run([&] { become_there(false); }) == -SIGKILL);
    CHECK(run([] {
              if (chroot("/proc") != 0) _exit(8);
              become(kSupport);
          }) == -SIGKILL);
    rmdir(root.c_str());
}

TEST_CASE("birth: the agent's canary dies with the hooks, and lives without its rule") {
    Kernel kernel;
    kernel.rules(0);
    const auto proof = prove_enforcement();
    if (!proof) FAIL(proof.error().text());
    REQUIRE(kernel.state.set_rules({}));
    CHECK_FALSE(prove_enforcement());
}
