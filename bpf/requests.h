/* Programs that no hook runs: the daemon does (BPF_PROG_RUN), for what a map operation can't say. */
#pragma once

#include "session.h"

/* ---- A session without a task, yet: run by the daemon for a login that the gate has cleared ---- */
SEC("syscall")
int escort_open_session(struct escort_open_request* request) {
    struct escort_config* cfg = get_config();
    __u64 now = bpf_ktime_get_boot_ns();
    struct escort_session session = {
        .opened_ns = now,
        .activity_ns = now,
        .live = 1,
        .uid = request->uid,
        .entry = request->entry,
        .flags = request->session_flags,
    };
    struct escort_verdict verdict = {.deadline_ns = request->deadline_ns, .flags = request->verdict_flags};

    if (!cfg) return 1;
    request->id = record_session(cfg, &session, &verdict);
    if (request->id) count(ESCORT_COUNT_OPENED);
    return 0;
}

/* ---- A session carried over from another version's maps: the tasks that it won or lost meanwhile ---- */
SEC("syscall")
int escort_adjust(struct escort_adjust_request* request) {
    __u64 id = request->id;
    struct escort_session* session = bpf_map_lookup_elem(&sessions, &id);

    if (!session) return 1;
    __sync_fetch_and_add(&session->live, request->live);
    return 0;
}

/* ---- The agent's own place, read from its own task: run once by the daemon ---- */
SEC("syscall")
int escort_learn_agent(void* ctx) {
    struct task_struct* task = bpf_get_current_task_btf();
    struct pid* pid = BPF_CORE_READ(task, thread_pid);
    struct inode* root = BPF_CORE_READ(task, fs, root.dentry, d_inode);
    struct escort_config* cfg = get_config();

    if (!cfg) return 1;
    cfg->kernel_agent = BPF_CORE_READ(task, tgid);
    cfg->pid_ns_level = BPF_CORE_READ(pid, level);
    cfg->pid_ns = pid_ns_at_level(pid, cfg->pid_ns_level);
    cfg->user_ns = BPF_CORE_READ(task, cred, user_ns, ns.inum);
    cfg->root_dev = BPF_CORE_READ(root, i_sb, s_dev);
    cfg->root_ino = BPF_CORE_READ(root, i_ino);
    cfg->cgroup_root = BPF_CORE_READ(task, nsproxy, cgroup_ns, root_cset, dfl_cgrp, kn, id);
    return cfg->pid_ns ? 0 : 1;
}
