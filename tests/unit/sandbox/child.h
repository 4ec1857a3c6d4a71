// A child that enters the sandbox, or a part of it, and tries something.
#pragma once

#include <cerrno>
#include <csignal>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

namespace escort {

constexpr int kOpened = 0;        // it was let through
constexpr int kDidNotEnter = 200; // the sandbox itself failed
constexpr int kBySignal = 300;    // + the signal that ended the child

// `trial` says 0, or the errno it met (below 200). What the child's end was, in these numbers.
inline int in_child(const std::function<bool()>& enter, const std::function<int()>& trial) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        for (const int fatal : {SIGSEGV, SIGABRT, SIGSYS})
            ::signal(fatal, SIG_DFL); // doctest's own handlers would tell of a crash that is wanted
        ::_exit(enter() ? trial() : kDidNotEnter);
    }
    int status = 0;
    if (pid < 0 || ::waitpid(pid, &status, 0) != pid) return -1;
    return WIFSIGNALED(status) ? kBySignal + WTERMSIG(status) : WEXITSTATUS(status);
}

// 0 or errno, of a call that says -1 when it fails.
inline int outcome(long result) {
    return result == -1 ? errno : kOpened;
}

} // namespace escort
