/* Facts about a task: who it is, where it stands, whether it is governed. Reads only. */
#pragma once

#include "entry.h"
#include "flavors.h"
#include "maps.h"

#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
#define S_ISUID 0004000
#define PER_CLEAR_ON_SETID 0x740000 /* of linux_binprm.per_clear (include/uapi/linux/personality.h) */
#define TASK_STOPPED 0x4            /* task_struct.__state; the same from 5.14 on, where it was renamed */
#define TASK_TRACED 0x8

static __always_inline struct kernfs_node* cgroup_node(struct task_struct* task) {
    return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
}

static __always_inline void read_exe(struct task_struct* task, char* exe, __u32 size) {
    bpf_probe_read_kernel_str(exe, size, BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
}

/* The last two folders of the task's cgroup; `cgroup` holds ESCORT_NAME bytes. */
static __always_inline void read_cgroup(struct task_struct* task, char* cgroup, char* parent,
                                        __u32 parent_size) {
    struct kernfs_node* node = cgroup_node(task);

    bpf_probe_read_kernel_str(cgroup, ESCORT_NAME, BPF_CORE_READ(node, name));
    node = kernfs_parent(node);
    if (node) bpf_probe_read_kernel_str(parent, parent_size, BPF_CORE_READ(node, name));
}

/* Entry of struct pid's table at `level`. The index varies, so the address is reckoned from relocated sizes.
 */
static __always_inline void* pid_at_level(struct pid* pid, __u32 level) {
    return (void*)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
}

static __always_inline __u32 pid_ns_at_level(struct pid* pid, __u32 level) {
    struct pid_namespace* ns = NULL;
    bpf_probe_read_kernel(&ns, sizeof(ns), pid_at_level(pid, level) + bpf_core_field_offset(struct upid, ns));
    return BPF_CORE_READ(ns, ns.inum);
}

/* The task's number in the agent's PID namespace; 0 when it has none there. */
static __always_inline __u32 agent_pid(struct task_struct* task, const struct escort_config* cfg) {
    struct pid* pid = BPF_CORE_READ(task, thread_pid);
    __u32 level = BPF_CORE_READ(pid, level), number = 0;

    if (!pid || level < cfg->pid_ns_level) return 0;
    bpf_probe_read_kernel(&number, sizeof(number),
                          pid_at_level(pid, cfg->pid_ns_level) + bpf_core_field_offset(struct upid, nr));
    return number;
}

static __always_inline bool is_hosts_root(struct inode* root, const struct escort_config* cfg) {
    return BPF_CORE_READ(root, i_ino) == cfg->root_ino && BPF_CORE_READ(root, i_sb, s_dev) == cfg->root_dev;
}

struct mount_stack {
    struct mount* mount;
    bool at_the_bottom;
};

/* From a mount to the one that it covers. */
static long step_below(__u32 index, struct mount_stack* walk) {
    struct mount *mount = walk->mount, *below; /* CO-RE would relocate a read through `walk` */

    below = BPF_CORE_READ(mount, mnt_parent);
    walk->mount = below;
    if (below == mount) walk->at_the_bottom = true; /* where the mount namespace begins */
    return below == mount || BPF_CORE_READ(mount, mnt_mountpoint) != BPF_CORE_READ(below, mnt.mnt_root);
}

/* In a container that has the host's PID namespace: its root is another file system's, mounted where the
 * mount namespace begins (pivot_root(2), or MS_MOVE over it). What chroot(2) makes is no such root: sshd's
 * ChrootDirectory leads into a folder, or to what is mounted on one, over something else or not. */
static __always_inline bool is_contained(struct task_struct* task, const struct escort_config* cfg) {
    struct dentry* root = BPF_CORE_READ(task, fs, root.dentry);
    struct vfsmount* mnt = BPF_CORE_READ(task, fs, root.mnt);
    struct mount_stack walk = {.mount = (void*)mnt - bpf_core_field_offset(struct mount, mnt)};

    if (!root || !mnt || root != BPF_CORE_READ(mnt, mnt_root)) return false;
    if (is_hosts_root(BPF_CORE_READ(root, d_inode), cfg)) return false;
    bpf_loop(16, step_below, &walk, 0);
    return walk.at_the_bottom;
}

/* Does it stand in the agent's PID namespace, or in one below that is no container's? `cred` is the identity
 * it has or is about to have. */
static __always_inline bool is_within_reach(struct task_struct* task, const struct cred* cred,
                                            const struct escort_config* cfg) {
    struct pid* pid = BPF_CORE_READ(task, thread_pid);
    __u32 level = BPF_CORE_READ(pid, level);

    if (!pid || level < cfg->pid_ns_level) return false;
    if (pid_ns_at_level(pid, cfg->pid_ns_level) != cfg->pid_ns) return false;
    if (level == cfg->pid_ns_level) return true;
    /* Nested: `unshare -pf` and PrivatePIDs= keep the host's root and user namespace, a container doesn't. */
    return is_hosts_root(BPF_CORE_READ(task, fs, root.dentry, d_inode), cfg) &&
           BPF_CORE_READ(cred, user_ns, ns.inum) == cfg->user_ns;
}

/* Is it a task of this host (architecture.md, 'Who is governed')? */
static __always_inline bool is_governed(struct task_struct* task, const struct cred* cred,
                                        const struct escort_config* cfg) {
    return is_within_reach(task, cred, cfg) && !is_contained(task, cfg);
}

/* A thread of a process whose leader keeps another real uid (rpc.gssd): signalling it kills a bystander. */
static __always_inline bool has_foreign_leader(struct task_struct* task, __u32 uid) {
    if (BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid)) return false;
    return BPF_CORE_READ(task, group_leader, cred, uid.val) != uid;
}

