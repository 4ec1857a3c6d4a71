// Which way in (bpf/entry.h), compiled natively.
#include "entry.h"

#include <cstring>
#include <doctest/doctest.h>
#include <string>

namespace {

__u32 entry(const std::string& exe, const std::string& cgroup, const std::string& parent) {
    char exe_name[ESCORT_EXE] = {}, cgroup_name[ESCORT_NAME] = {}, parent_name[ESCORT_NAME] = {};
    exe.copy(exe_name, sizeof exe_name - 1);
    cgroup.copy(cgroup_name, sizeof cgroup_name - 1);
    parent.copy(parent_name, sizeof parent_name - 1);
    return escort_entry_of(exe_name, cgroup_name, parent_name);
}

} // namespace

TEST_CASE("entry: told by the program, outranked by a scheduler's cgroup") {
    struct Row {
        const char *exe, *cgroup, *parent;
        __u32 expected;
    };
    const Row rows[] = {
        {"sshd", "ssh.service", "system.slice", ESCORT_ENTRY_SSHD},
        {"sshd", "session-3.scope", "user-1001.slice", ESCORT_ENTRY_SSHD},
        {"sshd-session", "session-3.scope", "user-1001.slice", ESCORT_ENTRY_SSHD},
        {"login", "getty@tty1.service", "system-getty.slice", ESCORT_ENTRY_LOGIN},
        {"su", "session-2.scope", "user-1000.slice", ESCORT_ENTRY_SU},
        {"su", "ssh.service", "system.slice", ESCORT_ENTRY_SU},
        {"su", "getty@tty1.service", "system.slice", ESCORT_ENTRY_SU},
        {"su", "init.scope", "", ESCORT_ENTRY_SU},
        {"sudo", "session-2.scope", "user-1000.slice", ESCORT_ENTRY_SUDO},
        {"cron", "cron.service", "system.slice", ESCORT_ENTRY_CRON},
        {"su", "cron.service", "system.slice", ESCORT_ENTRY_CRON},
        {"crond", "crond.service", "system.slice", ESCORT_ENTRY_CRON},
        {"atd", "atd.service", "system.slice", ESCORT_ENTRY_AT},
        {"sudo", "atd.service", "system.slice", ESCORT_ENTRY_AT},
        {"systemd", "user@1001.service", "user-1001.slice", ESCORT_ENTRY_SYSTEMD},
        {"systemd-executor", "job.service", "system.slice", ESCORT_ENTRY_SYSTEMD},
        {"su", "backdoor.service", "system.slice", ESCORT_ENTRY_SYSTEMD},
        {"setpriv", "session-2.scope", "user-0.slice", ESCORT_ENTRY_OTHER},
        {"sum", "session-2.scope", "user-0.slice", ESCORT_ENTRY_OTHER},
        {"", "", "", ESCORT_ENTRY_OTHER},
    };
    for (const auto& row : rows) {
        CAPTURE(row.exe);
        CAPTURE(row.cgroup);
        CHECK(entry(row.exe, row.cgroup, row.parent) == row.expected);
    }
}
