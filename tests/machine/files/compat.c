/* System calls by the 32-bit table (int $0x80), from a 64-bit program: numbers of
 * arch/x86/entry/syscalls/syscall_32.tbl. compat become UID FILE   the account by setresuid32, then makes
 * FILE compat fork              a child by fork; both sleep */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long call32(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "r8", "r9", "r10", "r11", "memory");
    return result;
}

int main(int argc, char** argv) {
    if (argc == 4 && strcmp(argv[1], "become") == 0) {
        long uid = atol(argv[2]);
        if (call32(208, uid, uid, uid) != 0) return 2; /* setresuid32 */
        return open(argv[3], O_CREAT | O_WRONLY, 0600) < 0;
    }
    if (argc == 2 && strcmp(argv[1], "fork") == 0) {
        if (call32(2, 0, 0, 0) < 0) return 2; /* fork */
        printf("forked\n");
        fflush(stdout);
        for (;;)
            pause();
    }
    return 64;
}
