/* What the benchmark runs inside a test host: one act, timed as closely as a process can.
 *
 *   probe starts COUNT UID CANARY   COUNT times: a child takes the uid and execs a program that writes
 * CANARY; prints how many got that far, and the time from the call to the death probe reap FROM TO PID...
 * renames FROM to TO (a document into the spool), waits until every PID is gone and prints the microseconds
 *   probe write FILE PID...         writes "1" to FILE (cgroup.kill), waits and prints likewise
 *   probe hold COUNT UID           COUNT processes that take the uid and stay: a session each, by the way in
 * of the name that this program is copied to
 *   probe loop COUNT                COUNT times posix_spawn of /bin/true: prints the microseconds for one */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int by_value(const void* left, const void* right) {
    const uint64_t a = *(const uint64_t*)left, b = *(const uint64_t*)right;
    return a < b ? -1 : a > b;
}

struct slot {
    pid_t pid;
    volatile uint64_t called_ns; /* written by the child just before the call */
};

static void start(struct slot* slot, uid_t uid, const char* canary) {
    slot->called_ns = 0;
    const pid_t pid = fork();
    if (pid != 0) {
        slot->pid = pid; /* the parent alone: the slot is shared */
        return;
    }
    slot->called_ns = now_ns();
    syscall(SYS_setresuid, uid, uid, uid);
    execl("/usr/bin/touch", "touch", canary, NULL);
    _exit(0);
}

static int starts(int count, uid_t uid, const char* canary) {
    struct slot* slots =
        mmap(NULL, 2 * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t* took = calloc((size_t)count, sizeof *took);
    int begun = 0, done = 0, lived = 0;
    if (slots == MAP_FAILED || took == NULL) return 1;
    for (int i = 0; i < 2 && begun < count; i++, begun++)
        start(&slots[i], uid, canary);
    while (done < count) {
        int status = 0;
        const pid_t pid = wait(&status);
        struct slot* slot = slots[0].pid == pid ? &slots[0] : &slots[1];
        if (pid < 0) return 1;
        took[done++] = now_ns() - slot->called_ns;
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) lived++;
        if (begun < count) {
            start(slot, uid, canary);
            begun++;
        }
    }
    qsort(took, (size_t)count, sizeof *took, by_value);
    printf("{\"starts\": %d, \"lived\": %d, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n", count,
           lived, (double)took[count / 2] / 1e3, (double)took[count * 99 / 100] / 1e3,
           (double)took[count - 1] / 1e3);
    return 0;
}

static int write_one(const char* file) {
    const int fd = open(file, O_WRONLY);
    return fd >= 0 && write(fd, "1", 1) == 1 ? 0 : -1;
}

/* `from` NULL: write to `to`. */
static int reap(const char* from, const char* to, int count, char** pids) {
    struct pollfd* fds = calloc((size_t)count, sizeof *fds);
    int alive = count;
    if (fds == NULL) return 1;
    for (int i = 0; i < count; i++) {
        fds[i].fd = (int)syscall(SYS_pidfd_open, atoi(pids[i]), 0);
        fds[i].events = POLLIN;
        if (fds[i].fd < 0) return 1;
    }
    const uint64_t begin = now_ns();
    if ((from ? rename(from, to) : write_one(to)) != 0) return 1;
    while (alive > 0) {
        if (poll(fds, (nfds_t)count, 10000) <= 0) return 1;
        for (int i = 0; i < count; i++) {
            if (fds[i].fd < 0 || !(fds[i].revents & POLLIN)) continue;
            fds[i].fd = ~fds[i].fd;
            alive--;
        }
    }
    printf("{\"processes\": %d, \"took_us\": %.1f}\n", count, (double)(now_ns() - begin) / 1e3);
    return 0;
}

static int loop(int count) {
    char* const arguments[] = {"true", NULL};
    const uint64_t begin = now_ns();
    for (int i = 0; i < count; i++) {
        pid_t pid;
        if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, NULL) != 0 || waitpid(pid, NULL, 0) != pid)
            return 1;
    }
    printf("{\"spawn_us\": %.2f}\n", (double)(now_ns() - begin) / 1e3 / count);
    return 0;
}

/* Processes that take the uid, a session each, and sleep; they stay when this ends. */
static int hold(int count, uid_t uid) {
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0) return 1;
        if (child == 0) {
            setsid();
            if (setresuid(uid, uid, uid) != 0) _exit(1);
            for (;;)
                pause();
        }
    }
    return 0;
}

int main(int argc, char** argv) {
    if (argc == 5 && strcmp(argv[1], "starts") == 0)
        return starts(atoi(argv[2]), (uid_t)atoi(argv[3]), argv[4]);
    if (argc > 4 && strcmp(argv[1], "reap") == 0) return reap(argv[2], argv[3], argc - 4, argv + 4);
    if (argc > 3 && strcmp(argv[1], "write") == 0) return reap(NULL, argv[2], argc - 3, argv + 3);
    if (argc == 4 && strcmp(argv[1], "hold") == 0) return hold(atoi(argv[2]), (uid_t)atoi(argv[3]));
    if (argc == 3 && strcmp(argv[1], "loop") == 0) return loop(atoi(argv[2]));
    fprintf(stderr,
            "usage: probe starts COUNT UID CANARY | reap FROM TO PID... | write FILE PID... | loop COUNT | "
            "hold COUNT UID\n");
    return 2;
}
