/* Where the kernel has no trampolines but tells of capability checks (since 6.14): changes of identity, and
 * what of attack.h needs a capability.
 *
 * Whoever
 * takes another account's uid is asked for CAP_SETUID first, in its own context. Costs a tenant's system
 * calls nothing: a syscall tracepoint sends every task through the kernel's slow path.
 *
 * Sees what a call is about to do, not what came of it: after this check only lack of memory or another
 * security module can refuse it. Doesn't see a task take a real uid that it has as effective or saved one
 * already: that needs no capability. Its next exec or fork shows it. x86-64 alone. Included by escort.bpf.c.
 */
#pragma once

#include "attack.h"

#define CAP_SETUID 7
#define CAP_SYS_MODULE 16
#define CAP_SYS_PTRACE 19
#define CAP_SYS_BOOT 22
#define PTRACE_ATTACH 16 /* include/uapi/linux/ptrace.h */
#define PTRACE_SEIZE 0x4206
#define TS_COMPAT 0x2 /* arch/x86/include/asm/thread_info.h */
#define X32_BIT 0x40000000
#define UID_MAP_INLINE 5 /* include/linux/user_namespace.h: more extents than these ... */
#define UID_MAP_MAX 340  /* ... up to so many stand in an array of their own */

struct pt_regs___x86 {
    unsigned long bx;
    unsigned long cx;
    unsigned long si;
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

/* The system call that a task is in: its number and first two arguments. */
struct running_call {
    bool narrow; /* of the 32-bit table */
    __u32 number;
    __u32 first;
    __u32 second;
};

static __always_inline struct running_call running_call(struct task_struct* task) {
    struct task_struct___x86* wide = (void*)task;
    struct pt_regs___x86* regs = (void*)bpf_task_pt_regs(task);
    struct running_call call = {.number = (__u32)BPF_CORE_READ(regs, orig_ax)};

    call.narrow = BPF_CORE_READ(wide, thread_info.status) & TS_COMPAT;
    if (!call.narrow) call.number &= ~X32_BIT;
    call.first = call.narrow ? (__u32)BPF_CORE_READ(regs, bx) : (__u32)BPF_CORE_READ(regs, di);
    call.second = call.narrow ? (__u32)BPF_CORE_READ(regs, cx) : (__u32)BPF_CORE_READ(regs, si);
    return call;
}

/* The real uid that the running call asks for, as the caller counts uids; NOBODY: it is no such call, or it
 * leaves the real uid as it is. setuid, setreuid and setresuid all have it in their first argument. */
static __always_inline __u32 asked_uid(struct task_struct* task) {
    struct running_call call = running_call(task);
    __u32 number = call.number;

    if (!call.narrow) return number == 105 || number == 113 || number == 117 ? call.first : NOBODY;
    if (number == 203 || number == 208 || number == 213) return call.first;
    if (number != 23 && number != 70 && number != 164) return NOBODY;
    /* the calls of the time of 16-bit uids */
    return (call.first & 0xffff) == 0xffff ? NOBODY : call.first & 0xffff;
}

/* The pid that the running call would attach to; 0: it is no such call. */
static __always_inline __u32 attached_pid(const struct running_call* call) {
    __u32 number = call->number;

    if (call->narrow ? number == 26 : number == 101 || number == 521) /* ptrace; 521 in the x32 table */
        return call->first == PTRACE_ATTACH || call->first == PTRACE_SEIZE ? call->second : 0;
    /* process_vm_readv, process_vm_writev; their numbers in the x32 table are 539 and 540 */
    if (call->narrow) return number == 347 || number == 348 ? call->first : 0;
    return number == 310 || number == 311 || number == 539 || number == 540 ? call->first : 0;
}

/* Does the running call bring code into the kernel? init_module, finit_module, kexec_load, kexec_file_load.
 */
static __always_inline bool loads_kernel_code(const struct running_call* call) {
    __u32 number = call->number;

    if (call->narrow) return number == 128 || number == 350 || number == 283;
    return number == 175 || number == 313 || number == 246 || number == 528 || number == 320;
}

/* attack.h without trampolines: what needs a capability, and no more. */
static __always_inline int on_power(struct task_struct* task, int capability) {
    __u64 id = session_of(task);
    struct running_call call;
    struct escort_config* cfg = get_config();
    struct task_struct* target;
    __u32 pid;

    if (!id || !cfg || !acting()) return 0;
    call = running_call(task);
    if (capability != CAP_SYS_PTRACE) {
        if (loads_kernel_code(&call)) on_attack(task, id, ESCORT_REASON_KERNEL_CODE, 0, cfg);
        return 0;
    }
    pid = attached_pid(&call);
    if (!pid || !bpf_task_from_vpid || !bpf_task_release) return 0;
    target = bpf_task_from_vpid(pid);
    if (!target) return 0;
    if (session_of(target) != id) on_attach(task, id, target, cfg);
    bpf_task_release(target);
    return 0;
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

/* A check that was passed; many things ask for other capabilities, few for these. */
SEC("tp_btf/cap_capable")
int BPF_PROG(escort_capable, const struct cred* checked, struct user_namespace* target,
             const struct user_namespace* holds, int capability, int result) {
    struct task_struct* task = bpf_get_current_task_btf();
    const struct cred* cred = task->cred;
    __u32 uid;

    if (result != 0) return 0;
    if (capability == CAP_SYS_PTRACE || capability == CAP_SYS_MODULE || capability == CAP_SYS_BOOT)
        return on_power(task, capability);
    if (capability != CAP_SETUID) return 0;
    uid = asked_uid(task);
    if (uid == NOBODY) return 0;
    uid = kernel_uid(cred, uid);
    if (uid == NOBODY) return 0; /* the call fails: EINVAL */
    if (BPF_CORE_READ(cred, uid.val) == uid && !session_of(task)) return 0;
    return on_identity(task, cred, uid);
}
