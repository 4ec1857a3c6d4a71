#include "kernel/canary.h"

#include "base/own_program.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr int kCouldNot = 3; // exit code of a child whose call was refused

// In the child after fork: bare system calls only.
[[noreturn]] void enter(IdentityCall call, std::uint32_t uid, int word) {
    long entered = -1;
    switch (call) {
    case IdentityCall::setuid:
        entered = ::syscall(SYS_setuid, uid);
        break;
    case IdentityCall::setreuid:
        entered = ::syscall(SYS_setreuid, uid, uid);
        break;
    case IdentityCall::setresuid:
        entered = ::syscall(SYS_setresuid, uid, uid, uid);
        break;
    }
    if (entered != 0) ::_exit(kCouldNot);
    const ssize_t said = ::write(word, "!", 1);
    ::_exit(said == 1 ? 0 : 1);
}

// Of a child that is not reaped yet, so the pid is its own.
Result<Fd> watch(pid_t pid) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd.valid()) return pidfd;
    const int error = errno;
    ::waitpid(pid, nullptr, 0); // it ends by itself; no bare pid is ever signalled (sandbox/calls.cpp)
    return fail_errno("canary", "pidfd_open", error);
}

bool heard(const Canary& canary) {
    char byte = 0;
    return canary.word.valid() && ::read(canary.word.get(), &byte, 1) == 1;
}

} // namespace

const char* to_string(IdentityCall call) {
    switch (call) {
    case IdentityCall::setuid:
        return "setuid";
    case IdentityCall::setreuid:
        return "setreuid";
    case IdentityCall::setresuid:
        break;
    }
    return "setresuid";
}

Result<Canary> start_canary(IdentityCall call, std::uint32_t uid) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno("canary", "pipe", errno);
    Canary canary{{}, Fd(ends[0])};
    const Fd its_end(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("canary", "fork", errno);
    if (pid == 0) enter(call, uid, its_end.get());
    auto pidfd = watch(pid);
    if (!pidfd) return tl::unexpected(pidfd.error());
    canary.pidfd = std::move(*pidfd);
    return canary;
}

Result<Canary> start_exercise() {
    std::string name = "escortd", version = "--version";
    const std::array<char*, 3> arguments{name.data(), version.data(), nullptr};
    const std::array<char*, 1> environment{nullptr};
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    pid_t pid = -1;
    const int error =
        ::posix_spawn(&pid, kOwnProgram, &actions, nullptr, arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return fail_errno("exercise", "start", error);
    auto pidfd = watch(pid);
    if (!pidfd) return tl::unexpected(pidfd.error());
    return Canary{std::move(*pidfd), {}};
}

CanaryEnd end_of(const Canary& canary) {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(canary.pidfd.get()), &info, WEXITED | WNOHANG) != 0)
        return errno == ECHILD ? CanaryEnd::ended : CanaryEnd::running;
    if (info.si_pid == 0) return CanaryEnd::running;
    if (heard(canary)) return CanaryEnd::lived;
    if (info.si_code == CLD_KILLED && info.si_status == SIGKILL) return CanaryEnd::killed;
    if (info.si_code == CLD_EXITED && info.si_status == kCouldNot && canary.word.valid())
        return CanaryEnd::could_not;
    return CanaryEnd::ended;
}

void kill_canary(const Canary& canary) {
    ::syscall(SYS_pidfd_send_signal, canary.pidfd.get(), SIGKILL, nullptr, 0);
}

} // namespace escort
