/* Kernel structs that changed between versions, in one place. libbpf ignores what follows `___` in a name. */
#pragma once

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* kernfs_node.parent became __parent in 6.15 (commit 633488947ef6). */
struct kernfs_node___before_6_15 {
    struct kernfs_node___before_6_15* parent;
} __attribute__((preserve_access_index));
struct kernfs_node___since_6_15 {
    struct kernfs_node___since_6_15* __parent;
} __attribute__((preserve_access_index));

static __always_inline struct kernfs_node* kernfs_parent(struct kernfs_node* node) {
    struct kernfs_node___since_6_15* now = (void*)node;
    struct kernfs_node___before_6_15* old = (void*)node;

    if (bpf_core_field_exists(now->__parent)) return (void*)BPF_CORE_READ(now, __parent);
    return (void*)BPF_CORE_READ(old, parent);
}

/* Signals another task. A kfunc since 6.13; where it is missing the address is 0 and the branch is dead code.
 */
extern int bpf_send_signal_task(struct task_struct* task, int sig, enum pid_type type,
                                u64 value) __ksym __weak;
/* A task by its pid in the caller's PID namespace, held until it is released. kfuncs: bpf_task_from_vpid
 * since 6.14, bpf_task_release since 6.2. */
extern struct task_struct* bpf_task_from_vpid(int vpid) __ksym __weak;
extern void bpf_task_release(struct task_struct* task) __ksym __weak;
