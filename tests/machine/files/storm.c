/* Many support sessions at once, each the shortest there is: `storm UID COUNT [SECONDS]` forks so many
 * processes that take the uid, one after the other. Without SECONDS each is waited for at once and exits by
 * itself when it is let live; with them all stay until SECONDS are over or SIGTERM comes. Prints `started N
 * killed N lived N`: how many died by SIGKILL before their next instruction. Built with -static; signals
 * nobody. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_signal(int number) {
    (void)number;
}

static long killed, lived;

static void reap(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) <= 0) return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        killed++;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        lived++;
}

static void child(uid_t uid, int until) {
    char byte;
    if (syscall(SYS_setresuid, uid, uid, uid) != 0) _exit(2);
    if (until >= 0) (void)!read(until, &byte, 1);
    _exit(0);
}

int main(int argc, char** argv) {
    const struct sigaction action = {.sa_handler = on_signal};
    long started = 0, count;
    int pipes[2];
    uid_t uid;

    if (argc < 3 || pipe(pipes) != 0) return 2;
    uid = (uid_t)atoi(argv[1]);
    count = atol(argv[2]);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    for (; started < count; started++) {
        pid_t pid = fork();
        if (pid < 0) break;
        if (pid == 0) {
            close(pipes[1]);
            child(uid, argc > 3 ? pipes[0] : -1);
        }
        if (argc <= 3) reap(pid);
    }
    if (argc > 3) {
        printf("ready\n");
        fflush(stdout);
        alarm((unsigned)atoi(argv[3]));
        pause();
        close(pipes[1]);
        while (killed + lived < started) {
            const long before = killed + lived;
            reap(-1);
            if (killed + lived == before) break;
        }
    }
    printf("started %ld killed %ld lived %ld\n", started, killed, lived);
    return 0;
}
