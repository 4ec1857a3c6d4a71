// Runs the kernel programs' tests in a PID and mount namespace of their own, with a bpffs of their own: the
// programs govern only that namespace, and when it ends every process, pin and link of theirs is gone.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

// LeakSanitizer can't attach to its own process in a PID namespace made here ("fatal error"); leaks of the
// same code are looked for in the unit tests and in the daemon on the test host.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() {
    return 1;
}

namespace {

int in_namespace(int argc, char** argv) {
    char folder[] = "/tmp/escort-bpf-XXXXXX";
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 || mkdtemp(folder) == nullptr ||
        mount("proc", "/proc", "proc", 0, nullptr) != 0 || mount("bpf", folder, "bpf", 0, nullptr) != 0) {
        std::perror("bpf_tests: namespaces");
        return 1;
    }
    setenv("ESCORT_TEST_BPFFS", folder, 1);
    doctest::Context context(argc, argv);
    const int result = context.run();
    umount2(folder, MNT_DETACH);
    rmdir(folder);
    return result;
}

} // namespace

int main(int argc, char** argv) {
    if (geteuid() != 0) {
        std::fprintf(stderr, "bpf_tests: needs root\n");
        return 1;
    }
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
        std::perror("bpf_tests: unshare");
        return 1;
    }
    const pid_t child = fork(); // PID 1 of the new namespace
    if (child == 0) _exit(in_namespace(argc, argv));
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
