/* What a support person's program may do to outlive its session: `ways_out WAY [ARGUMENT]` does it and then
 * stays, under the name `ways_out WAY` whatever it has become, until it is killed. Nothing of it does any
 * harm. Exit 77: this kernel doesn't have what the way needs; 1: it could not be done. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define THREADS 8

extern char** environ;

static int stay(void) {
    while (pause() < 0) {
    }
    return 1;
}

static int fail(const char* what) {
    perror(what);
    return errno == ENOSYS ? 77 : 1;
}

static void* stay_in_thread(void* unused) {
    stay();
    return unused;
}

static int double_fork(void) {
    for (int i = 0; i < 2; i++) {
        if (fork() != 0) _exit(0);
        setsid();
    }
    return stay();
}

static int in_vfork(void) {
    if (vfork() == 0) stay(); /* the parent waits, too */
    return 1;
}

static int spawned(void) {
    char* const words[] = {"ways_out", "stay", NULL};
    pid_t pid;
    for (int i = 0; i < 3; i++)
        if (posix_spawn(&pid, SELF, NULL, NULL, words, environ)) return fail("posix_spawn");
    return 0; /* the shell doesn't wait for them */
}

static int threads(void) {
    pthread_t thread;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, stay_in_thread, NULL)) return fail("pthread_create");
    return stay();
}

/* The first thread exits alone: a zombie, and threads that live. */
static int leaderless(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, stay_in_thread, NULL)) return fail("pthread_create");
    syscall(SYS_exit, 0);
    return 1;
}

/* This program's bytes, into a file that no folder has. */
static int copy_to(int fd) {
    char bytes[65536];
    int self = open(SELF, O_RDONLY);
    ssize_t got;
    while ((got = read(self, bytes, sizeof bytes)) > 0)
        if (write(fd, bytes, (size_t)got) != got) return fail("write");
    close(self);
    return 0;
}

static int exec_fd(int fd) {
    char* const words[] = {"ways_out", "stay", NULL};
    fexecve(fd, words, environ);
    return fail("fexecve");
}

static int from_memory(void) {
    int fd = memfd_create("nobody", 0);
    if (fd < 0) return fail("memfd_create");
    return copy_to(fd) ? 1 : exec_fd(fd);
}

static int deleted(void) {
    char path[] = "/tmp/ways_out.XXXXXX", reopened[64];
    int fd = mkstemp(path), readable;
    if (fd < 0 || copy_to(fd) || fchmod(fd, 0755)) return fail(path);
    snprintf(reopened, sizeof reopened, "/proc/self/fd/%d", fd);
    readable = open(reopened, O_RDONLY); /* what is open for writing can't be run */
    close(fd);
    if (readable < 0 || unlink(path)) return fail(path);
    return exec_fd(readable);
}

static int in_namespaces(int flags) {
    if (unshare(flags)) return fail("unshare");
    if (fork() == 0) fork(); /* the first is PID 1 there */
    return stay();
}

/* Born in another cgroup, without ever having been moved. */
static int into_cgroup(const char* folder) {
    struct clone_args how = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    long pid;
    if (fd < 0) return fail(folder);
    how.cgroup = (uint64_t)fd;
    pid = syscall(SYS_clone3, &how, sizeof how);
    if (pid < 0) return fail("clone3");
    return pid == 0 ? stay() : 0;
}

static int deaf(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_IGN);
    return stay();
}

static int stopped(void) {
    raise(SIGSTOP);
    return stay();
}

static int renamed(void) {
    prctl(PR_SET_NAME, "kworker/0:1");
    prctl(PR_SET_DUMPABLE, 0);
    return stay();
}

/* A ring whose submissions a kernel thread of this process polls for, and a read that a worker waits in. */
static int ring(void) {
    struct io_uring_params how = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 60000};
    int pair[2], fd = (int)syscall(SYS_io_uring_setup, 4, &how);
    unsigned *tail, *array;
    struct io_uring_sqe* entries;
    char *map, byte;
    if (fd < 0) return errno == EPERM ? 77 : fail("io_uring_setup");
    map = mmap(NULL, how.sq_off.array + how.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED,
               fd, IORING_OFF_SQ_RING);
    entries = mmap(NULL, how.sq_entries * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                   IORING_OFF_SQES);
    if (map == MAP_FAILED || entries == MAP_FAILED || pipe(pair)) return fail("mmap");
    tail = (unsigned*)(map + how.sq_off.tail);
    array = (unsigned*)(map + how.sq_off.array);
    memset(entries, 0, sizeof(*entries));
    entries[0].opcode = IORING_OP_READ;
    entries[0].flags = IOSQE_ASYNC;
    entries[0].fd = pair[0];
    entries[0].addr = (uint64_t)(uintptr_t)&byte;
    entries[0].len = 1;
    array[0] = 0;
    __atomic_store_n(tail, 1, __ATOMIC_RELEASE);
    syscall(SYS_io_uring_enter, fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
    return stay();
}

int main(int count, char** words) {
    const char* way = count > 1 ? words[1] : "";
    if (!strcmp(way, "stay")) return stay();
    if (!strcmp(way, "double_fork")) return double_fork();
    if (!strcmp(way, "vfork")) return in_vfork();
    if (!strcmp(way, "posix_spawn")) return spawned();
    if (!strcmp(way, "threads")) return threads();
    if (!strcmp(way, "leaderless")) return leaderless();
    if (!strcmp(way, "memfd")) return from_memory();
    if (!strcmp(way, "deleted")) return deleted();
    if (!strcmp(way, "user_namespace")) return in_namespaces(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
    if (!strcmp(way, "namespaces"))
        return in_namespaces(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWCGROUP | CLONE_NEWNET);
    if (!strcmp(way, "into_cgroup") && count == 3) return into_cgroup(words[2]);
    if (!strcmp(way, "deaf")) return deaf();
    if (!strcmp(way, "stopped")) return stopped();
    if (!strcmp(way, "renamed")) return renamed();
    if (!strcmp(way, "io_uring")) return ring();
    fprintf(stderr, "usage: ways_out WAY [ARGUMENT]\n");
    return 2;
}
