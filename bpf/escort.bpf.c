// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The hooks of tier `kill`: they gather, decide.h decides, and a refused task gets SIGKILL before its next
 * instruction in user mode. One set of decisions, three sets of hooks for the change of identity, of which
 * the daemon attaches the first that this kernel has: a trampoline at commit_creds (here), the tracepoint of
 * capability checks (capability.h), the system calls' tracepoints (here).
 *
 *   exec_record.h  what sessions run            clock.h   what ends them while the daemon is down
 *   units.h        listed units' own programs   iter.h    tasks, listed
 *   requests.h     what the daemon runs itself  attack.h  what no session may do */
#include "exec_record.h"
#include "session.h"
#include "units.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The verdict and the session behind a label, as facts. */
static __always_inline struct escort_session* gather_session(struct escort_facts* facts, __u64 id) {
    struct escort_verdict* verdict = bpf_map_lookup_elem(&verdicts, &id);
    struct escort_session* session = bpf_map_lookup_elem(&sessions, &id);

    facts->labelled = 1;
    if (verdict && session) {
        facts->verdict_known = 1;
        facts->verdict = *verdict;
        facts->session_uid = session->uid;
    } else {
        struct escort_config* cfg = get_config();
        facts->adopting = cfg && cfg->adopting;
        count(facts->adopting ? ESCORT_COUNT_CARRIED : ESCORT_COUNT_VERDICT_MISSING);
    }
    return session;
}

static __always_inline void gather_account(struct escort_facts* facts, __u32 uid,
                                           const struct escort_rule* rule) {
    facts->enters = 1;
    facts->uid = uid;
    facts->window_until = is_unheard_copy() ? 0 : rule->window_until;
    facts->principal_flags = rule->flags;
    facts->entries = rule->entries;
}

/* A uid that was never looked up: the daemon is told, once. */
static __always_inline void report_unknown(struct task_struct* task, const struct cred* cred, __u32 uid,
                                           const struct escort_config* cfg) {
    __u32 one = 1;

    if (uid < cfg->uid_min || uid == (__u32)-1 || bpf_map_lookup_elem(&known_uids, &uid)) return;
    if (!is_governed(task, cred, cfg)) return;
    count(ESCORT_COUNT_UNKNOWN_UID);
    if (report(task, ESCORT_EVENT_UNKNOWN, 0, NULL, uid, ESCORT_ENTRY_OTHER, ESCORT_REASON_NONE, 0, 0, cfg))
        bpf_map_update_elem(&known_uids, &uid, &one, BPF_ANY);
}

static __always_inline __u32 event_flags(const struct escort_decision* decision,
                                         const struct escort_facts* facts) {
    return (decision->refuse && !decision->observe ? ESCORT_EVENT_REFUSED : 0) |
           (decision->refuse && decision->observe ? ESCORT_EVENT_OBSERVED : 0) |
           (decision->signal ? ESCORT_EVENT_SIGNALLED : 0) |
           (facts->foreign_leader ? ESCORT_EVENT_THREAD_SPARED : 0) |
           (facts->principal_flags & ESCORT_PRINCIPAL_PROBE ? ESCORT_EVENT_PROBE : 0);
}

/* A session starts: recorded, labelled, reported, and refused when it must be. */
static __always_inline void open_session(struct task_struct* task, struct escort_facts* facts,
                                         struct escort_config* cfg) {
    struct escort_decision decision = escort_decide(facts);
    bool dead = decision.refuse && !decision.observe;
    struct escort_session session = {
        .opened_ns = facts->now_ns,
        .activity_ns = facts->now_ns,
        .live = 1,
        .uid = facts->uid,
        .entry = facts->entry,
        .reason = decision.reason,
        .flags = (dead ? ESCORT_SESSION_REFUSED : 0) | (facts->foreign_leader ? ESCORT_SESSION_THREAD : 0) |
                 (facts->principal_flags & ESCORT_PRINCIPAL_PROBE ? ESCORT_SESSION_PROBE : 0),
    };
    /* Watched only: nothing ever ends it, its window's end included. */
    bool watched = escort_watched_only(facts);
    struct escort_verdict verdict = {
        .deadline_ns = watched ? (__u64)-1 : facts->window_until,
        .flags = (dead ? ESCORT_VERDICT_DEAD : 0) | (watched ? ESCORT_VERDICT_OBSERVE : 0),
    };
    __u64 id = record_session(cfg, &session, &verdict);

    count(ESCORT_COUNT_OPENED);
    if (id && !set_label(task, id)) { /* nothing will come of it: its place is free again */
        bpf_map_delete_elem(&sessions, &id);
        bpf_map_delete_elem(&verdicts, &id);
        id = 0;
    }
    if (!id) {
        decision.refuse = 1;
        decision.observe = watched;
        decision.signal = !decision.observe && !facts->foreign_leader;
        decision.reason = ESCORT_REASON_NO_ROOM;
    }
    if (decision.refuse && !decision.observe) count(ESCORT_COUNT_REFUSED);
    if (facts->foreign_leader) count(ESCORT_COUNT_THREAD_SPARED);
    if (decision.signal) kill_current();
    if (id) remember_in_group(task, id);
    report(task, ESCORT_EVENT_OPENED, id, id ? bpf_map_lookup_elem(&sessions, &id) : NULL, facts->uid,
           facts->entry, decision.reason, event_flags(&decision, facts), 0, cfg);
}

