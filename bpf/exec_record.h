/* What a session does: a record of each exec, for the activity ring. Reads and records; decides nothing and
 * refuses nothing.
 *
 * A session has a budget of records a minute. Over it execs are only counted, so that a session that execs in
 * a loop costs next to nothing and can't drive anything else out of the ring or the journal. */
#pragma once

#include "path.h"
#include "session.h"

#define EXEC_MINUTE_NS 60000000000ULL
#define EXEC_WAKE_BYTES (128 << 10) /* so much waits: the daemon is woken before its tick */
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define BPF_RB_AVAIL_DATA 0

/* May one more be recorded? Counted either way. Two CPUs that begin a minute at once may record a few more.
 */
static __always_inline bool within_budget(struct escort_session* session,
                                          const struct escort_verdict* verdict, __u64 now) {
    __u32 budget = verdict->flags & ESCORT_VERDICT_JUDGED ? verdict->exec_per_minute : ESCORT_EXEC_PER_MINUTE;

    if (!budget) return false; /* recording is off: nothing is missed */
    if (now - session->exec_minute_ns >= EXEC_MINUTE_NS) {
        session->exec_minute_ns = now;
        session->execs = 0;
    }
    if (session->execs < budget) {
        __sync_fetch_and_add(&session->execs, 1);
        return true;
    }
    __sync_fetch_and_add(&session->execs_over, 1);
    count(ESCORT_COUNT_EXEC_OVER);
    return false;
}

/* Runs as root, and what it was forked or exec'd from didn't. At this hook the identity before the exec is
 * gone; what can be known: the program is set-user-ID and its real uid isn't root's, or its parent doesn't
 * run as root now. A process that became root and execs twice is marked twice; one whose parent has gone
 * meanwhile, so that it is a child of PID 1, is missed where it has not run a set-user-ID program. */
static __always_inline bool has_risen(struct task_struct* task, struct linux_binprm* bprm) {
    if (BPF_CORE_READ(task, cred, euid.val) != 0) return false;
    if (BPF_CORE_READ(task, cred, uid.val) != 0 && (BPF_CORE_READ(bprm, file, f_inode, i_mode) & S_ISUID))
        return true;
    return BPF_CORE_READ(task, real_parent, cred, euid.val) != 0;
}

/* Appends what the walk has found. `at`: where; at most PATH_ROOM - 1 bytes are added. The bytes added. */
static __always_inline __u32 append_path(struct escort_exec* record, __u32 at, const struct path_walk* walk) {
    __u32 size = (PATH_ROOM - walk->begin) & PATH_MASK;

    bpf_probe_read_kernel(&record->text[at], size, &walk->room[walk->begin & PATH_MASK]);
    return size;
}

static __noinline int record_paths(struct task_struct* task, struct linux_binprm* bprm,
                                   struct escort_exec* record) {
    struct dentry* program = BPF_CORE_READ(bprm, file, f_path.dentry);
    struct path_walk walk = {};

    walk_path(&walk, program, BPF_CORE_READ(bprm, file, f_path.mnt), ESCORT_EXEC_PATH - 1);
    if (!walk.room) return opaque_zero();
    record->path = append_path(record, 0, &walk);
    if (walk.end == PATH_CUT) record->flags |= ESCORT_EXEC_PATH_CUT;
    if (!BPF_CORE_READ(program, d_hash.pprev)) record->flags |= ESCORT_EXEC_NAMELESS;
    walk_path(&walk, BPF_CORE_READ(task, fs, pwd.dentry), BPF_CORE_READ(task, fs, pwd.mnt),
              ESCORT_EXEC_CWD - 1);
    record->cwd = append_path(record, record->path & PATH_MASK, &walk);
    if (walk.end == PATH_CUT) record->flags |= ESCORT_EXEC_CWD_CUT;
    return opaque_zero();
}

/* Where an interpreter runs, its path says little: the name that execve was given, as it was given. */
static __always_inline void record_script(struct linux_binprm* bprm, struct escort_exec* record, __u32 at) {
    const char* name = BPF_CORE_READ(bprm, filename);
    long size;

    if (BPF_CORE_READ(bprm, interp) == name) return;
    size = bpf_probe_read_kernel_str(&record->text[at], ESCORT_EXEC_SCRIPT, name);
    if (size <= 1) return;
    if (size == ESCORT_EXEC_SCRIPT) record->flags |= ESCORT_EXEC_SCRIPT_CUT; /* or just as long */
    record->script = (size - 1) & (ESCORT_EXEC_SCRIPT - 1);
}

