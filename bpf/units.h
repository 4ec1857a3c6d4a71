/* Listed units (`principals.units`): is what one of its tasks execs the unit's own, or a session's start?
 *
 * Its own is what PID 1 started (the first exec of its fork), that same program with the same arguments but
 * for options at the end (a script's interpreter alone would be a licence for any script), and what the
 * policy lists. By path, never by inode: a package upgrade puts another inode there and hurts nobody. */
#pragma once

#include "entry.h"
#include "path.h"
#include "session.h"
#include "text.h"

/* ---- What was exec'd, as text ---- */

/* The path from the mount namespace's root; without one where it is longer than half the text. */
static __noinline int read_path(struct file* file, struct escort_exec_text* text) {
    struct path_walk walk = {};

    text->begin = 0;
    text->whole = 0;
    text->end = ESCORT_TEXT_HALF;
    walk_path(&walk, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt),
              ESCORT_TEXT_HALF - 2);
    if (!walk.room || walk.end != PATH_WHOLE) return opaque_zero();
    /* The end of the room, so that the path ends where the half does, before its NUL. */
    bpf_probe_read_kernel(text->bytes, ESCORT_TEXT_HALF - 1, &walk.room[PATH_ROOM - ESCORT_TEXT_HALF + 1]);
    text->bytes[ESCORT_TEXT_HALF - 1] = 0;
    text->begin = walk.begin - (PATH_ROOM - ESCORT_TEXT_HALF + 1);
    text->whole = 1;
    return opaque_zero();
}

/* The arguments after argv[0], which anybody may choose. Just written by the kernel, so they are there. */
static __always_inline void read_arguments(struct task_struct* task, struct escort_exec_text* text) {
    __u64 begin = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
    char* room = &text->bytes[ESCORT_TEXT_HALF];
    long name = bpf_probe_read_user_str(room, ESCORT_TEXT_HALF, (void*)begin);
    __u64 size;

    if (name <= 0 || name >= ESCORT_TEXT_HALF || begin + name > end) {
        text->whole = 0;
        return;
    }
    size = end - begin - name;
    if (size > HALF_MASK) {
        size = HALF_MASK;
        text->whole = 0;
    }
    if (bpf_probe_read_user(room, size & HALF_MASK, (void*)begin + name)) {
        text->whole = 0;
        size = 0;
    }
    text->end = ESCORT_TEXT_HALF + size;
}

/* What the unit's program is known by from now on: options at the end are left out. */
static __always_inline void remember_own(struct escort_unit_task* task) {
    task->own = task->now;
    task->own.end = escort_text_own_end(&task->now);
    task->state = ESCORT_UNIT_OWN;
}

/* ---- What it may run ---- */

/* The name that execve was given: what counts of a script, whose interpreter is what runs; and of a program
 * that is listed by a link's name. Only from the host's own root, without a user namespace (whoever makes one
 * may mount over a path), and absolute. */
static __noinline int read_called(struct task_struct* task, struct linux_binprm* bprm,
                                  struct escort_unit_task* unit, const struct escort_config* cfg) {
    struct inode* root = BPF_CORE_READ(task, fs, root.dentry, d_inode);
    long size =
        bpf_probe_read_kernel_str(unit->called.bytes, ESCORT_TEXT_HALF, BPF_CORE_READ(bprm, filename));

    unit->called.begin = 0;
    unit->called.end = 0;
    if (size <= 1 || size >= ESCORT_TEXT_HALF || unit->called.bytes[0] != '/') return opaque_zero();
    if (!is_hosts_root(root, cfg)) return opaque_zero();
    unit->called.end = size - 1;
    if (!escort_text_clean(&unit->called)) unit->called.end = 0;
    return opaque_zero();
}

struct program_search {
    struct escort_unit_task* task;
    void* rules;
    __u32 first;
    __u32 script;
    __u32 found;
};

static long compare_program(__u32 index, struct program_search* search) {
    struct escort_unit_task* task = search->task;
    struct escort_rule* rule = find_rule(search->rules, ESCORT_RULE_PROGRAM, search->first + index);
    bool found;

    if (!rule) return 0;
    if (rule->flags & ESCORT_PROGRAM_ARGUMENTS)
        found = task->now.whole && escort_text_matches(rule, &task->now, task->now.end - 1);
    else
        found = (task->called.end && escort_text_matches(rule, &task->called, task->called.end)) ||
                (task->now.begin && !search->script &&
                 escort_text_matches(rule, &task->now, ESCORT_TEXT_HALF - 1));
    if (!found) return 0;
    search->found = 1;
    return 1;
}

/* ---- Whose task it is ---- */

static __always_inline struct escort_unit_task* unit_task(struct task_struct* task) {
    struct escort_unit_task* found = bpf_task_storage_get(&unit_tasks, task, NULL, 0);
    struct task_struct* leader;

    if (found) return found;
    leader = task->group_leader; /* the daemon can only write there */
    return leader ? bpf_task_storage_get(&unit_tasks, leader, NULL, 0) : NULL;
}

