#include "courier/sandbox.h"

#include "sandbox/calls.h"
#include "sandbox/capabilities.h"
#include "sandbox/filter.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace escort::courier {

namespace {

constexpr std::uint64_t kInt = 0xffff'ffff;
constexpr std::uint64_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

void add(std::vector<AllowedCall>& calls, const char* reason, std::initializer_list<const char*> names) {
    for (const char* name : names)
        calls.push_back({name, reason});
}

std::vector<AllowedCall> table() {
    std::vector<AllowedCall> calls;
    for (const int family : {AF_INET, AF_INET6, AF_UNIX})
        for (const char* call : {"socket", "socketpair"})
            calls.push_back({call,
                             "brokers, the resolver's daemon, the service manager",
                             {{0, kInt, static_cast<std::uint64_t>(family)}}});
    calls.push_back({"socket",
                     "getaddrinfo(3) asks which addresses this host has",
                     {{0, kInt, AF_NETLINK}, {2, kInt, NETLINK_ROUTE}}});
    calls.push_back({"clone", "libcurl's resolver and cnats are threads", {{0, kNewNamespaces, 0}}});
    calls.push_back({"mmap", "memory", {{2, PROT_EXEC, 0}}});
    calls.push_back({"mmap", "code of an NSS module", {{2, PROT_WRITE, 0}}});
    calls.push_back({"mprotect", "read-only after relocation; stacks of threads", {{2, PROT_EXEC, 0}}});
    calls.push_back({"ioctl", "is it a terminal?", {{1, kInt, TCGETS}}});
    calls.push_back({"ioctl", "how much waits on a socket", {{1, kInt, FIONREAD}}});
    calls.push_back({"ioctl", "a socket that doesn't block", {{1, kInt, FIONBIO}}});
    calls.push_back({"prctl", "threads name themselves", {{0, kInt, PR_SET_NAME}}});
    calls.push_back(
        {"tgkill", "abort(3), by itself alone", {{0, kInt, static_cast<std::uint64_t>(::getpid())}}});
    calls.push_back({"prlimit64", "limits are read, never set", {{2, ~std::uint64_t{0}, 0}}});
    add(calls, "certificates, credentials, resolver's files",
        {"open",   "openat",    "read",       "readv",    "pread64",    "lseek",
         "close",  "stat",      "fstat",      "lstat",    "newfstatat", "statx",
         "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64",
         "getcwd", "fadvise64", "statfs",     "fstatfs"});
    add(calls, "the spool and the report",
        {"write", "writev", "fsync", "fdatasync", "fchmod", "rename", "renameat", "renameat2", "unlink",
         "unlinkat", "flock"});
    add(calls, "descriptors", {"dup", "dup2", "dup3", "fcntl", "pipe", "pipe2", "close_range", "eventfd2"});
    add(calls, "the event loop; libraries' waits",
        {"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select",
         "pselect6", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd4", "inotify_init1",
         "inotify_add_watch", "inotify_rm_watch"});
    add(calls, "connections",
        {"bind", "connect", "getsockname", "getpeername", "getsockopt", "setsockopt", "sendto", "sendmsg",
         "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "shutdown"});
    add(calls, "memory", {"munmap", "mremap", "madvise", "brk"});
    add(calls, "time",
        {"clock_gettime", "clock_getres", "gettimeofday", "time", "clock_nanosleep", "nanosleep"});
    add(calls, "signals of its own",
        {"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack",
         "restart_syscall"});
    add(calls, "who it is itself, and less of it",
        {"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid",
         "capget", "capset", "uname", "sysinfo", "getrusage", "getrlimit", "sched_getaffinity", "getcpu",
         "getrandom"});
    add(calls, "threads",
        {"set_robust_list", "rseq", "futex", "sched_yield", "membarrier", "exit", "exit_group"});
#ifdef ESCORT_SANITIZED
    add(calls, "LeakSanitizer, only in a build with it",
        {"ptrace", "process_vm_readv", "personality", "clone", "mmap", "mprotect", "tgkill", "getdents",
         "wait4", "prlimit64", "prctl", "arch_prctl", "fork"});
#endif
    return calls;
}

} // namespace

Status enter_sandbox() {
    return drop_capabilities().and_then([] { return load_filter(table()); });
}

} // namespace escort::courier
