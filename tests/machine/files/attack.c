/* What a support person with root may do to the processes of others and to the kernel: `attack WAY [PID]`
 * tries it once and says what came of it: `done`, or the error. Nothing of it does any harm: what is attached
 * to is let go, memory is read or opened and never written, and no module or kernel is whole. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char junk[4096] = "not a module";

static long attach(pid_t pid, int how) {
    if (ptrace(how, pid, NULL, NULL)) return -1;
    if (how == PTRACE_ATTACH) waitpid(pid, NULL, __WALL);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    return 0;
}

/* Where the process's stack begins: its first word is read. */
static unsigned long somewhere(pid_t pid) {
    char path[64], line[256];
    unsigned long at = 0;
    FILE* maps;

    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    maps = fopen(path, "r");
    while (maps && fgets(line, sizeof(line), maps))
        if (strstr(line, "[stack]")) at = strtoul(line, NULL, 16);
    if (maps) fclose(maps);
    return at;
}

static long read_memory(pid_t pid) {
    char word[8];
    struct iovec here = {word, sizeof(word)}, there = {(void*)somewhere(pid), sizeof(word)};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) < 0 ? -1 : 0;
}

static long open_memory(pid_t pid) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    return open(path, O_RDWR) < 0 ? -1 : 0;
}

static long module_file(void) {
    char path[] = "/tmp/module-XXXXXX";
    int file = mkstemp(path);

    if (file < 0 || write(file, junk, sizeof(junk)) < 0) return -1;
    close(file);
    file = open(path, O_RDONLY);
    unlink(path);
    return syscall(SYS_finit_module, file, "", 0);
}

static long next_kernel(void) {
    struct kexec_segment none = {0};
    return syscall(SYS_kexec_load, 0, 1, &none,
                   KEXEC_ARCH_DEFAULT); /* a segment of nothing: EINVAL, ENOEXEC */
}

/* A map by its pin, as `bpftool map` would open it: nothing is written there. */
static long open_map(const char* pin) {
    union bpf_attr what;
    memset(&what, 0, sizeof(what));
    what.pathname = (unsigned long)pin;
    return syscall(SYS_bpf, BPF_OBJ_GET, &what, sizeof(what));
}

int main(int count, char** words) {
    const char* way = count > 1 ? words[1] : "";
    pid_t pid = count > 2 ? atoi(words[2]) : 0;
    long did = -1;

    errno = EINVAL;
    if (!strcmp(way, "attach")) did = attach(pid, PTRACE_ATTACH);
    if (!strcmp(way, "seize")) did = attach(pid, PTRACE_SEIZE);
    if (!strcmp(way, "read")) did = read_memory(pid);
    if (!strcmp(way, "mem")) did = open_memory(pid);
    if (!strcmp(way, "module")) did = syscall(SYS_init_module, junk, sizeof(junk), "");
    if (!strcmp(way, "module-file")) did = module_file();
    if (!strcmp(way, "kexec")) did = next_kernel();
    if (!strcmp(way, "map") && count > 2) did = open_map(words[2]);
    puts(did < 0 ? strerror(errno) : "done");
    return did < 0;
}
