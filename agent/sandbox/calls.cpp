#include "sandbox/calls.h"

#include "base/own_program.h"
#include "kernel/rules.h"

#include <csignal>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::uint64_t kInt = 0xffff'ffff; // an int's half of the register; the other is not its caller's
constexpr std::uint64_t kWhole = ~std::uint64_t{0};
constexpr std::uint64_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

ArgumentCheck is(unsigned index, std::uint64_t value) {
    return {index, kInt, value & kInt};
}
ArgumentCheck none_of(unsigned index, std::uint64_t bits) {
    return {index, bits, 0};
}

void add_arguments(std::vector<AllowedCall>& calls) {
    // Kernel objects. Not here: attaching to cgroups and sockets, or looking at objects by others' numbers.
    for (const auto command : {BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
                               BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_LOOKUP_BATCH,
                               BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH,
                               BPF_MAP_FREEZE, BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_TEST_RUN, BPF_ITER_CREATE})
        calls.push_back({"bpf", "maps are read and written, task passes run", {is(0, command)}});
    for (const auto command : {BPF_PROG_LOAD, BPF_BTF_LOAD, BPF_BTF_GET_NEXT_ID, BPF_BTF_GET_FD_BY_ID,
                               BPF_PROG_BIND_MAP, BPF_LINK_CREATE, BPF_LINK_UPDATE, BPF_LINK_DETACH,
                               BPF_RAW_TRACEPOINT_OPEN, BPF_OBJ_PIN, BPF_OBJ_GET})
        calls.push_back({"bpf", "programs and pins that were taken away are put back", {is(0, command)}});
    for (const auto command : {BPF_ENABLE_STATS, BPF_PROG_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID})
        calls.push_back({"bpf", "doctor: how often each program ran", {is(0, command)}});
    calls.push_back(
        {"perf_event_open", "tracepoints are attached through it; never to one task", {is(1, ~0ULL)}});
    for (const auto request : {std::uint64_t{PERF_EVENT_IOC_SET_BPF}, std::uint64_t{PERF_EVENT_IOC_ENABLE},
                               std::uint64_t{PERF_EVENT_IOC_DISABLE}})
        calls.push_back({"ioctl", "the other half of attaching to a tracepoint", {is(1, request)}});
    calls.push_back({"ioctl", "is this file a terminal?", {is(1, TCGETS)}});
    calls.push_back({"ioctl", "how much waits on a socket or in inotify", {is(1, FIONREAD)}});

    for (const char* call : {"socket", "socketpair"})
        calls.push_back({call, "D-Bus, journal, service manager, NSS daemons, our own", {is(0, AF_UNIX)}});
    calls.push_back({"socket",
                     "addresses of connections where pidfd_getfd is forbidden",
                     {is(0, AF_NETLINK), is(2, NETLINK_SOCK_DIAG)}});

    // Processes of our own.
    calls.push_back({"clone",
                     "canary and NSS helper; no thread in a namespace of its own",
                     {none_of(0, kNewNamespaces)}});
    calls.push_back({"execve",
                     "the NSS helper is this program again; no other path, whoever asks",
                     {{0, kWhole, reinterpret_cast<std::uintptr_t>(kOwnProgram)}}});
    constexpr auto kNobody = kProbeUid;
    calls.push_back({"setuid", "the canary becomes what must die", {is(0, kNobody)}});
    calls.push_back({"setreuid", "the canary becomes what must die", {is(0, kNobody), is(1, kNobody)}});
    calls.push_back(
        {"setresuid", "the canary becomes what must die", {is(0, kNobody), is(1, kNobody), is(2, kNobody)}});
    calls.push_back({"tgkill", "abort(3), by itself alone", {is(0, static_cast<std::uint64_t>(::getpid()))}});
    calls.push_back({"prctl", "the helper goes when the daemon goes", {is(0, PR_SET_PDEATHSIG)}});
    calls.push_back({"prctl", "libraries ask, and name themselves", {is(0, PR_SET_NAME)}});
    for (const auto question : {PR_CAPBSET_READ, PR_GET_SECUREBITS})
        calls.push_back({"prctl", "libcap-ng asks what there is", {is(0, static_cast<unsigned>(question))}});
    calls.push_back(
        {"prctl", "libcap-ng asks what there is", {is(0, PR_CAP_AMBIENT), is(1, PR_CAP_AMBIENT_IS_SET)}});
    calls.push_back({"prlimit64", "limits are read, never set", {{2, kWhole, 0}}});

    // Memory that is written is never run.
    calls.push_back({"mmap", "memory; maps' rings", {none_of(2, PROT_EXEC)}});
    calls.push_back({"mmap", "an NSS module's code", {none_of(2, PROT_WRITE)}});
    calls.push_back({"mprotect", "read-only after relocation; guard pages", {none_of(2, PROT_EXEC)}});
}

