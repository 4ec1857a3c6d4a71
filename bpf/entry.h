/* Which way in is this? Told by the cgroup and the program that changed the uid (contract §6, ESCORT_ENTRY).
 *
 * Pure, compiled natively by the unit tests too. The scheduler's cgroup outranks the program: `su account`
 * in a job of cron is cron, or a job left behind would ride on the next engineer's window. */
#pragma once

#include "abi.h"

#ifdef __cplusplus
#define ESCORT_INLINE_ENTRY inline
#else
#define ESCORT_INLINE_ENTRY static __attribute__((always_inline))
#endif

/* name == literal, both NUL-terminated; `size` bytes are compared, without a branch for each: the verifier
 * would walk every one. */
#define escort_name_is(name, literal) escort_same((name), (literal), sizeof(literal))
#define escort_name_starts(name, literal) escort_same((name), (literal), sizeof(literal) - 1)

ESCORT_INLINE_ENTRY int escort_same(const char* name, const char* literal, unsigned size) {
    int difference = 0;
    for (unsigned i = 0; i < size; i++)
        difference |= name[i] ^ literal[i];
    return difference == 0;
}

/* exe: file name of the running program (ESCORT_EXE bytes); cgroup, parent: the last two folders of its
 * cgroup (ESCORT_NAME bytes each). */
ESCORT_INLINE_ENTRY __u32 escort_entry_of(const char* exe, const char* cgroup, const char* parent) {
    int system = escort_name_is(parent, "system.slice");
    int console = escort_name_starts(cgroup, "ssh") || escort_name_starts(cgroup, "getty@") ||
                  escort_name_starts(cgroup, "serial-getty@") || escort_name_starts(cgroup, "console-getty");

    if (escort_name_is(cgroup, "cron.service") || escort_name_is(cgroup, "crond.service"))
        return ESCORT_ENTRY_CRON;
    if (escort_name_is(cgroup, "atd.service")) return ESCORT_ENTRY_AT;
    if (escort_name_is(exe, "cron") || escort_name_is(exe, "crond")) return ESCORT_ENTRY_CRON;
    if (escort_name_is(exe, "atd")) return ESCORT_ENTRY_AT;
    if (escort_name_is(exe, "sshd") || escort_name_is(exe, "sshd-session")) return ESCORT_ENTRY_SSHD;
    if (escort_name_is(exe, "login")) return ESCORT_ENTRY_LOGIN;
    if (escort_name_is(exe, "systemd") || escort_name_is(exe, "systemd-executor"))
        return ESCORT_ENTRY_SYSTEMD;
    if (system && !console) return ESCORT_ENTRY_SYSTEMD; /* su in somebody's unit: the unit is the way in */
    if (escort_name_is(exe, "su")) return ESCORT_ENTRY_SU;
    if (escort_name_is(exe, "sudo")) return ESCORT_ENTRY_SUDO;
    return ESCORT_ENTRY_OTHER;
}
