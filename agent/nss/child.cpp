#include "nss/child.h"

#include "base/own_program.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace escort {

namespace {

// What posix_spawn is told beside program and arguments. Both objects are always initialised and destroyed.
class SpawnSettings {
  public:
    SpawnSettings() {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
    ~SpawnSettings() {
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&actions);
    }

    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
};

// The daemon blocks the signals that its loop handles; the child must not inherit that.
void reset_signals(posix_spawnattr_t& attributes) {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

// glibc 2.36's own declaration (sys/pidfd.h) has C++ linkage and doesn't link.
int open_pidfd(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

} // namespace

Result<Child> spawn_child(const std::string& program, const std::vector<std::string>& arguments,
                          int child_fd) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail_errno(program, "socketpair", errno);
    Child child{Fd(ends[0]), {}};
    Fd its_end(ends[1]);

    SpawnSettings settings;
    reset_signals(settings.attributes);
    // Also where the number is the same already: glibc then takes close-on-exec away.
    ::posix_spawn_file_actions_adddup2(&settings.actions, its_end.get(), child_fd);
    std::vector<std::string> argument_copies = arguments;
    std::vector<char*> argv;
    for (auto& argument : argument_copies)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    std::string locale = "LC_ALL=C";
    const std::array<char*, 3> environment{path.data(), locale.data(), nullptr};
    pid_t pid = -1;
    // The sandbox knows the daemon's own program by its address (base/own_program.h).
    const char* const file = program == kOwnProgram ? kOwnProgram : program.c_str();
    const int error =
        ::posix_spawn(&pid, file, &settings.actions, &settings.attributes, argv.data(), environment.data());
    if (error != 0) return fail_errno(program, "start", error);
    child.pidfd = Fd(open_pidfd(pid)); // not reaped yet, so the pid is still its own
    if (!child.pidfd.valid()) {
        // No bare pid is ever signalled (sandbox/calls.cpp); without its socket it ends by itself.
        const int reason = errno;
        child.socket.reset();
        its_end.reset();
        ::waitpid(pid, nullptr, 0);
        return fail_errno(program, "pidfd_open", reason);
    }
    return child;
}

void kill_child(const Child& child) {
    ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0);
}

bool reap_child(const Child& child) {
    siginfo_t info{};
    const int done = ::waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &info, WEXITED | WNOHANG);
    return done != 0 ? errno == ECHILD : info.si_pid != 0;
}

} // namespace escort
