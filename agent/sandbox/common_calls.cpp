#include "sandbox/common_calls.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

namespace escort {

namespace {

void add_common_arguments(std::vector<AllowedCall>& to) {
    // Memory that is written is never run.
    to.push_back({"mmap", "memory; maps' rings", {none_of(2, PROT_EXEC)}});
    to.push_back({"mmap", "an NSS module's code", {none_of(2, PROT_WRITE)}});
    to.push_back({"mprotect", "read-only after relocation; guard pages", {none_of(2, PROT_EXEC)}});
    to.push_back({"ioctl", "is this file a terminal?", {is(1, TCGETS)}});
    to.push_back({"ioctl", "how much waits on a socket or in inotify", {is(1, FIONREAD)}});
    to.push_back({"tgkill", "abort(3), by itself alone", {is(0, static_cast<std::uint64_t>(::getpid()))}});
    to.push_back({"prctl", "threads and libraries name themselves", {is(0, PR_SET_NAME)}});
    to.push_back({"prlimit64", "limits are read, never set", {{2, kWholeArgument, 0}}});
}

void add_files(std::vector<AllowedCall>& to) {
    add_calls(to, "reading files",
              {"open",   "openat",    "read",       "readv",    "pread64",    "lseek",
               "close",  "stat",      "fstat",      "lstat",    "newfstatat", "statx",
               "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64",
               "getcwd", "fadvise64", "statfs",     "fstatfs"});
    add_calls(to, "writing files, whole and by rename",
              {"write", "writev", "fsync", "fdatasync", "fchmod", "rename", "renameat", "renameat2", "unlink",
               "unlinkat", "flock"});
    add_calls(to, "descriptors", {"dup", "dup2", "dup3", "fcntl", "pipe", "pipe2", "close_range"});
}

void add_loop(std::vector<AllowedCall>& to) {
    add_calls(to, "the event loop; libraries' waits",
              {"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
               "select", "pselect6", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd4",
               "eventfd2", "inotify_init1", "inotify_add_watch", "inotify_rm_watch"});
    add_calls(to, "sockets that are there",
              {"bind", "connect", "getsockname", "getpeername", "getsockopt", "setsockopt", "sendto",
               "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "shutdown"});
}

void add_process(std::vector<AllowedCall>& to) {
    add_calls(to, "memory", {"munmap", "mremap", "madvise", "brk"});
    add_calls(to, "time",
              {"clock_gettime", "clock_getres", "gettimeofday", "time", "clock_nanosleep", "nanosleep"});
    add_calls(to, "signals of its own",
              {"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack",
               "restart_syscall"});
    add_calls(to, "who it is itself, and less of it",
              {"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid",
               "getresgid", "capget", "capset", "uname", "sysinfo", "getrusage", "getrlimit",
               "sched_getaffinity", "getcpu", "getrandom"});
    add_calls(to, "locks, start and end of threads and programs",
              {"set_robust_list", "rseq", "futex", "sched_yield", "membarrier", "exit", "exit_group"});
}

} // namespace

ArgumentCheck is(unsigned index, std::uint64_t value) {
    return {index, kIntArgument, value & kIntArgument};
}

ArgumentCheck none_of(unsigned index, std::uint64_t bits) {
    return {index, bits, 0};
}

void add_calls(std::vector<AllowedCall>& to, const char* reason, std::initializer_list<const char*> names) {
    for (const char* name : names)
        to.push_back({name, reason});
}

void add_common_calls(std::vector<AllowedCall>& to) {
    add_common_arguments(to);
    add_files(to);
    add_loop(to);
    add_process(to);
#ifdef ESCORT_SANITIZED
    // Leaks are looked for at the end by a thread that traces the others: no program that is installed has
    // these.
    add_calls(to, "LeakSanitizer, only in a build with it",
              {"ptrace", "process_vm_readv", "personality", "clone", "mmap", "mprotect", "tgkill", "getdents",
               "wait4", "prlimit64", "arch_prctl", "fork"});
    // Not prctl as a whole: that PR_SET_NO_NEW_PRIVS is refused tells the NSS helper where it is.
    for (const auto request : {PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_PTRACER})
        to.push_back(
            {"prctl", "LeakSanitizer, only in a build with it", {is(0, static_cast<unsigned>(request))}});
#endif
}

} // namespace escort
