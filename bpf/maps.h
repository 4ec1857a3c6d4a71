/* Every map, with who writes it. All but `rules_inner`'s copies are pinned and survive the daemon; `labels`,
 * `groups` and `owner` are shared by all versions. */
#pragma once

#include "vmlinux.h"

#include "abi.h"

#include <bpf/bpf_helpers.h>

/* Labels. Layout frozen; adopted by every later version. Written by the kernel. */
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct escort_label);
} labels SEC(".maps");

/* Which set of programs acts. Layout frozen; shared by all versions. Written by the daemon. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct escort_owner);
} owner SEC(".maps");

/* The generation of this set: set by the daemon before it loads. */
const volatile __u64 own_generation = 0;
/* Are there ways to a uid that this set does not see? Set by the daemon before it loads. */
const volatile bool looks_at_forks = false;

/* On a group leader: the session that one of its threads opened before it did (a process that changes its
 * uid thread by thread, as glibc and Go do, is one session). Written by the kernel. */
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct escort_label);
} groups SEC(".maps");

/* Labels of tasks that have no storage. Written by the kernel. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ESCORT_MAX_ORPHANS);
    __type(key, struct escort_orphan_key);
    __type(value, struct escort_label);
} orphans SEC(".maps");

/* Processes of sessions that have exited, by the pid that the agent sees: what fanotify(7) tells of comes
 * after the act, and whoever did it may have gone. Written by the kernel. LRU. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, ESCORT_MAX_EXITED);
    __type(key, __u32);
    __type(value, struct escort_exited);
} exited SEC(".maps");

/* Facts of each session. Inserted and counted by the kernel; removed by the daemon (a refused one: by the
 * kernel, so that refusals don't fill the map while the daemon is down). */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ESCORT_MAX_SESSIONS);
    __type(key, __u64);
    __type(value, struct escort_session);
} sessions SEC(".maps");

/* Verdict of each session. First written by the kernel, then by the daemon alone. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ESCORT_MAX_SESSIONS);
    __type(key, __u64);
    __type(value, struct escort_verdict);
} verdicts SEC(".maps");

/* Further accounts that a session may turn into. Written by the daemon. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ESCORT_MAX_SESSIONS);
    __type(key, struct escort_also_key);
    __type(value, __u32);
} also SEC(".maps");

/* Principals, windows, exemptions: the daemon builds a new inner map and flips it in by one update. */
struct rules_inner {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __uint(key_size,
           sizeof(struct escort_rule_key)); /* clang leaves the pointees of an inner map without BTF */
    __uint(value_size, sizeof(struct escort_rule));
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 1);
    __type(key, __u32);
    __array(values, struct rules_inner);
} rules SEC(".maps");

/* uids that were looked up and are no principals; the value is unused. Inserted by both, emptied by the
 * daemon when the policy changes. LRU: an evicted uid is looked up again. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, ESCORT_MAX_KNOWN_UIDS);
    __type(key, __u32);
    __type(value, __u32);
} known_uids SEC(".maps");

/* Learnt by learn_agent, completed by the daemon. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct escort_config);
} config SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, ESCORT_COUNT_MAX);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

/* Lifecycle events. 1 MiB holds 3,700: more than the tasks that this event can come from in the time the
 * daemon needs to restart; what is lost all the same is counted and reconciled from `sessions`. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} lifecycle SEC(".maps");

/* Records of execs, each as long as what it holds. 1 MiB holds 10,000 of a usual length: at most a second's,
 * since the daemon reads at each tick, and is woken earlier when more wait. What finds no room is counted. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} activity SEC(".maps");

/* Where such a record is put together: more than a stack has. One for each CPU: only escort_exec uses it, and
 * a program is never entered again on a CPU that is in it. */
struct exec_room {
    struct escort_exec record;
    char path[ESCORT_EXEC_PATH + 256]; /* path.h; 256: a name's longest, which the verifier adds */
};
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct exec_room);
} exec_room SEC(".maps");

/* Tasks of listed units, and PID 1's forks while a unit is listed: what they were started as. Written by the
 * kernel; for tasks that were there before, by the daemon. */
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct escort_unit_task);
} unit_tasks SEC(".maps");

/* Since when (boot-time ns) units are listed; 0: none is, and no hook asks further. Written by the daemon. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} units_since SEC(".maps");

/* enum escort_restored. The first is the kernel's, the second the daemon's. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, ESCORT_RESTORED_MAX);
    __type(key, __u32);
    __type(value, __u32);
} restored SEC(".maps");

/* Ids of this object's maps, as the kernel gives them out; the value is unused. Written by the daemon. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u32);
} own_maps SEC(".maps");

/* What the next pass of the task iterator does. Written by the daemon. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct escort_iter_request);
} iter_request SEC(".maps");

/* 0 that clang can't see through: else it drops a subprogram's constant return value and leaves a stack
 * pointer in r0, which the verifier refuses. */
static __always_inline int opaque_zero(void) {
    int zero = 0;
    asm volatile("" : "+r"(zero));
    return zero;
}

static __always_inline void count(enum escort_counter which) {
    __u32 key = which;
    __u64* value = bpf_map_lookup_elem(&counters, &key);
    if (value) (*value)++;
}

static __always_inline struct escort_config* get_config(void) {
    __u32 zero = 0;
    return bpf_map_lookup_elem(&config, &zero);
}

/* Is the machine a copy, and the daemon has not heard of it? */
static __always_inline bool is_unheard_copy(void) {
    __u32 first = ESCORT_RESTORED_SEEN, second = ESCORT_RESTORED_HEARD;
    __u32* seen = bpf_map_lookup_elem(&restored, &first);
    __u32* heard = bpf_map_lookup_elem(&restored, &second);
    return seen && heard && *seen != *heard;
}

static __always_inline __u64 get_units_since(void) {
    __u32 zero = 0;
    __u64* since = bpf_map_lookup_elem(&units_since, &zero);
    return since ? *since : 0;
}

static __always_inline struct escort_rule* find_rule(void* inner, enum escort_rule_kind kind, __u32 index) {
    struct escort_rule_key key = {.kind = kind, .index = index};
    return bpf_map_lookup_elem(inner, &key);
}

/* Is it this set of programs that acts? Asked by each hook once it has something to do. */
static __always_inline bool acting(void) {
    __u32 zero = 0;
    struct escort_owner* acts = bpf_map_lookup_elem(&owner, &zero);
    return acts && acts->generation == own_generation;
}

/* The rules in force: one look-up, used for everything that one decision needs. */
static __always_inline void* get_rules(void) {
    __u32 zero = 0;
    return bpf_map_lookup_elem(&rules, &zero);
}
