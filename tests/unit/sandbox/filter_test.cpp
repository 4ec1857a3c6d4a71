#include "sandbox/filter.h"

#include "base/own_program.h"
#include "kernel/rules.h"
#include "sandbox/child.h"

#include <cerrno>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <vector>

namespace escort {

namespace {

// The table as an installed daemon has it: without what a build with sanitizers adds.
std::vector<AllowedCall> installed_calls() {
    std::vector<AllowedCall> calls;
    for (const auto& call : allowed_calls())
        if (!std::string_view(call.reason).starts_with("LeakSanitizer")) calls.push_back(call);
    return calls;
}

// What becomes of `trial` behind the filter.
int tried(const std::function<int()>& trial) {
    return in_child([] { return load_filter(installed_calls()).has_value(); }, trial);
}

int call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    return outcome(::syscall(number, a, b, c, d, e));
}

int start(const char* path) {
    std::string name = "x", word = "-c";
    char* const arguments[] = {name.data(), word.data(), nullptr};
    char* const environment[] = {nullptr};
    return outcome(::execve(path, arguments, environment));
}

} // namespace

TEST_CASE("filter: no program but the daemon's own can be started") {
    CHECK(tried([] { return start("/bin/sh"); }) == EPERM);
    CHECK(tried([] { return call(SYS_execveat, AT_FDCWD, reinterpret_cast<long>("/bin/true"), 0, 0, 0); }) ==
          EPERM);
    // The right words at another address are another path.
    const std::string copy = kOwnProgram;
    CHECK(tried([&] { return start(copy.c_str()); }) == EPERM);
}

TEST_CASE("filter: its own program can be started") {
    // It begins with what its own build needs.
    CHECK(in_child([] { return load_filter().has_value(); },
                   [] { return start(kOwnProgram) == EPERM ? EPERM : 0; }) != EPERM);
}

TEST_CASE("filter: no socket that reaches a network") {
    for (const int family : {AF_INET, AF_INET6, AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH})
        CHECK(tried([&] { return outcome(::socket(family, SOCK_DGRAM, 0)); }) == EPERM);
    CHECK(tried([] { return outcome(::socket(AF_NETLINK, SOCK_RAW, 0 /* route */)); }) == EPERM);
    CHECK(tried([] { return outcome(::socket(AF_NETLINK, SOCK_RAW, 4 /* sock_diag */)); }) == kOpened);
    CHECK(tried([] { return outcome(::socket(AF_UNIX, SOCK_STREAM, 0)); }) == kOpened);
}

TEST_CASE("filter: other processes are looked at, never traced or changed") {
    const long self = ::getpid();
    CHECK(tried([&] { return call(SYS_ptrace, PTRACE_ATTACH, self); }) == EPERM);
    CHECK(tried([&] { return call(SYS_process_vm_writev, self); }) == EPERM);
    CHECK(tried([&] { return call(SYS_process_vm_readv, self); }) == EPERM);
    CHECK(tried([&] { return call(SYS_kill, self, 0); }) == EPERM);
    CHECK(tried([] { return call(SYS_tgkill, ::getpid(), ::getpid(), 0); }) == kOpened); // abort(3)
    CHECK(tried([] { return call(SYS_tgkill, 1, 1, 0); }) == EPERM);
    CHECK(tried([&] { return call(SYS_pidfd_open, self); }) == kOpened);
    CHECK(tried([&] { return call(SYS_setpriority, PRIO_PROCESS, self, 5); }) == EPERM);
    const rlimit limit{0, 0};
    CHECK(tried([&] { return call(SYS_prlimit64, 0, RLIMIT_CORE, reinterpret_cast<long>(&limit)); }) ==
          EPERM);
}

