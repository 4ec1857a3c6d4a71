#include "enforce/attached.h"

#include <csignal>
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace escort;

namespace {

// A child that sleeps until it is killed at the end.
struct Sleeper {
    pid_t pid = ::fork();
    Sleeper() {
        while (pid == 0)
            ::pause();
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    ~Sleeper() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    void stop() const {
        ::kill(pid, SIGSTOP);
        REQUIRE(::waitpid(pid, nullptr, WUNTRACED) == pid);
    }
    // Has it gone on since the last look?
    [[nodiscard]] bool continued() const { return ::waitpid(pid, nullptr, WCONTINUED | WNOHANG) == pid; }
};

} // namespace

TEST_CASE("attached: what a debugger has stopped goes on, once") {
    const Sleeper sleeper;
    Attached attached;
    attached.add(static_cast<std::uint32_t>(sleeper.pid));
    attached.wake();
    CHECK_FALSE(sleeper.continued()); // it runs: its SIGSTOP may still come
    sleeper.stop();
    attached.wake();
    CHECK(sleeper.continued());
    sleeper.stop(); // by somebody else, later
    attached.wake();
    CHECK_FALSE(sleeper.continued());
}

TEST_CASE("attached: nobody else is woken, and a process that is gone does no harm") {
    const Sleeper sleeper;
    sleeper.stop();
    Attached attached;
    {
        const Sleeper gone;
        attached.add(static_cast<std::uint32_t>(gone.pid));
    }
    attached.wake();
    attached.add(0);
    attached.wake();
    CHECK_FALSE(sleeper.continued());
}
