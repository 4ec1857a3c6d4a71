/* What everybody else pays: a getppid loop and posix_spawn of /bin/true, as the caller, in short slices.
 *
 *   pace SLICES CALLS SPAWNS   each slice is CALLS times getppid, then SPAWNS times spawn and wait; prints
 * for each slice what one took: of processor time, which other load hardly disturbs, and by the clock pace
 * work                  execs and forks at a moderate pace until it is killed: a busy session */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double clock_ns(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Of this process and of its children that have ended. */
static double spent_ns(void) {
    struct rusage children;
    getrusage(RUSAGE_CHILDREN, &children);
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID) +
           (double)(children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1e9 +
           (double)(children.ru_utime.tv_usec + children.ru_stime.tv_usec) * 1e3;
}

static int spawn_one(void) {
    char* const arguments[] = {"true", NULL};
    pid_t pid;
    return posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, NULL) != 0 || waitpid(pid, NULL, 0) != pid;
}

static int measure(int slices, int calls, int spawns) {
    printf("[");
    for (int slice = 0; slice < slices; slice++) {
        double spent = spent_ns(), wall = clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < calls; i++)
            syscall(SYS_getppid);
        printf("%s{\"getppid\": %.2f, \"getppid_wall\": %.2f, ", slice ? ",\n" : "",
               (spent_ns() - spent) / calls, (clock_ns(CLOCK_MONOTONIC) - wall) / calls);
        spent = spent_ns(), wall = clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < spawns; i++)
            if (spawn_one()) return 1;
        printf("\"spawn\": %.0f, \"spawn_wall\": %.0f}", (spent_ns() - spent) / spawns,
               (clock_ns(CLOCK_MONOTONIC) - wall) / spawns);
    }
    printf("]\n");
    return 0;
}

int main(int argc, char** argv) {
    if (argc == 4) return measure(atoi(argv[1]), atoi(argv[2]), atoi(argv[3]));
    while (argc == 2 && strcmp(argv[1], "work") == 0) {
        if (spawn_one()) return 1;
        usleep(20000);
    }
    fprintf(stderr, "usage: pace SLICES CALLS SPAWNS | pace work\n");
    return 2;
}
