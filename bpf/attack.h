/* What no session may do, whatever it was approved for: attack the agent, the kernel, or the processes of
 * others. Tier `kill` doesn't refuse the act: it is seen, and the session is dead before it comes back from
 * it. For everybody else each costs a comparison, or a look-up of the caller's label. Included by
 * escort.bpf.c. */
#pragma once

#include "session.h"

#define PTRACE_MODE_ATTACH 0x02 /* include/linux/ptrace.h */

static __always_inline void on_attack(struct task_struct* task, __u64 id, __u32 reason, __u32 target,
                                      const struct escort_config* cfg) {
    struct escort_verdict* verdict = bpf_map_lookup_elem(&verdicts, &id);
    struct escort_session* session = bpf_map_lookup_elem(&sessions, &id);
    __u32 flags = 0;

    if (!verdict || verdict->flags & ESCORT_VERDICT_RELEASED)
        return; /* refused at its next hook, or no session's */
    if (verdict->flags & ESCORT_VERDICT_OBSERVE) {
        /* It lives on, and must not fill the ring: told of once. */
        if (!session || session->flags & ESCORT_SESSION_ATTACKED) return;
        session->flags |= ESCORT_SESSION_ATTACKED;
    } else {
        verdict->flags |= ESCORT_VERDICT_DEAD;
        kill_current();
        flags = ESCORT_EVENT_REFUSED | ESCORT_EVENT_SIGNALLED;
    }
    count(ESCORT_COUNT_TAMPER);
    report(task, ESCORT_EVENT_TAMPER, id, session, BPF_CORE_READ(task, cred, uid.val), ESCORT_ENTRY_OTHER,
           reason, flags, target, cfg);
}

/* ---- Signals to the agent. Seen here, since a daemon that is killed sees nothing. What the kernel itself
 * sends (si_code above 0) may come in an interrupt, in which any task is `current` ---- */
SEC("tp_btf/signal_generate")
int BPF_PROG(escort_signal, int sig, struct kernel_siginfo* info, struct task_struct* target, int group,
             int result) {
    struct escort_config* cfg = get_config();
    struct task_struct* task;
    __u64 id;

    if (!cfg || !cfg->kernel_agent || (__u32)target->tgid != cfg->kernel_agent) return 0;
    if (info == SEND_SIG_PRIV) return 0;
    if (info != SEND_SIG_NOINFO && BPF_CORE_READ(info, si_code) > 0) return 0;
    task = bpf_get_current_task_btf();
    id = session_of(task);
    if (id && acting()) on_attack(task, id, ESCORT_REASON_TAMPER, 0, cfg);
    return 0;
}

/* Who attaches may stop the target, and won't live to let it go on: the daemon does. */
static __always_inline void on_attach(struct task_struct* task, __u64 id, struct task_struct* target,
                                      const struct escort_config* cfg) {
    bool stands = BPF_CORE_READ(target, __state) & (TASK_STOPPED | TASK_TRACED);
    on_attack(task, id, ESCORT_REASON_ATTACHED,
              stands ? 0 : agent_pid(BPF_CORE_READ(target, group_leader), cfg), cfg);
}

/* ---- Processes of others: granted as to who may attach. ptrace(2), process_vm_readv(2) and -writev,
 * /proc/PID/mem, pidfd_getfd(2), and of what can be read /proc/PID/stack, syscall and personality all ask
 * this; other reading (ps, ss, lsof) asks with another mode ---- */
SEC("fexit/security_ptrace_access_check")
int BPF_PROG(escort_attach, struct task_struct* target, unsigned int mode, int refused) {
    struct task_struct* task = bpf_get_current_task_btf();
    struct escort_config* cfg;
    __u64 id;

    if (refused || !(mode & PTRACE_MODE_ATTACH)) return 0;
    id = session_of(task);
    if (!id || session_of(target) == id || !acting()) return 0;
    cfg = get_config();
    if (cfg) on_attach(task, id, target, cfg);
    return 0;
}

/* ---- The kernel: a module or a next kernel from the caller's memory (init_module(2), kexec_load(2)), or
 * from a file (finit_module(2), kexec_file_load(2)). A module that the kernel asks for itself is loaded by a
 * task that carries no label ---- */
static __always_inline int on_kernel_code(int refused) {
    struct task_struct* task;
    struct escort_config* cfg;
    __u64 id;

    if (refused) return 0;
    task = bpf_get_current_task_btf();
    id = session_of(task);
    if (!id || !acting()) return 0;
    cfg = get_config();
    if (cfg) on_attack(task, id, ESCORT_REASON_KERNEL_CODE, 0, cfg);
    return 0;
}

SEC("fexit/security_kernel_load_data")
int BPF_PROG(escort_load_data, enum kernel_load_data_id what, bool contents, int refused) {
    if (what != bpf_core_enum_value(enum kernel_load_data_id, LOADING_MODULE) &&
        what != bpf_core_enum_value(enum kernel_load_data_id, LOADING_KEXEC_IMAGE))
        return 0;
    return on_kernel_code(refused);
}

SEC("fexit/security_kernel_read_file")
int BPF_PROG(escort_read_file, struct file* file, enum kernel_read_file_id what, bool contents, int refused) {
    if (what != bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE) &&
        what != bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_IMAGE) &&
        (!bpf_core_enum_value_exists(enum kernel_read_file_id, READING_MODULE_COMPRESSED) ||
         what != bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE_COMPRESSED)))
        return 0;
    return on_kernel_code(refused);
}

/* ---- The agent's own maps: whoever gets a descriptor of one, by its pin (BPF_OBJ_GET) or its number
 * (BPF_MAP_GET_FD_BY_ID), could take a label off, or open a window. Asked by bpf(2) alone ---- */
SEC("fexit/security_bpf_map")
int BPF_PROG(escort_own_map, struct bpf_map* map, unsigned int mode, int refused) {
    struct task_struct* task;
    struct escort_config* cfg;
    __u32 number;
    __u64 id;

    if (refused) return 0;
    task = bpf_get_current_task_btf();
    id = session_of(task);
    if (!id || !acting()) return 0;
    number = BPF_CORE_READ((struct bpf_map___id*)map, id);
    if (!bpf_map_lookup_elem(&own_maps, &number)) return 0;
    cfg = get_config();
    if (cfg) on_attack(task, id, ESCORT_REASON_OWN_MAP, 0, cfg);
    return 0;
}