/* The index, from 1, of the listed unit that the task stands in: by its cgroup, exactly /system.slice/UNIT;
 * else by the one it was forked in. 0: none. */
static __noinline __u32 unit_of(struct task_struct* task, struct escort_unit_task* known,
                                struct escort_config* cfg) {
    struct unit_search search = {.rules = get_rules(), .kind = ESCORT_RULE_UNIT, .units = (__u32)-1};
    struct kernfs_node* node = cgroup_node(task);
    char cgroup[ESCORT_NAME] = {};
    char parent[16] = {};

    if (!search.rules) return 0;
    read_cgroup(task, cgroup, parent, sizeof(parent));
    if (escort_name_is(parent, "system.slice") &&
        BPF_CORE_READ(kernfs_parent(kernfs_parent(node)), id) == cfg->cgroup_root) {
        search.name = cgroup;
        bpf_loop(ESCORT_MAX_UNITS, compare_unit, &search, 0);
    }
    if (!search.found && known && known->state == ESCORT_UNIT_OWN) {
        search.name = known->unit;
        bpf_loop(ESCORT_MAX_UNITS, compare_unit, &search, 0);
    }
    return search.found;
}

/* PID 1 forked it before its forks were marked, and this is its first exec since. */
static __always_inline bool forked_unseen(struct task_struct* task, const struct escort_config* cfg) {
    return BPF_CORE_READ(task, start_boottime) < get_units_since() &&
           agent_pid(BPF_CORE_READ(task, real_parent), cfg) == 1 &&
           BPF_CORE_READ(task, self_exec_id) == BPF_CORE_READ(task, parent_exec_id) + 1;
}

/* Its record, made where there is none. NULL: no memory. */
static __always_inline struct escort_unit_task* own_record(struct task_struct* task,
                                                           struct escort_unit_task* known) {
    return bpf_task_storage_get(&unit_tasks, task, known, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* ---- The two hooks' parts ---- */

/* At a fork: PID 1's are marked, a unit's are the unit's. */
static __always_inline void inherit_unit(struct task_struct* parent, struct task_struct* child) {
    struct escort_unit_task *known, *record;
    struct escort_config* cfg;

    if (!get_units_since()) return;
    known = unit_task(parent);
    if (known && known->state == ESCORT_UNIT_OWN) {
        if (!own_record(child, known)) count(ESCORT_COUNT_UNIT_NO_ROOM);
        return;
    }
    cfg = get_config();
    if (!cfg || agent_pid(parent, cfg) != 1) return;
    record = own_record(child, NULL);
    if (record)
        record->state = ESCORT_UNIT_FORKED;
    else
        count(ESCORT_COUNT_UNIT_NO_ROOM);
}

/* What a task of a unit may exec, that has just exec'd. */
static __noinline __u32 unit_may(struct task_struct* task, struct linux_binprm* bprm,
                                 struct escort_unit_task* record, __u32 unit) {
    struct program_search search = {.task = record, .rules = get_rules()};
    struct escort_config* cfg = get_config();
    struct escort_rule* rule;

    if (!cfg || !search.rules) return 0;
    rule = find_rule(search.rules, ESCORT_RULE_UNIT, unit - 1);
    if (!rule) return 1;
    read_path(BPF_CORE_READ(bprm, file), &record->now);
    read_arguments(task, &record->now);
    if (record->state == ESCORT_UNIT_NONE && forked_unseen(task, cfg)) record->state = ESCORT_UNIT_FORKED;
    if (record->state == ESCORT_UNIT_FORKED || record->state == ESCORT_UNIT_EXECUTOR) {
        char exe[24] = {};
        read_exe(task, exe, sizeof(exe));
        if (record->state == ESCORT_UNIT_FORKED && escort_name_is(exe, "systemd-executor")) {
            record->state = ESCORT_UNIT_EXECUTOR;
            return 1;
        }
        __builtin_memcpy(record->unit, rule->unit, ESCORT_NAME);
        remember_own(record);
        return 1;
    }
    if (record->state == ESCORT_UNIT_OWN && escort_text_begins(&record->now, &record->own)) return 1;
    read_called(task, bprm, record, cfg);
    search.first = rule->first_program;
    search.script = BPF_CORE_READ(bprm, interp) != BPF_CORE_READ(bprm, filename);
    bpf_loop(rule->programs & (2 * ESCORT_MAX_PROGRAMS - 1), compare_program, &search, 0);
    return search.found;
}

/* At an exec of a task without a label. The index, from 1, of the unit that a session of starts here; 0: none
 * does. */
static __noinline __u32 unit_session(struct task_struct* task, struct linux_binprm* bprm,
                                     struct escort_config* cfg) {
    struct escort_unit_task *known = unit_task(task), *record;
    __u32 unit = unit_of(task, known, cfg);

    if (!unit) {
        if (known) bpf_task_storage_delete(&unit_tasks, task); /* PID 1's fork became something else */
        return 0;
    }
    record = own_record(task, known);
    if (!record) {
        count(ESCORT_COUNT_UNIT_NO_ROOM);
        return unit;
    }
    return unit_may(task, bprm, record, unit) ? 0 : unit;
}