/* A task that carries a label: may it go on, as the account that it enters (if it enters one)? */
static __always_inline void judge_labelled(struct task_struct* task, __u64 id, struct escort_facts* facts,
                                           struct escort_config* cfg) {
    struct escort_session* session = gather_session(facts, id);
    struct escort_also_key key = {.id = id, .uid = facts->uid};
    struct escort_decision decision;

    if (facts->enters) facts->also = bpf_map_lookup_elem(&also, &key) != NULL;
    decision = escort_decide(facts);
    if (decision.signal) kill_current();
    if (decision.stop) stop_current();
    if (facts->enters && facts->uid != facts->session_uid)
        report(task, ESCORT_EVENT_ENTERED, id, session, facts->uid, facts->entry, decision.reason,
               event_flags(&decision, facts), 0, cfg);
}

/* All facts are there: decide and do it. `id`: the task's session, 0 when it has none yet. */
static __noinline int settle(struct task_struct* task, __u64 id, struct escort_facts* facts,
                             struct escort_config* cfg) {
    if (id) {
        judge_labelled(task, id, facts, cfg);
    } else if (facts->exempt) {
        count(ESCORT_COUNT_EXEMPTED);
        report(task, ESCORT_EVENT_EXEMPT, 0, NULL, facts->uid, facts->entry, ESCORT_REASON_EXEMPT, 0, 0, cfg);
    } else {
        open_session(task, facts, cfg);
    }
    return opaque_zero();
}

/* What a task may do next, as `uid`: the real uid that it has or is about to have (rule 1 of 'When a session
 * starts'), an effective one (rule 2), or NOBODY when it enters no account. */
#define CLONE_THREAD 0x00010000
#define NOBODY ((__u32)-1)
static __always_inline int on_identity(struct task_struct* task, const struct cred* cred, __u32 uid) {
    struct escort_facts facts = {.now_ns = bpf_ktime_get_boot_ns()};
    struct escort_config* cfg = get_config();
    __u64 id = session_of(task);
    struct escort_rule* rule;
    void* inner;

    if (!cfg || !cfg->ready || !acting()) return 0;
    inner = get_rules();
    if (!inner) return 0; /* before the first rules */
    rule = find_rule(inner, ESCORT_RULE_PRINCIPAL, uid);
    if (rule) gather_account(&facts, uid, rule);
    if (!id) {
        if (!rule) {
            report_unknown(task, cred, uid, cfg);
            return 0;
        }
        if (BPF_CORE_READ(task, flags) & PF_KTHREAD) return 0;
        facts.governed = is_governed(task, cred, cfg);
        if (!facts.governed) {
            count(ESCORT_COUNT_UNGOVERNED);
            return 0;
        }
        id = join_group(task);
    }
    facts.foreign_leader = has_foreign_leader(task, uid == NOBODY ? BPF_CORE_READ(cred, uid.val) : uid);
    if (rule) facts.entry = way_in(task);
    if (rule && !id) facts.exempt = is_exempt(task, uid, cfg);
    return settle(task, id, &facts, cfg);
}

/* ---- The machine is a copy: the hypervisor has given it another VM generation id, and the kernel's driver
 * mixes that into its random numbers (drivers/virt/vmgenid.c). What was approved before was approved at
 * another time ---- */
