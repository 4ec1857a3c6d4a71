/* The virtual machine's first process: loads the modules named in /modules, mounts /dev/vda, becomes systemd.
 * Static and alone in its initramfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static void must(int result, const char* what) {
    if (result == 0) return;
    fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
    sleep(1); /* so that the console shows it before the panic */
    _exit(1);
}

static void load_modules(void) {
    char name[256];
    FILE* list = fopen("/modules", "r");
    while (list && fgets(name, sizeof name, list)) {
        name[strcspn(name, "\n")] = 0;
        int file = open(name, O_RDONLY | O_CLOEXEC);
        if (file < 0 || (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST))
            fprintf(stderr, "init: %s: %s\n", name, strerror(errno));
        if (file >= 0) close(file);
    }
}

int main(void) {
    must(mount("dev", "/dev", "devtmpfs", 0, ""), "mount /dev");
    int console = open("/dev/console", O_RDWR);
    if (console >= 0)
        for (int fd = 0; fd < 3; fd++)
            dup2(console, fd);
    load_modules();
    for (int i = 0; i < 500 && access("/dev/vda", F_OK) != 0; i++)
        usleep(10 * 1000);
    must(mount("/dev/vda", "/root", "ext4", 0, ""), "mount /dev/vda");
    must(mount("/dev", "/root/dev", 0, MS_MOVE, 0), "move /dev");
    must(chdir("/root"), "chdir");
    must(mount(".", "/", 0, MS_MOVE, 0), "move the root");
    must(chroot("."), "chroot");
    char* arguments[] = {"/lib/systemd/systemd", 0};
    execv(arguments[0], arguments);
    must(-1, "systemd");
}
