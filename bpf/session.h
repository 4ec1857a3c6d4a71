/* Sessions: labels found, inherited and lost; a session opened, counted, reported. */
#pragma once

#include "decide.h"
#include "task.h"

#define SIGKILL 9
#define SIGSTOP 19
/* What signal_generate has for `info` where there is none (include/linux/sched/signal.h). */
#define SEND_SIG_NOINFO ((struct kernel_siginfo*)0)
#define SEND_SIG_PRIV ((struct kernel_siginfo*)1)

static __always_inline struct escort_orphan_key orphan_key(struct task_struct* task) {
    struct escort_orphan_key key = {.kernel_tid = BPF_CORE_READ(task, pid),
                                    .start_ns = BPF_CORE_READ(task, start_boottime)};
    return key;
}

/* The session that the task is in; 0: none. */
static __always_inline __u64 session_of(struct task_struct* task) {
    struct escort_label* label = bpf_task_storage_get(&labels, task, NULL, 0);
    struct escort_orphan_key key;
    struct escort_config* cfg;

    if (label) return label->id;
    cfg = get_config();
    if (!cfg || cfg->orphans <= 0) return 0; /* asked only while there can be some */
    key = orphan_key(task);
    label = bpf_map_lookup_elem(&orphans, &key);
    return label ? label->id : 0;
}

/* Puts the label on a task that has none. false: it is kept nowhere and the task must not go on. */
static __always_inline bool set_label(struct task_struct* task, __u64 id) {
    struct escort_label label = {.id = id};
    struct escort_config* cfg = get_config();
    struct escort_orphan_key key;

    if (bpf_task_storage_get(&labels, task, &label, BPF_LOCAL_STORAGE_GET_F_CREATE)) return true;
    key = orphan_key(task);
    if (cfg && bpf_map_update_elem(&orphans, &key, &label, BPF_ANY) == 0) {
        __sync_fetch_and_add(&cfg->orphans, 1);
        count(ESCORT_COUNT_LABEL_ORPHANED);
        return true;
    }
    count(ESCORT_COUNT_LABEL_LOST);
    return false;
}

/* The task exits: is it this program that counts it out? Its label stays: a process whose first thread has
 * gone is still found by it. */
static __always_inline bool count_out(struct task_struct* task) {
    struct escort_label* label = bpf_task_storage_get(&labels, task, NULL, 0);
    struct escort_config* cfg = get_config();
    struct escort_orphan_key key;

    if (label) {
        if (label->flags & ESCORT_LABEL_OUT) return false;
        label->flags |= ESCORT_LABEL_OUT;
        return true;
    }
    key = orphan_key(task);
    if (!cfg || bpf_map_delete_elem(&orphans, &key)) return false;
    __sync_fetch_and_add(&cfg->orphans, -1);
    return true;
}

static __always_inline void remember_exited(struct task_struct* process, __u64 id,
                                            const struct escort_config* cfg) {
    struct escort_exited exited_now = {.id = id, .time_ns = bpf_ktime_get_boot_ns()};
    __u32 pid = agent_pid(process, cfg);

    bpf_map_update_elem(&exited, &pid, &exited_now, BPF_ANY);
}

static __always_inline void kill_current(void) {
    if (bpf_send_signal(SIGKILL)) count(ESCORT_COUNT_SIGNAL_FAILED);
}

static __always_inline void stop_current(void) {
    if (bpf_send_signal(SIGSTOP)) count(ESCORT_COUNT_SIGNAL_FAILED);
}

/* Its controlling terminal below /dev: "tty1", "pts/3" (which the kernel itself calls "pts3"). */
static __always_inline void read_tty(struct task_struct* task, char name[ESCORT_TTY]) {
    struct tty_struct* tty = BPF_CORE_READ(task, signal, tty);

    if (!tty) return;
    bpf_probe_read_kernel_str(name, ESCORT_TTY, &tty->name);
    if (name[0] != 'p' || name[1] != 't' || name[2] != 's' || name[3] < '0' || name[3] > '9') return;
    bpf_probe_read_kernel_str(name + 4, ESCORT_TTY - 4, &tty->name[3]);
    name[3] = '/';
}