/* Just written by the kernel, so they are there. */
static __always_inline void record_arguments(struct task_struct* task, struct escort_exec* record, __u32 at) {
    __u64 begin = BPF_CORE_READ(task, mm, arg_start);
    __u64 size = BPF_CORE_READ(task, mm, arg_end) - begin;

    if (size > ESCORT_EXEC_ARGUMENTS - 1) {
        size = ESCORT_EXEC_ARGUMENTS - 1;
        record->flags |= ESCORT_EXEC_ARGUMENTS_CUT;
    }
    size &= ESCORT_EXEC_ARGUMENTS - 1;
    if (bpf_probe_read_user(&record->text[at], size, (void*)begin)) {
        record->flags |= ESCORT_EXEC_ARGUMENTS_CUT;
        return;
    }
    record->arguments = size;
}

static __noinline int fill_record(struct task_struct* task, struct linux_binprm* bprm,
                                  struct escort_exec* record, __u32 verdict_flags) {
    struct escort_config* cfg = get_config();
    __u32 at;

    if (!cfg) return opaque_zero();
    record->abi = ESCORT_ABI;
    record->flags = has_risen(task, bprm) ? ESCORT_EXEC_ROSE : 0;
    record->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    record->tid = agent_pid(task, cfg);
    record->tgid = agent_pid(BPF_CORE_READ(task, group_leader), cfg);
    record->parent = agent_pid(BPF_CORE_READ(task, real_parent, group_leader), cfg);
    record->uid = BPF_CORE_READ(task, cred, uid.val);
    record->euid = BPF_CORE_READ(task, cred, euid.val);
    record->path = 0;
    record->cwd = 0;
    record->script = 0;
    record->arguments = 0;
    record_paths(task, bprm, record);
    at = (record->path & PATH_MASK) + (record->cwd & (ESCORT_EXEC_CWD - 1));
    record_script(bprm, record, at);
    at += record->script & (ESCORT_EXEC_SCRIPT - 1);
    if (verdict_flags & ESCORT_VERDICT_ARGUMENTS) record_arguments(task, record, at);
    return opaque_zero();
}

static __always_inline __u64 wake_flag(void) {
    return bpf_ringbuf_query(&activity, BPF_RB_AVAIL_DATA) > EXEC_WAKE_BYTES ? BPF_RB_FORCE_WAKEUP
                                                                             : BPF_RB_NO_WAKEUP;
}

/* At the end of escort_exec, of a task in session `id` (which this exec may have opened). Records nothing of
 * a session that is over: the program that is dying here never runs. */
static __noinline int record_exec(struct task_struct* task, struct linux_binprm* bprm, __u64 id) {
    struct escort_verdict* verdict = bpf_map_lookup_elem(&verdicts, &id);
    struct escort_session* session = bpf_map_lookup_elem(&sessions, &id);
    __u64 now = bpf_ktime_get_boot_ns();
    struct exec_room* room;
    __u32 zero = 0, size;

    if (!verdict || !session || !acting()) return opaque_zero();
    if (session->flags & ESCORT_SESSION_PROBE || verdict->flags & ESCORT_VERDICT_RELEASED)
        return opaque_zero();
    if (!(verdict->flags & ESCORT_VERDICT_OBSERVE) &&
        (verdict->flags & ESCORT_VERDICT_DEAD || now >= verdict->deadline_ns))
        return opaque_zero();
    room = bpf_map_lookup_elem(&exec_room, &zero);
    if (!room || !within_budget(session, verdict, now)) return opaque_zero();
    room->record.id = id;
    room->record.time_ns = now;
    fill_record(task, bprm, &room->record, verdict->flags);
    size = __builtin_offsetof(struct escort_exec, text);
    size += (room->record.path & PATH_MASK) + (room->record.cwd & (ESCORT_EXEC_CWD - 1)) +
            (room->record.script & (ESCORT_EXEC_SCRIPT - 1)) +
            (room->record.arguments & (ESCORT_EXEC_ARGUMENTS - 1));
    if (bpf_ringbuf_output(&activity, &room->record, size, wake_flag()))
        count(ESCORT_COUNT_ACTIVITY_FULL);
    else
        count(ESCORT_COUNT_EXEC_RECORDED);
    return opaque_zero();
}
