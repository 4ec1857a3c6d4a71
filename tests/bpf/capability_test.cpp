// What only the hook set `capability` has to work out for itself; the other sets must come out the same.
#include "fixture.h"

#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

using namespace escort;
using namespace escort::test;

namespace {

// Gives the process `pid` its uid map from outside, once a byte comes through `asked`; answers through
// `done`.
void write_map(pid_t pid, const std::string& map, int asked, int done) {
    char byte = 0;
    if (read(asked, &byte, 1) != 1) _exit(1);
    const int file = open(("/proc/" + std::to_string(pid) + "/uid_map").c_str(), O_WRONLY);
    if (write(file, map.data(), map.size()) != static_cast<ssize_t>(map.size())) _exit(1);
    if (write(done, &byte, 1) != 1) _exit(1);
    _exit(0);
}

// Becomes uid 5 of a user namespace with this map; 5 when that worked.
void become_five(const std::string& map) {
    int ask[2];
    int answer[2];
    char byte = 0;
    if (pipe(ask) != 0 || pipe(answer) != 0) _exit(1);
    const pid_t self = getpid();
    if (fork() == 0) write_map(self, map, ask[0], answer[1]);
    if (unshare(CLONE_NEWUSER) != 0 || write(ask[1], &byte, 1) != 1 || read(answer[0], &byte, 1) != 1)
        _exit(2);
    syscall(SYS_setresuid, 5, 5, 5);
    _exit(static_cast<int>(getuid()));
}

} // namespace

TEST_CASE("capability: a uid that the caller's user namespace counts otherwise") {
    Kernel kernel;
    kernel.rules(0);
    const std::string few = "0 0 1\n5 " + std::to_string(kSupport) + " 1\n";
    const std::string many =
        few + "6 70001 1\n7 70003 1\n8 70005 1\n9 70007 1\n10 70009 1\n"; // kept elsewhere
    CHECK(run([&] { become_five(few); }) == -SIGKILL);
    CHECK(run([&] { become_five(many); }) == -SIGKILL);
    CHECK(run([&] { become_five("0 0 1\n5 1500 1\n6 " + std::to_string(kSupport) + " 1\n"); }) == 5);
}

TEST_CASE(
    "capability: a real uid taken from the effective one needs no capability; its exec or fork ends it") {
    Kernel kernel;
    kernel.rules(0);
    const auto take_uid = [] {
        syscall(SYS_setresuid, -1, kSupport, -1);
        syscall(SYS_setresuid, kSupport, -1, -1);
    };
    CHECK(run([&] {
              take_uid();
              execl("/bin/true", "true", nullptr);
          }) == -SIGKILL);
    int from_child[2];
    REQUIRE(pipe(from_child) == 0);
    CHECK(run([&] {
              take_uid();
              if (fork() != 0) _exit(3);
              usleep(100'000);
              _exit(static_cast<int>(write(from_child[1], "x", 1)));
          }) == -SIGKILL);
    close(from_child[1]);
    char byte = 0;
    CHECK(read(from_child[0], &byte, 1) == 0); // the child is dead, too
    close(from_child[0]);
}
