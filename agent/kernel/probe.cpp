#include "kernel/probe.h"

#include "base/fd.h"
#include "kernel/rules.h"

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr int kLived = 0; // exit codes of the child
constexpr int kCouldNot = 1;
constexpr int kTimeoutMs = 1000;

// After fork, so by bare system calls only.
[[noreturn]] void enter_and_leave() {
    const long entered = ::syscall(SYS_setresuid, kProbeUid, kProbeUid, kProbeUid);
    ::_exit(entered == 0 ? kLived : kCouldNot);
}

} // namespace

Status prove_enforcement() {
    const pid_t child = ::fork();
    if (child < 0) return fail_errno("canary", "fork", errno);
    if (child == 0) enter_and_leave();
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    pollfd wait{pidfd.get(), POLLIN, 0};
    if (!pidfd.valid() || ::poll(&wait, 1, kTimeoutMs) != 1) ::kill(child, SIGKILL);
    int status = 0;
    if (::waitpid(child, &status, 0) != child) return fail_errno("canary", "wait", errno);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return {};
    if (WIFEXITED(status) && WEXITSTATUS(status) == kCouldNot)
        return fail("canary", "could not change its uid", "the agent needs CAP_SETUID");
    return fail("canary", "a session that must die lived: the kernel's hooks don't fire",
                "this host is not enforced; see `escortctl status`");
}

} // namespace escort
