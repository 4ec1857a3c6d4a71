/* The task iterator: finds what carries a label, and labels what was there before the agent. */
#pragma once

/* Sessions of tasks found by ADOPT: those of one account, audit session and cgroup are one session.
 * Emptied by the daemon before each scan. */
struct adopt_key {
    __u64 cgroup_id;
    __u32 uid;
    __u32 audit_session;
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, struct adopt_key);
    __type(value, __u64);
} adopted SEC(".maps");

static __noinline __u64 adopt_session(struct task_struct* task, __u32 uid, const struct escort_rule* rule,
                                      struct escort_config* cfg) {
    struct adopt_key key = {
        .uid = uid, .audit_session = audit_session(task), .cgroup_id = BPF_CORE_READ(cgroup_node(task), id)};
    bool observe = rule->flags & (ESCORT_PRINCIPAL_OBSERVE | ESCORT_PRINCIPAL_LOG);
    /* Alive until judged: the daemon, which runs this pass, judges it next. */
    struct escort_verdict verdict = {.deadline_ns = (__u64)-1, .flags = observe ? ESCORT_VERDICT_OBSERVE : 0};
    __u64 now = bpf_ktime_get_boot_ns();
    struct escort_session session = {.opened_ns = now,
                                     .activity_ns = now,
                                     .uid = uid,
                                     .entry = ESCORT_ENTRY_EXISTING,
                                     .reason = ESCORT_REASON_NONE};
    __u64* known = bpf_map_lookup_elem(&adopted, &key);
    __u64 id;

    if (known) return *known;
    id = record_session(cfg, &session, &verdict);
    if (id) bpf_map_update_elem(&adopted, &key, &id, BPF_ANY);
    return id;
}

/* The label for a task that has none but whose real uid is a principal's; 0: it stays without. */
static __always_inline __u64 adopt(struct task_struct* task, __u32 uid, struct escort_config* cfg,
                                   __u32* flags) {
    const struct cred* cred = BPF_CORE_READ(task, cred);
    struct escort_session* session;
    struct escort_rule* rule;
    void* inner = get_rules();
    __u64 id;

    if (!inner || BPF_CORE_READ(task, flags) & PF_KTHREAD || !is_governed(task, cred, cfg)) return 0;
    rule = find_rule(inner, ESCORT_RULE_PRINCIPAL, uid);
    if (!rule) {
        __u32 login = login_uid(task);
        if (uid >= cfg->uid_min && !bpf_map_lookup_elem(&known_uids, &uid)) *flags |= ESCORT_TASK_UNKNOWN;
        if (find_rule(inner, ESCORT_RULE_PRINCIPAL, login)) *flags |= ESCORT_TASK_ATTRIBUTED;
        return 0;
    }
    if (is_exempt(task, uid, cfg)) return 0;
    id = join_group(task);
    if (!id) {
        id = adopt_session(task, uid, rule, cfg);
        if (!id || !set_label(task, id)) return 0;
        session = bpf_map_lookup_elem(&sessions, &id);
        if (session) __sync_fetch_and_add(&session->live, 1);
    }
    *flags |= ESCORT_TASK_ADOPTED;
    return id;
}

/* Is the task's process to be killed by an END pass? Its session is dead, the time for its last words is up
 * (Ender::begin), and this kernel can signal another task. A thread whose process is not of the session is
 * left to its own hooks. */
static __always_inline bool is_due(struct task_struct* task, __u64 id) {
    struct escort_verdict* verdict = bpf_map_lookup_elem(&verdicts, &id);
    struct task_struct* leader = task->group_leader;

    if (!bpf_send_signal_task || !verdict || !leader) return false;
    if (!(verdict->flags & ESCORT_VERDICT_DEAD) || verdict->deadline_ns > bpf_ktime_get_boot_ns() ||
        verdict->flags & (ESCORT_VERDICT_OBSERVE | ESCORT_VERDICT_RELEASED))
        return false;
    return leader == task || session_of(leader) == id;
}

static __always_inline void end_process(struct task_struct* task) {
    if (bpf_send_signal_task && bpf_send_signal_task(task, SIGKILL, PIDTYPE_TGID, 0))
        count(ESCORT_COUNT_SIGNAL_FAILED);
}

SEC("iter/task")
int escort_tasks(struct bpf_iter__task* ctx) {
    struct seq_file* seq = ctx->meta->seq;
    struct task_struct* task = ctx->task;
    struct escort_iter_request* request;
    struct escort_config* cfg = get_config();
    struct escort_task out = {};
    __u32 zero = 0;
    bool gone;

    request = bpf_map_lookup_elem(&iter_request, &zero);
    if (!task || !cfg || !request) return 0;
    gone = BPF_CORE_READ(task, flags) & PF_EXITING || BPF_CORE_READ(task, exit_state);
    out.id = session_of(task);
    out.cgroup_id = BPF_CORE_READ(cgroup_node(task), id);
    out.uid = BPF_CORE_READ(task, cred, uid.val);

    if (request->mode != ESCORT_ITER_ADOPT && (!out.id || (request->id && out.id != request->id))) return 0;
    if (request->mode == ESCORT_ITER_ADOPT) {
        if (out.id || gone) return 0;
        out.id = adopt(task, out.uid, cfg, &out.flags);
        if (!out.flags) return 0;
    }
    if (request->mode != ESCORT_ITER_ADOPT && !gone && is_due(task, out.id)) {
        if (request->mode == ESCORT_ITER_END) end_process(task);
        out.flags |= ESCORT_TASK_DUE;
    }
    /* Nothing is emitted, so that one read() runs the whole pass: all have their signal before the first
     * dies. */
    if (request->mode == ESCORT_ITER_END) return 0;
    if (gone) out.flags |= ESCORT_TASK_GONE;
    if (BPF_CORE_READ(task, __state) & (TASK_STOPPED | TASK_TRACED)) out.flags |= ESCORT_TASK_STOPPED;
    out.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    out.tid = agent_pid(task, cfg);
    out.tgid = agent_pid(BPF_CORE_READ(task, group_leader), cfg);
    out.euid = BPF_CORE_READ(task, cred, euid.val);
    out.loginuid = login_uid(task);
    out.audit_session = audit_session(task);
    BPF_CORE_READ_STR_INTO(&out.comm, task, comm);
    read_tty(task, out.tty);
    bpf_seq_write(seq, &out, sizeof(out));
    return 0;
}
