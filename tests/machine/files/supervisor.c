/* A tenant's supervisor: starts short processes, knows what each must end with, and counts those that ended
 * otherwise. `supervisor COUNT SECONDS` stops after so many processes, or so many seconds, whichever is
 * first; SIGTERM stops it, too. Prints one line: `started N wrong N reused N kept N`, and on stderr each
 * wrong end.
 *
 * Built without libraries of the machine it runs on (-static). It signals nobody. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 16, KEPT = 8, PIDS = 4 * 1024 * 1024 }; /* PIDS: the kernel's PID_MAX_LIMIT */

static unsigned char seen[PIDS / 8]; /* one bit a pid: was it one of ours before? */
static long started, wrong, reused;
static volatile sig_atomic_t stop;

static void on_term(int number) {
    (void)number;
    stop = 1;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void remember(pid_t pid) {
    if (seen[pid / 8] & (1 << pid % 8)) reused++;
    seen[pid / 8] |= (unsigned char)(1 << pid % 8);
}

/* How a process must end: exit code 0 to 126, another for each. */
static int code_of(long number) {
    return (int)(number % 127);
}

/* Most are vfork and _exit, which is what this costs least; every 4th is a fork, every 32nd execs this
 * program again, which exits as it is told to. */
static pid_t start(const char* self, long number) {
    char code[16];
    char* argv[] = {(char*)self, "--exit", code, NULL};
    const int how = number % 32 == 0 ? 2 : number % 4 == 0 ? 1 : 0;
    pid_t pid;

    snprintf(code, sizeof code, "%d", code_of(number));
    pid = how == 1 ? fork() : vfork();
    if (pid == 0) {
        if (how == 2) {
            sigset_t term; /* so that a `pkill supervisor` ends none of those it counts */
            sigemptyset(&term);
            sigaddset(&term, SIGTERM);
            sigprocmask(SIG_BLOCK, &term, NULL);
            execv(self, argv);
        }
        _exit(how == 2 ? 127 : code_of(number));
    }
    return pid;
}

static void check(pid_t pid, int status, int expected, const char* what) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == expected) return;
    wrong++;
    fprintf(stderr, "%s %d: status %#x, not exit %d\n", what, (int)pid, status, expected);
}

/* A batch lives at once, and is reaped in the order in which it was started. */
static void batch(const char* self, long size) {
    pid_t pids[BATCH];
    long numbers[BATCH], begun = 0;
    int status;

    for (; begun < size; begun++) {
        numbers[begun] = started;
        pids[begun] = start(self, started);
        if (pids[begun] < 0) {
            fprintf(stderr, "start: %s\n", strerror(errno));
            wrong++;
            break;
        }
        remember(pids[begun]);
        started++;
    }
    for (long i = 0; i < begun; i++) {
        if (waitpid(pids[i], &status, 0) == pids[i])
            check(pids[i], status, code_of(numbers[i]), "child");
        else
            wrong++;
    }
}

int main(int argc, char** argv) {
    pid_t kept[KEPT];
    double end;
    long count;
    int status, pipes[2];

    if (argc == 3 && strcmp(argv[1], "--exit") == 0) return atoi(argv[2]);
    if (argc != 3) return 2;
    count = atol(argv[1]);
    end = now() + atof(argv[2]);
    signal(SIGTERM, on_term);
    if (pipe(pipes) != 0) return 2;
    /* Some that stay all the time, until the pipe closes: whose pid is long known may be hurt as well. */
    for (int i = 0; i < KEPT; i++) {
        kept[i] = fork();
        if (kept[i] == 0) {
            char byte;
            close(pipes[1]);
            signal(SIGTERM, SIG_IGN);
            _exit(read(pipes[0], &byte, 1) == 0 ? 42 : 43);
        }
    }
    while (!stop && started < count && now() < end)
        batch(argv[0], count - started < BATCH ? count - started : BATCH);
    close(pipes[1]);
    for (int i = 0; i < KEPT; i++)
        if (waitpid(kept[i], &status, 0) == kept[i])
            check(kept[i], status, 42, "kept");
        else
            wrong++;
    printf("started %ld wrong %ld reused %ld kept %d\n", started, wrong, reused, KEPT);
    return wrong != 0;
}
