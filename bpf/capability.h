/* Change of identity where the kernel has no trampolines but tells of capability checks (since 6.14): whoever
 * takes another account's uid is asked for CAP_SETUID first, in its own context. Costs a tenant's system
 * calls nothing: a syscall tracepoint sends every task through the kernel's slow path.
 *
 * Sees what a call is about to do, not what came of it: after this check only lack of memory or another
 * security module can refuse it. Doesn't see a task take a real uid that it has as effective or saved one
 * already: that needs no capability. Its next exec shows it. x86-64 alone. Included by escort.bpf.c. */
#pragma once

#include "flavors.h"

#define CAP_SETUID 7
#define TS_COMPAT 0x2 /* arch/x86/include/asm/thread_info.h */
#define X32_BIT 0x40000000
#define UID_MAP_INLINE 5 /* include/linux/user_namespace.h: more extents than these ... */
#define UID_MAP_MAX 340  /* ... up to so many stand in an array of their own */

struct pt_regs___x86 {
    unsigned long bx;
    unsigned long di;
    unsigned long orig_ax;
} __attribute__((preserve_access_index));
struct thread_info___x86 {
    u32 status;
} __attribute__((preserve_access_index));
struct task_struct___x86 {
    struct thread_info___x86 thread_info;
} __attribute__((preserve_access_index));
struct uid_gid_extent {
    u32 first;
    u32 lower_first;
    u32 count;
} __attribute__((preserve_access_index));
struct uid_gid_map {
    u32 nr_extents;
    struct uid_gid_extent extent[UID_MAP_INLINE];
    struct uid_gid_extent* forward;
} __attribute__((preserve_access_index));
struct user_namespace___map {
    struct uid_gid_map uid_map;
} __attribute__((preserve_access_index));

/* The real uid that the running call asks for, as the caller counts uids; NOBODY: it is no such call, or it
 * leaves the real uid as it is. setuid, setreuid and setresuid all have it in their first argument. */
static __always_inline __u32 asked_uid(struct task_struct* task) {
    struct task_struct___x86* narrow = (void*)task;
    struct pt_regs___x86* regs = (void*)bpf_task_pt_regs(task);
    __u32 call = (__u32)BPF_CORE_READ(regs, orig_ax);
    __u32 uid;

    if (!(BPF_CORE_READ(narrow, thread_info.status) & TS_COMPAT)) {
        call &= ~X32_BIT;
        return call == 105 || call == 113 || call == 117 ? (__u32)BPF_CORE_READ(regs, di) : NOBODY;
    }
    uid = (__u32)BPF_CORE_READ(regs, bx);
    if (call == 203 || call == 208 || call == 213) return uid;
    if (call != 23 && call != 70 && call != 164) return NOBODY;
    return (uid & 0xffff) == 0xffff ? NOBODY : uid & 0xffff; /* the calls of the time of 16-bit uids */
}

struct uid_search {
    struct uid_gid_extent* extents;
    __u32 extents_used;
    __u32 uid;   /* in the namespace */
    __u32 found; /* in the kernel; NOBODY: not mapped */
};

static long compare_extent(__u32 index, struct uid_search* search) {
    struct uid_gid_extent extent = {};

    if (index >= search->extents_used) return 1;
    bpf_probe_read_kernel(&extent, sizeof(extent), (void*)search->extents + index * sizeof(extent));
    if (search->uid - extent.first >= extent.count) return 0;
    search->found = extent.lower_first + (search->uid - extent.first);
    return 1;
}

/* A uid of the task's user namespace, as the kernel counts uids (make_kuid). */
static __always_inline __u32 kernel_uid(const struct cred* cred, __u32 uid) {
    struct user_namespace___map* names = (void*)BPF_CORE_READ(cred, user_ns);
    struct uid_search search = {.uid = uid, .found = NOBODY};

    search.extents_used = BPF_CORE_READ(names, uid_map.nr_extents);
    search.extents = search.extents_used > UID_MAP_INLINE
                         ? BPF_CORE_READ(names, uid_map.forward)
                         : __builtin_preserve_access_index(&names->uid_map.extent[0]);
    bpf_loop(UID_MAP_MAX, compare_extent, &search, 0);
    return search.found;
}

/* A check that was passed; many things ask for other capabilities, few for this one. */
SEC("tp_btf/cap_capable")
int BPF_PROG(escort_capable, const struct cred* checked, struct user_namespace* target,
             const struct user_namespace* holds, int capability, int result) {
    struct task_struct* task = bpf_get_current_task_btf();
    const struct cred* cred = task->cred;
    __u32 uid;

    if (capability != CAP_SETUID || result != 0) return 0;
    uid = asked_uid(task);
    if (uid == NOBODY) return 0;
    uid = kernel_uid(cred, uid);
    if (uid == NOBODY) return 0; /* the call fails: EINVAL */
    if (BPF_CORE_READ(cred, uid.val) == uid && !session_of(task)) return 0;
    return on_identity(task, cred, uid);
}