SEC("fentry/add_vmfork_randomness")
int BPF_PROG(escort_restored, const void* id, unsigned long size) {
    __u32 key = ESCORT_RESTORED_SEEN;
    __u32* seen = bpf_map_lookup_elem(&restored, &key);
    if (seen) __sync_fetch_and_add(seen, 1);
    return 0;
}

/* ---- Change of identity, by trampoline: commit_creds is what every set*uid call and exec ends in. Where the
 * real uid stays no account is entered: at an exec the program is the new one, whose name says nothing of a
 * way in ---- */
SEC("fentry/commit_creds")
int BPF_PROG(escort_commit_creds, struct cred* new) {
    struct task_struct* task = bpf_get_current_task_btf();
    __u32 uid = new->uid.val;

    if (BPF_CORE_READ(task, cred, uid.val) == uid) {
        if (!session_of(task)) return 0;
        uid = NOBODY;
    }
    return on_identity(task, new, uid);
}

/* ---- Change of identity, by syscall tracepoint: at the return, before user mode ---- */
static __always_inline int on_set_uid(long ret) {
    struct task_struct* task = bpf_get_current_task_btf();
    const struct cred* cred = task->cred;

    if (ret != 0) return 0;
    return on_identity(task, cred, BPF_CORE_READ(cred, uid.val));
}

