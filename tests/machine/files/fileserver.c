/* Root daemons that act for an account without becoming it, as file servers do: their effective or file
 * system uid is the account's for a moment, their real uid stays root's (threats.md B8, B1). fileserver UID
 * SECONDS           all calls that do so, in turn, a file read in between fileserver UID SECONDS --threads  a
 * thread of its own takes all of the account's uids by the raw call, as rpc.gssd's does, while the leader
 * stays root Prints `rounds N`; exit 0 after SECONDS, 1 when a call failed. Built with -static; signals
 * nobody. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uid_t account;
static int failed;

static int there(uid_t real, uid_t effective) {
    uid_t r, e, s;
    return getresuid(&r, &e, &s) == 0 && r == real && e == effective;
}

static void read_something(void) {
    char byte;
    int file = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, &byte, 1) != 1) failed = 1;
    close(file);
}

static void one_round(void) {
    if (seteuid(account) != 0 || !there(0, account)) failed = 1;
    read_something();
    if (seteuid(0) != 0) failed = 1;
    if (setresuid((uid_t)-1, account, (uid_t)-1) != 0 || !there(0, account)) failed = 1;
    read_something();
    if (setresuid((uid_t)-1, 0, (uid_t)-1) != 0) failed = 1;
    if (setreuid((uid_t)-1, account) != 0 || !there(0, account)) failed = 1;
    read_something();
    if (setresuid((uid_t)-1, 0, 0) != 0) failed = 1; /* setreuid has changed the saved one, too */
    setfsuid(account);
    read_something();
    setfsuid(0);
}

/* glibc's setresuid changes every thread: the call itself changes one. */
static void* as_account(void* unused) {
    (void)unused;
    if (syscall(SYS_setresuid, account, account, account) != 0) failed = 1;
    read_something();
    return NULL;
}

static void thread_round(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, as_account, NULL) != 0) {
        failed = 1;
        return;
    }
    pthread_join(thread, NULL);
    if (!there(0, 0)) failed = 1;
}

int main(int argc, char** argv) {
    time_t end;
    long rounds = 0;

    if (argc < 3) return 2;
    account = (uid_t)atoi(argv[1]);
    end = time(NULL) + atoi(argv[2]);
    for (; time(NULL) < end && !failed; rounds++) {
        if (argc > 3 && strcmp(argv[3], "--threads") == 0)
            thread_round();
        else
            one_round();
        usleep(2000);
    }
    printf("rounds %ld\n", rounds);
    return failed;
}