/* Writes a lifecycle event about `task`. `session` may be NULL. false: the ring is full, which is counted. */
static __always_inline bool report(struct task_struct* task, __u32 type, __u64 id,
                                   struct escort_session* session, __u32 uid, __u32 entry, __u32 reason,
                                   __u32 flags, __u32 target, const struct escort_config* cfg) {
    struct escort_event* event;
    /* Numbered even when the ring is full: the gap is what shows the loss. */
    __u64 number = session ? __sync_fetch_and_add(&session->events, 1) + 1 : 0;

    event = bpf_ringbuf_reserve(&lifecycle, sizeof(*event), 0);
    if (!event) {
        count(ESCORT_COUNT_RING_FULL);
        return false;
    }
    __builtin_memset(event, 0, sizeof(*event));
    event->abi = ESCORT_ABI;
    event->type = type;
    event->id = id;
    event->number = number;
    event->time_ns = bpf_ktime_get_boot_ns();
    event->opened_ns = session ? session->opened_ns : event->time_ns;
    event->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    event->tid = agent_pid(task, cfg);
    event->tgid = agent_pid(BPF_CORE_READ(task, group_leader), cfg);
    event->uid = uid;
    event->entry = entry;
    event->reason = reason;
    event->flags = flags;
    event->loginuid = login_uid(task);
    event->audit_session = audit_session(task);
    event->target = target;
    BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
    read_tty(task, event->tty);
    read_exe(task, event->exe, sizeof(event->exe));
    read_cgroup(task, event->cgroup, event->cgroup_parent, sizeof(event->cgroup_parent));
    bpf_ringbuf_submit(event, 0);
    return true;
}

/* Records a new session with its first verdict. 0: there was no room, and nothing is left behind. */
static __always_inline __u64 record_session(struct escort_config* cfg, const struct escort_session* session,
                                            const struct escort_verdict* verdict) {
    __u64 id = ((__u64)cfg->boot << 32) | (__u32)__sync_fetch_and_add(&cfg->next, 1);

    if (bpf_map_update_elem(&sessions, &id, session, BPF_NOEXIST)) {
        count(ESCORT_COUNT_SESSION_NO_ROOM);
        return 0;
    }
    if (bpf_map_update_elem(&verdicts, &id, verdict, BPF_NOEXIST)) {
        bpf_map_delete_elem(&sessions, &id);
        count(ESCORT_COUNT_SESSION_NO_ROOM);
        return 0;
    }
    return id;
}

/* The session that the task's process is already in through another of its threads; 0: none. */
static __always_inline __u64 session_of_group(struct task_struct* task) {
    struct task_struct* leader = task->group_leader;
    struct escort_label* label;

    if (!leader) return 0;
    if (leader != task) {
        label = bpf_task_storage_get(&labels, leader, NULL, 0);
        if (label) return label->id;
    }
    label = bpf_task_storage_get(&groups, leader, NULL, 0);
    return label ? label->id : 0;
}

static __always_inline void remember_in_group(struct task_struct* task, __u64 id) {
    struct task_struct* leader = task->group_leader;
    struct escort_label label = {.id = id};
    if (leader && leader != task)
        bpf_task_storage_get(&groups, leader, &label, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* A process that changes its uid thread by thread is one session: the task joins it. 0: there is none. */
static __always_inline __u64 join_group(struct task_struct* task) {
    __u64 id = session_of_group(task);
    struct escort_session* session;

    if (!id || !set_label(task, id)) return 0;
    session = bpf_map_lookup_elem(&sessions, &id);
    if (session) __sync_fetch_and_add(&session->live, 1);
    return id;
}