SEC("tracepoint/syscalls/sys_exit_setuid")
int escort_setuid(struct trace_event_raw_sys_exit* ctx) {
    return on_set_uid(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_setreuid")
int escort_setreuid(struct trace_event_raw_sys_exit* ctx) {
    return on_set_uid(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_setresuid")
int escort_setresuid(struct trace_event_raw_sys_exit* ctx) {
    return on_set_uid(ctx->ret);
}

/* Without trampolines a task can have come to a real uid unseen (capability.h; a 32-bit system call). It is
 * found before it multiplies. true: it is a principal. */
static __always_inline bool find_unseen(struct task_struct* task) {
    const struct cred* cred = task->cred;
    __u32 uid = BPF_CORE_READ(cred, uid.val);
    void* inner = get_rules();

    if (!inner || !find_rule(inner, ESCORT_RULE_PRINCIPAL, uid)) return false;
    on_identity(task, cred, uid);
    return true;
}

/* ---- Fork: the label is inherited here, since this hook sees every kind of new task (io_uring workers
 * too, which sched_process_fork misses). `current` is the parent ---- */
SEC("tp_btf/task_newtask")
int BPF_PROG(escort_newtask, struct task_struct* child, __u64 clone_flags) {
    struct task_struct* parent = bpf_get_current_task_btf();
    __u64 id = session_of(parent);
    struct escort_facts facts = {.now_ns = bpf_ktime_get_boot_ns()};
    struct escort_session* session;
    struct escort_decision decision;

    if (!id && looks_at_forks && find_unseen(parent)) id = session_of(parent);
    if (!id) {
        inherit_unit(parent, child);
        return 0;
    }
    if (!acting() || session_of(child)) return 0; /* the other set's, which has just passed the word */
    session = gather_session(&facts, id);
    if (session) {
        __sync_fetch_and_add(&session->live, 1);
        session->activity_ns = facts.now_ns;
    }
    if (!set_label(child, id)) {
        if (session) __sync_fetch_and_add(&session->live, -1);
        /* Unseen it must not live: the kernel can signal it where it has the means, else its parent. */
        if (bpf_send_signal_task)
            bpf_send_signal_task(child, SIGKILL, PIDTYPE_TGID, 0);
        else
            kill_current();
    }
    facts.foreign_leader = has_foreign_leader(parent, BPF_CORE_READ(parent, cred, uid.val));
    decision = escort_decide(&facts);
    if (decision.refuse && !decision.observe && bpf_send_signal_task && !(clone_flags & CLONE_THREAD))
        bpf_send_signal_task(child, SIGKILL, PIDTYPE_TGID, 0);
    if (decision.signal) kill_current();
    if (decision.stop) {
        /* Without the means the child runs until its next hook, or the daemon's pass over the session. */
        if (bpf_send_signal_task && !(clone_flags & CLONE_THREAD))
            bpf_send_signal_task(child, SIGSTOP, PIDTYPE_TGID, 0);
        stop_current();
    }
    return 0;
}

/* Rule 3: what a listed unit execs that is not its own program, nor one that it may run, is a session,
 * whatever root it has made for it. */
static __always_inline bool on_unit_exec(struct task_struct* task, struct linux_binprm* bprm) {
    struct escort_facts facts = {.now_ns = bpf_ktime_get_boot_ns(), .entry = ESCORT_ENTRY_UNIT};
    struct escort_config* cfg = get_config();
    struct escort_rule* unit;
    void* inner = get_rules();
    __u32 found;

    if (!cfg || !cfg->ready || !inner || !acting() || !is_within_reach(task, task->cred, cfg)) return false;
    found = unit_session(task, bprm, cfg);
    if (!found) return false;
    unit = find_rule(inner, ESCORT_RULE_UNIT, found - 1);
    if (!unit) return false; /* the rules were flipped in between: it is judged by none */
    gather_account(&facts, BPF_CORE_READ(task, cred, uid.val), unit);
    facts.governed = 1;
    settle(task, 0, &facts, cfg);
    return true;
}

/* Has this exec gained the effective uid? `per_clear` says that it gained something, or changed its profile.
 * The file's mode may be another by now than the one that the kernel went by (bprm_fill_uid()), so its owner
 * says it, too; with binfmt_misc's flag C the file that counted is gone, and its interpreter is what runs.
 * Else it was a set-group-ID program, or one with capabilities. */
static __always_inline bool is_set_user_id(struct linux_binprm* bprm, __u32 euid) {
    struct inode* file = BPF_CORE_READ(bprm, file, f_inode);

    if (!(BPF_CORE_READ(bprm, per_clear) & PER_CLEAR_ON_SETID)) return false;
    return BPF_CORE_READ(file, i_mode) & S_ISUID || BPF_CORE_READ(file, i_uid.val) == euid ||
           BPF_CORE_READ_BITFIELD_PROBED(bprm, execfd_creds);
}

/* ---- Exec: an ended session goes no further; rule 2 (set-user-ID programs); and a task that took a
 * principal's uid without any hook seeing it is found here ---- */
static __always_inline int judge_exec(struct task_struct* task, struct linux_binprm* bprm) {
    const struct cred* cred = task->cred;
    __u64 id = session_of(task);
    __u32 uid = NOBODY;

    if (id) {
        struct escort_session* session = bpf_map_lookup_elem(&sessions, &id);
        if (session && acting()) session->activity_ns = bpf_ktime_get_boot_ns();
    } else {
        void* inner = get_rules();
        if (!inner) return 0;
        if (get_units_since() && on_unit_exec(task, bprm)) return 0;
        uid = BPF_CORE_READ(cred, uid.val);
        if (!find_rule(inner, ESCORT_RULE_PRINCIPAL, uid)) {
            uid = BPF_CORE_READ(cred, euid.val);
            if (!is_set_user_id(bprm, uid) || !find_rule(inner, ESCORT_RULE_PRINCIPAL, uid)) return 0;
        }
    }
    return on_identity(task, cred, uid);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(escort_exec, struct task_struct* task, int old_pid, struct linux_binprm* bprm) {
    __u64 id;

    judge_exec(task, bprm);
    id = session_of(task);
    if (id) record_exec(task, bprm, id);
    return 0;
}

/* ---- Exit: live tasks are counted, so that a session's end is an event ---- */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(escort_exit, struct task_struct* task) {
    __u64 id = session_of(task);
    struct escort_session* session;
    struct escort_config* cfg;

    if (!id || !acting() || !count_out(task)) return 0;
    session = bpf_map_lookup_elem(&sessions, &id);
    cfg = get_config();
    if (cfg && task->pid == task->tgid) remember_exited(task, id, cfg);
    if (!session || !cfg || __sync_fetch_and_add(&session->live, -1) != 1) return 0;
    session->last_ns = bpf_ktime_get_boot_ns();
    report(task, ESCORT_EVENT_LAST, id, session, session->uid, session->entry, session->reason,
           session->flags & ESCORT_SESSION_PROBE ? ESCORT_EVENT_PROBE : 0, 0, cfg);
    if (session->flags & ESCORT_SESSION_REFUSED) {
        bpf_map_delete_elem(&verdicts, &id);
        bpf_map_delete_elem(&sessions, &id);
    }
    return 0;
}

#include "attack.h"
#include "capability.h"
#include "clock.h"
#include "iter.h"
#include "requests.h"
