/* A container in small: `container UID ROOT PROGRAM [ARGUMENT...]` runs the program under that uid in PID and
 * mount namespaces of its own, with ROOT as its root. With `--user` before UID it keeps the host's root but
 * has a user namespace of its own that maps every uid to itself. Exit: the program's code, or 128 + its
 * signal; 125 when it could not be set up. Built with -static; signals nobody but the child that waits for
 * its maps. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char* what) {
    perror(what);
    return 125;
}

static int put(pid_t pid, const char* file, const char* text) {
    char path[64];
    int fd, bad;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    bad = fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return bad;
}

static int inside(uid_t uid, const char* root, char** program, int ready) {
    char byte;
    if (read(ready, &byte, 1) != 1) return 125;
    if (root) {
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return fail("mount");
        if (chroot(root) != 0 || chdir("/") != 0) return fail("chroot");
    }
    if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) return fail("setresuid");
    execv(program[0], program);
    return fail(program[0]);
}

int main(int argc, char** argv) {
    const int user = argc > 1 && strcmp(argv[1], "--user") == 0;
    const char* root = NULL;
    int ready[2], status, flags = CLONE_NEWPID | CLONE_NEWNS | (user ? CLONE_NEWUSER : 0);
    uid_t uid;
    pid_t pid;

    argv += 1 + user;
    argc -= 1 + user;
    if (argc < (user ? 2 : 3) || pipe(ready) != 0) return 125;
    uid = (uid_t)atoi(*argv++);
    if (!user) root = *argv++;
    /* The namespaces are the child's: its maps are written by its parent, who is root outside. */
    pid = fork();
    if (pid == 0) {
        int up[2];
        pid_t first;
        if (pipe(up) != 0 || unshare(flags) != 0) _exit(fail("unshare"));
        first = fork(); /* PID 1 of the namespace */
        if (first == 0) {
            close(up[1]);
            _exit(inside(uid, root, argv, up[0]));
        }
        kill(getpid(), SIGSTOP); /* the parent now writes the maps */
        if (write(up[1], "x", 1) != 1 || waitpid(first, &status, 0) != first) _exit(125);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) return 125;
    if (user && (put(pid, "uid_map", "0 0 65536") || put(pid, "gid_map", "0 0 65536"))) return fail("maps");
    kill(pid, SIGCONT);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 125;
    return WEXITSTATUS(status);
}