void add(std::vector<AllowedCall>& calls, const char* reason, std::initializer_list<const char*> names) {
    for (const char* name : names)
        calls.push_back({name, reason});
}

void add_files(std::vector<AllowedCall>& calls) {
    add(calls, "reading: /proc, cgroups, policies, keys, spool",
        {"open",       "openat",     "read",   "readv",     "pread64",    "lseek",
         "close",      "stat",       "fstat",  "lstat",     "newfstatat", "statx",
         "statfs",     "fstatfs",    "access", "faccessat", "faccessat2", "readlink",
         "readlinkat", "getdents64", "getcwd", "fadvise64", "getxattr",   "fgetxattr"});
    add(calls, "writing: state, masks, cgroup.kill, terminals, journal",
        {"write",    "writev", "pwrite64", "ftruncate", "fsync",        "fdatasync", "fchmod",   "chmod",
         "fchmodat", "umask",  "rename",   "renameat",  "renameat2",    "unlink",    "unlinkat", "mkdir",
         "mkdirat",  "rmdir",  "symlink",  "symlinkat", "memfd_create", "flock"});
    add(calls, "descriptors", {"dup", "dup2", "dup3", "fcntl", "pipe", "pipe2", "close_range"});
}

void add_loop(std::vector<AllowedCall>& calls) {
    add(calls, "the event loop",
        {"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select",
         "pselect6", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd4", "eventfd2",
         "inotify_init1", "inotify_add_watch", "inotify_rm_watch"});
    add(calls, "sockets that are there",
        {"bind", "listen", "accept4", "connect", "getsockname", "getpeername", "getsockopt", "setsockopt",
         "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "shutdown"});
    add(calls, "who a process is, and its end, by pidfd",
        {"pidfd_open", "pidfd_send_signal", "pidfd_getfd", "waitid", "wait4"});
}

void add_process(std::vector<AllowedCall>& calls) {
    add(calls, "memory", {"munmap", "mremap", "madvise", "brk"});
    add(calls, "time",
        {"clock_gettime", "clock_getres", "gettimeofday", "time", "clock_nanosleep", "nanosleep"});
    add(calls, "signals of its own",
        {"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack",
         "restart_syscall"});
    add(calls, "who it is itself, and less of it",
        {"getpid",  "getppid",   "gettid",     "getuid",    "geteuid",
         "getgid",  "getegid",   "getresuid",  "getresgid", "getgroups",
         "getpgrp", "getpgid",   "getsid",     "capget",    "capset",
         "uname",   "sysinfo",   "getrusage",  "getrlimit", "sched_getaffinity",
         "getcpu",  "getrandom", "getpriority"});
    add(calls, "fork, program start and end, in canary and helper",
        {"fork", "vfork", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "exit", "exit_group"});
    add(calls, "locks of the C library", {"futex", "sched_yield", "membarrier"});
#ifdef ESCORT_SANITIZED
    // Leaks are looked for at the end by a thread that traces the others: no daemon that is installed has
    // these.
    add(calls, "LeakSanitizer, only in a build with it",
        {"ptrace", "process_vm_readv", "personality", "clone", "mmap", "mprotect", "tgkill", "getdents",
         "sigaltstack", "sched_yield", "wait4", "prlimit64"});
    for (const auto request : {PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_PTRACER})
        calls.push_back(
            {"prctl", "LeakSanitizer, only in a build with it", {is(0, static_cast<unsigned>(request))}});
#endif
}

std::vector<AllowedCall> make_table() {
    std::vector<AllowedCall> calls;
    add_arguments(calls);
    add_files(calls);
    add_loop(calls);
    add_process(calls);
    return calls;
}

} // namespace

std::span<const AllowedCall> allowed_calls() {
    static const std::vector<AllowedCall> table = make_table();
    return table;
}

} // namespace escort
