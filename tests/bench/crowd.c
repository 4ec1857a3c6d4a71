/* Many processes in groups, and how long each group takes to die: for each group, the microseconds from the
 * start to its last death. Of `reap` and `kill` the groups are on stdin, in lines of GROUP PID.
 *
 *   crowd reap FROM TO: renames FROM to TO (a document into the spool) and waits until every PID is gone.
 *
 *   crowd kill: sends each PID a SIGKILL itself. What the deaths of the same processes take by themselves.
 *
 *   crowd floor DIR GROUPS PROCESSES: makes GROUPS cgroups below DIR with so many sleepers each, and writes
 *   cgroup.kill of one after the other. What the kernel itself needs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 20000 };

static struct watched {
    int group;
    int fd;
} watched[MOST];
static int watched_count;
static double last[MOST], first;
static int epoll;

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int watch(int group, pid_t pid) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)watched_count};
    if (watched_count == MOST || group < 0 || group >= MOST) return -1;
    watched[watched_count].group = group;
    watched[watched_count].fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (watched[watched_count].fd < 0) return -1;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, watched[watched_count++].fd, &event);
}

/* Until all are gone; 30 s at most without a death. */
static int wait_for_all(double begin) {
    struct epoll_event events[64];
    for (int alive = watched_count; alive > 0;) {
        const int ready = epoll_wait(epoll, events, 64, 30000);
        const double at = now_us() - begin;
        if (ready <= 0) return -1;
        if (first == 0) first = at;
        for (int i = 0; i < ready; i++, alive--) {
            const struct watched* gone = &watched[events[i].data.u32];
            last[gone->group] = at;
            close(gone->fd); /* leaves the epoll set */
        }
    }
    return 0;
}

static int print(int groups) {
    printf("{\"processes\": %d, \"first_us\": %.0f, \"last_us\": [", watched_count, first);
    for (int i = 0; i < groups; i++)
        printf("%s%.0f", i ? ", " : "", last[i]);
    printf("]}\n");
    return 0;
}

/* How many groups; -1: something can't be watched. */
static int watch_listed(void) {
    int group, pid, groups = 0;
    while (scanf("%d %d", &group, &pid) == 2) {
        if (watch(group, pid) != 0) return -1;
        if (group >= groups) groups = group + 1;
    }
    return groups;
}

static int reap(const char* from, const char* to) {
    const int groups = watch_listed();
    const double begin = now_us();
    if (groups < 0 || rename(from, to) != 0 || wait_for_all(begin) != 0) return 1;
    return print(groups);
}

static int kill_listed(void) {
    const int groups = watch_listed();
    const double begin = now_us();
    for (int i = 0; i < watched_count; i++)
        syscall(SYS_pidfd_send_signal, watched[i].fd, SIGKILL, NULL, 0);
    if (groups < 0 || wait_for_all(begin) != 0) return 1;
    return print(groups);
}

static int write_file(const char* folder, int group, const char* name, const char* text) {
    char path[512];
    snprintf(path, sizeof path, "%s/crowd-%d/%s", folder, group, name);
    const int fd = open(path, O_WRONLY);
    const int written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return written ? 0 : -1;
}

static int floor_of(const char* folder, int groups, int processes) {
    char path[512];
    for (int group = 0; group < groups; group++) {
        snprintf(path, sizeof path, "%s/crowd-%d", folder, group);
        if (mkdir(path, 0755) != 0) return 1;
        for (int i = 0; i < processes; i++) {
            const pid_t pid = fork();
            if (pid < 0) return 1;
            while (pid == 0)
                pause();
            char text[16];
            snprintf(text, sizeof text, "%d", pid);
            if (write_file(folder, group, "cgroup.procs", text) != 0 || watch(group, pid) != 0) return 1;
        }
    }
    const double begin = now_us();
    for (int group = 0; group < groups; group++)
        if (write_file(folder, group, "cgroup.kill", "1") != 0) return 1;
    if (wait_for_all(begin) != 0) return 1;
    while (wait(NULL) > 0) {
    }
    for (int group = 0; group < groups; group++) {
        snprintf(path, sizeof path, "%s/crowd-%d", folder, group);
        rmdir(path);
    }
    return print(groups);
}

int main(int argc, char** argv) {
    const struct rlimit many = {MOST + 100, MOST + 100};
    setrlimit(RLIMIT_NOFILE, &many);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (argc == 4 && strcmp(argv[1], "reap") == 0) return reap(argv[2], argv[3]);
    if (argc == 2 && strcmp(argv[1], "kill") == 0) return kill_listed();
    if (argc == 5 && strcmp(argv[1], "floor") == 0) return floor_of(argv[2], atoi(argv[3]), atoi(argv[4]));
    fprintf(stderr,
            "usage: crowd reap FROM TO <groups | crowd kill <groups | crowd floor DIR GROUPS PROCESSES\n");
    return 2;
}