TEST_CASE("filter: no namespace, mount, module, key or machine") {
    CHECK(tried([] { return call(SYS_unshare, CLONE_NEWNS); }) == EPERM);
    CHECK(tried([] { return call(SYS_setns, 0, 0); }) == EPERM);
    CHECK(tried([] { return call(SYS_clone, CLONE_NEWNS | SIGCHLD); }) == EPERM);
    CHECK(tried([] { return call(SYS_clone, CLONE_NEWUSER | SIGCHLD); }) == EPERM);
    CHECK(tried([] { return call(SYS_clone3, 0, 0); }) == ENOSYS);
    CHECK(tried([] { return call(SYS_mount); }) == EPERM);
    CHECK(tried([] { return call(SYS_umount2); }) == EPERM);
    CHECK(tried([] { return call(SYS_fsopen); }) == EPERM);
    CHECK(tried([] { return call(SYS_open_tree); }) == EPERM);
    CHECK(tried([] { return call(SYS_pivot_root); }) == EPERM);
    CHECK(tried([] { return call(SYS_chroot); }) == EPERM);
    CHECK(tried([] { return call(SYS_init_module); }) == EPERM);
    CHECK(tried([] { return call(SYS_finit_module, -1); }) == EPERM);
    CHECK(tried([] { return call(SYS_kexec_load); }) == EPERM);
    CHECK(tried([] { return call(SYS_reboot); }) == EPERM);
    CHECK(tried([] { return call(SYS_settimeofday); }) == EPERM);
    CHECK(tried([] { return call(SYS_keyctl); }) == EPERM);
    CHECK(tried([] { return call(SYS_io_uring_setup); }) == EPERM);
    CHECK(tried([] { return call(SYS_userfaultfd); }) == EPERM);
    CHECK(tried([] { return call(SYS_open_by_handle_at, -1); }) == EPERM);
    CHECK(tried([] { return call(SYS_mknod); }) == EPERM);
    CHECK(tried([] { return call(SYS_chown); }) == EPERM);
    CHECK(tried([] { return outcome(::prctl(PR_SET_DUMPABLE, 1)); }) == EPERM);
}

TEST_CASE("filter: no account but the canary's can be entered") {
    CHECK(tried([] { return call(SYS_setresuid, 0, 0, 0); }) == EPERM);
    CHECK(tried([] { return call(SYS_setuid, 1000); }) == EPERM);
    CHECK(tried([] { return call(SYS_setreuid, 1000, 1000); }) == EPERM);
    CHECK(tried([] { return call(SYS_setresuid, kProbeUid, kProbeUid, 0); }) == EPERM);
    CHECK(tried([] { return call(SYS_setgroups, 0, 0); }) == EPERM);
    CHECK(tried([] { return call(SYS_setgid, 0); }) == EPERM);
    // Whoever may change it at all: it is the kernel that says no to others.
    if (::geteuid() == 0)
        CHECK(tried([] { return call(SYS_setresuid, kProbeUid, kProbeUid, kProbeUid); }) == kOpened);
}

TEST_CASE("filter: of bpf(2) what the daemon needs") {
    const long size = sizeof(bpf_attr);
    bpf_attr attributes{};
    const long pointer = reinterpret_cast<long>(&attributes);
    for (const long command : {BPF_PROG_ATTACH, BPF_PROG_DETACH, BPF_MAP_GET_FD_BY_ID, BPF_TASK_FD_QUERY})
        CHECK(tried([&] { return call(SYS_bpf, command, pointer, size); }) == EPERM);
    CHECK(tried([&] { return call(SYS_bpf, BPF_MAP_LOOKUP_ELEM, pointer, size); }) != EPERM);
    // A perf event of one task, which could read its memory by samples.
    CHECK(tried([&] { return call(SYS_perf_event_open, 0, ::getpid(), -1, -1, 0); }) == EPERM);
    CHECK(tried([&] { return call(SYS_perf_event_open, 0, -1, 0, -1, 0); }) == EFAULT);
}

TEST_CASE("filter: memory that is written is never run") {
    const auto map = [](int protection) {
        return outcome(
            reinterpret_cast<long>(::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    };
    CHECK(tried([&] { return map(PROT_READ | PROT_WRITE | PROT_EXEC); }) == EPERM);
    CHECK(tried([&] { return map(PROT_READ | PROT_WRITE); }) == kOpened);
    CHECK(tried([&] { return map(PROT_READ | PROT_EXEC); }) == kOpened);
    CHECK(tried([] {
              void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return outcome(::mprotect(page, 4096, PROT_READ | PROT_EXEC));
          }) == EPERM);
}

TEST_CASE("filter: a 32-bit call ends the process, whatever it is") {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
    const int end = tried([] {
        long result = 20; // getpid
        asm volatile("int $0x80" : "+a"(result) : : "memory");
        return kOpened;
    });
    // SIGSYS; SIGSEGV where the kernel has no 32-bit calls at all.
    CHECK((end == kBySignal + SIGSYS || end == kBySignal + SIGSEGV));
#endif
}

TEST_CASE("filter: no new privileges, and no way back") {
    CHECK(tried([] { return call(SYS_seccomp, 1, 0, 0); }) == EPERM);
    CHECK(tried([] { return outcome(::prctl(PR_SET_SECCOMP, 2, nullptr)); }) == EPERM);
}

TEST_CASE("filter: each call has a reason, and a name that this libseccomp knows") {
    for (const auto& each : allowed_calls()) {
        CAPTURE(each.name);
        CHECK(std::string(each.reason).size() > 3);
        CHECK(seccomp_syscall_resolve_name(each.name) != __NR_SCMP_ERROR);
    }
}

} // namespace escort