/* Steps of bpf_loop: verified once, however often they run. */
struct ancestry {
    struct task_struct* task;
    struct kernfs_node* node;
    const struct escort_config* cfg;
    bool from_init;
};

static long step_to_parent(__u32 index, struct ancestry* walk) {
    struct task_struct* task = walk->task; /* CO-RE would relocate a read through `walk` */

    task = BPF_CORE_READ(task, real_parent);
    walk->task = task;
    if (!task) return 1;
    if (agent_pid(task, walk->cfg) == 1) {
        walk->from_init = true;
        return 1;
    }
    return cgroup_node(task) != walk->node;
}

/* Was the task forked, in however many steps, from PID 1 into the cgroup it stands in? Every ancestor up to
 * PID 1 must stand there too; 16 steps are more than a job of a unit has. */
static __always_inline bool descends_in_cgroup(struct task_struct* task, struct kernfs_node* node,
                                               const struct escort_config* cfg) {
    struct ancestry walk = {.task = BPF_CORE_READ(task, group_leader), .node = node, .cfg = cfg};
    bpf_loop(16, step_to_parent, &walk, 0);
    return walk.from_init;
}

struct unit_search {
    const char* name; /* ESCORT_NAME bytes, zero-filled */
    void* rules;
    __u32 kind;  /* of rule: exempt units or listed ones */
    __u32 units; /* bit set of those to compare */
    __u32 found; /* the index, from 1; 0: none */
};

static long compare_unit(__u32 index, struct unit_search* search) {
    const __u64* name = (const __u64*)search->name;
    struct escort_rule* rule;
    __u64 difference = 0;

    if (!(search->units & (1u << (index & 31)))) return 0;
    rule = find_rule(search->rules, search->kind, index);
    if (!rule) return 0;
    for (int i = 0; i < ESCORT_NAME / 8; i++)
        difference |= name[i] ^ ((const __u64*)rule->unit)[i];
    search->found = difference == 0 ? index + 1 : 0;
    return search->found != 0;
}

/* The two below are functions of their own so that their names are off the stack again (512 bytes for all
 * frames together) before anything else is done. */

/* How a task comes to an account: its escort_entry. */
static __noinline __u32 way_in(struct task_struct* task) {
    char exe[24] = {};    /* "systemd-executor" is the longest that matters */
    char parent[16] = {}; /* "system.slice" is */
    char cgroup[ESCORT_NAME] = {};

    read_exe(task, exe, sizeof(exe));
    read_cgroup(task, cgroup, parent, sizeof(parent));
    return escort_entry_of(exe, cgroup, parent);
}

/* systemd-coredump takes the uid of whose program has crashed before it stores the core: PID 1's job, by
 * whatever account. Its units' names count up. */
#define CORE_SLICE "system-systemd\\x2dcoredump.slice"
#define CORE_UNIT "systemd-coredump@"

/* Is it a job of a unit that may switch to this account (`exempt:`)? Only asked of a task without a label. */
static __noinline __u32 is_exempt(struct task_struct* task, __u32 uid, struct escort_config* cfg) {
    struct kernfs_node* node = cgroup_node(task);
    struct unit_search search = {.rules = get_rules(), .kind = ESCORT_RULE_EXEMPT_UNIT};
    char cgroup[ESCORT_NAME] = {};
    struct kernfs_node* slice = kernfs_parent(node);
    struct escort_rule* account;
    char parent[40] = {};

    if (!search.rules) return 0;
    read_cgroup(task, cgroup, parent, sizeof(parent));
    if (escort_name_is(parent, CORE_SLICE) && escort_name_starts(cgroup, CORE_UNIT)) {
        slice = kernfs_parent(slice);
        bpf_probe_read_kernel_str(parent, sizeof(parent), BPF_CORE_READ(slice, name));
        if (!escort_name_is(parent, "system.slice")) return 0;
        return BPF_CORE_READ(kernfs_parent(slice), id) == cfg->cgroup_root &&
               descends_in_cgroup(task, node, cfg);
    }
    account = find_rule(search.rules, ESCORT_RULE_EXEMPT_UID, uid);
    if (!account || !account->units || !escort_name_is(parent, "system.slice")) return 0;
    if (BPF_CORE_READ(kernfs_parent(slice), id) != cfg->cgroup_root) return 0;
    search.name = cgroup;
    search.units = account->units;
    bpf_loop(ESCORT_MAX_EXEMPT_UNITS, compare_unit, &search, 0);
    return search.found != 0 && descends_in_cgroup(task, node, cfg);
}

static __always_inline __u32 login_uid(struct task_struct* task) {
    if (!bpf_core_field_exists(task->loginuid)) return (__u32)-1;
    return BPF_CORE_READ(task, loginuid.val);
}

static __always_inline __u32 audit_session(struct task_struct* task) {
    if (!bpf_core_field_exists(task->sessionid)) return (__u32)-1;
    return BPF_CORE_READ(task, sessionid);
}
