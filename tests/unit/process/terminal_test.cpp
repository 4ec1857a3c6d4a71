// A terminal's idle time, and a line that is written to it without waiting.
#include "process/terminal.h"

#include "base/clock.h"
#include "base/moment.h"

#include <cerrno>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>

using namespace escort;

namespace {
struct Pty {
    Pty() {
        int master = -1, slave = -1;
        char path[64] = {};
        REQUIRE(::openpty(&master, &slave, path, nullptr, nullptr) == 0);
        ours = Fd(master);
        theirs = Fd(slave);
        name = std::string(path).substr(5); // without "/dev/"
    }
    // All that the terminal shows, which comes in pieces: until nothing has come for a while.
    std::string shown() const {
        std::string all;
        pollfd wait{ours.get(), POLLIN, 0};
        while (::poll(&wait, 1, 100) == 1) {
            char text[4096];
            const ssize_t got = ::read(ours.get(), text, sizeof text);
            if (got <= 0) break;
            all.append(text, static_cast<std::size_t>(got));
        }
        return all;
    }
    Fd ours, theirs;
    std::string name;
};
} // namespace

TEST_CASE("terminal: names") {
    for (const char* name : {"pts/0", "pts/4194303", "tty1", "ttyS0", "ttyAMA0", "hvc0", "console"})
        CHECK_MESSAGE(is_terminal_name(name), name);
    for (const char* name : {"", "pts", "pts/", "pts/ptmx", "pts/../watchdog", "tty", "tty1/../x", "watchdog",
                             "null", "/dev/pts/1", "pts/1 ", "ttyS0000000000000000000000000000000"})
        CHECK_FALSE_MESSAGE(is_terminal_name(name), name);
}

TEST_CASE("terminal: one line, of printable characters") {
    const Pty pty;
    REQUIRE(write_line(pty.name, "Session ends in 5 min\n\x1b]0;x\a\xc3\xa9"));
    CHECK(pty.shown() == "\r\r\nSession ends in 5 min??]0;x???\r\r\n"); // the terminal adds a \r to each \n
    REQUIRE(write_line(pty.name, std::string(5000, 'x')));
    CHECK(pty.shown() == "\r\r\n" + std::string(kTerminalLine, 'x') + "\r\r\n");
}

TEST_CASE("terminal: one that takes nothing is an error, at once") {
    const Pty pty;
    REQUIRE(::tcflow(pty.theirs.get(), TCOOFF) == 0); // as ^S does
    const auto begin = boot_ns();
    CHECK_FALSE(write_line(pty.name, "hello"));
    CHECK(boot_ns() - begin < kNsPerSecond);
    REQUIRE(::tcflow(pty.theirs.get(), TCOON) == 0);

    Status last;
    for (int i = 0; i < 1000 && last; ++i)
        last = write_line(pty.name, std::string(1000, 'x')); // nobody reads
    CHECK_FALSE(last);

    CHECK_FALSE(write_line("pts/1000000", "hello"));
    CHECK(write_line("null", "hello").error().why == "is not a terminal's name");
}

TEST_CASE("terminal: idle since it was last read from") {
    const Pty pty;
    struct timespec times[2] = {{wall_seconds() - 100, 0}, {wall_seconds() - 3, 0}};
    REQUIRE(::futimens(pty.theirs.get(), times) == 0); // read 100 s ago, written to 3 s ago
    CHECK(terminal_idle_ns(pty.name, times[0].tv_sec + 100).value() == 100 * kNsPerSecond);
    CHECK(terminal_idle_ns(pty.name, times[0].tv_sec - 1).value() == 0);

    REQUIRE(::write(pty.ours.get(), "typed\n", 6) == 6);
    char text[16];
    REQUIRE(::read(pty.theirs.get(), text, sizeof text) == 6);
    CHECK(terminal_idle_ns(pty.name, wall_seconds()).value() <= 8 * kNsPerSecond);
    CHECK_FALSE(terminal_idle_ns("pts/1000000", 0));
    CHECK_FALSE(terminal_idle_ns("null", 0));
}

TEST_CASE("terminal: the controlling one of a process") {
    const Pty pty;
    CHECK_FALSE(terminal_of(Process::open(1).value()));
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (::login_tty(pty.theirs.get()) != 0) ::_exit(1);
        (void)!::write(1, "x", 1);
        ::pause();
        ::_exit(0);
    }
    CHECK(pty.shown() == "x");
    CHECK(terminal_of(Process::open(pid).value()).value() == pty.name);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}
