/* The kernel's own clock: a session that is dead or past its deadline dies though the daemon is down and
 * none of its tasks comes by a hook. Looks only; what is over it asks decide.h.
 *
 * Where the kernel has the means (6.13): a timer. It looks through the verdicts twice a second, and walks the
 * tasks only while one of them is due. A signal to another task is refused (EPERM) when the processor that
 * the timer fires on runs no process, so from 6.18 on PID 1 is made to do the walk on its way back to user
 * mode; before, the timer tries again, often. Elsewhere: a sample of what runs, ten times a second, which
 * never sees a task that sleeps. */
#pragma once

#include "session.h"

#define CLOCK_BOOTTIME 7
#define EBUSY 16
#define SIGNAL_GROUP_EXIT 0x4 /* signal_struct.flags: a fatal signal is on its way */
#define ITER_ALL_PROCS 0
#define ITER_ALL_THREADS 1
#define CLOCK_TICK_NS 500000000ull
/* What is marked dead and has a deadline within this is left to the daemon until then: it lets a last line
 * reach the person (Ender::begin). */
#define CLOCK_LEAD_NS 1000000000ull
/* So long after a deadline the clock leaves the session to the daemon, which says why on the terminal before
 * it kills. The hooks don't wait: nothing new starts after the deadline. */
#define CLOCK_GRACE_NS 500000000ull
#define CLOCK_HURRY_NS 20000000ull
/* So many quick passes with every signal sent, 2 s, before a task that won't die (an uninterruptible one) is
 * looked at in each tick only. */
#define CLOCK_HURRIED_PASSES 100

/* Kfuncs; the address of a missing one is 0. */
extern int bpf_iter_task_new(struct bpf_iter_task* it, struct task_struct* task,
                             unsigned int flags) __ksym __weak;
extern struct task_struct* bpf_iter_task_next(struct bpf_iter_task* it) __ksym __weak;
extern void bpf_iter_task_destroy(struct bpf_iter_task* it) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern struct task_struct* bpf_task_acquire(struct task_struct* task) __ksym __weak;
extern struct task_struct* bpf_task_from_pid(int pid) __ksym __weak;
/* The kernel adds the program itself since 7.0; 6.18 wants the parameter, and fills it. */
extern int bpf_task_work_schedule_signal(struct task_struct* task, struct bpf_task_work* work, void* map__map,
                                         int (*callback)(struct bpf_map*, void*, void*)) __ksym __weak;
extern int bpf_task_work_schedule_signal_impl(struct task_struct* task, struct bpf_task_work* work,
                                              void* map__map, int (*callback)(struct bpf_map*, void*, void*),
                                              void* aux__prog) __ksym __weak;

struct clock_cell {
    struct escort_clock seen;
    struct bpf_timer timer;
    struct bpf_task_work work;
};
/* Pinned: the timer lives as long as this map does. Written by the kernel. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct clock_cell);
} clock SEC(".maps");

/* Must what belongs to this verdict be dead by now? */
static __always_inline bool is_over(const struct escort_verdict* verdict, __u64 now) {
    struct escort_facts facts = {.labelled = 1, .verdict_known = 1, .verdict = *verdict};

    facts.now_ns = now > CLOCK_GRACE_NS ? now - CLOCK_GRACE_NS : 0;
    if (verdict->flags & ESCORT_VERDICT_DEAD && verdict->deadline_ns - now - 1 < CLOCK_LEAD_NS) return false;
    return !(verdict->flags & ESCORT_VERDICT_OBSERVE) && escort_live(&facts) != ESCORT_REASON_NONE;
}

struct due_search {
    __u64 now_ns;
    __u64 due;
};

static long look_at_verdict(struct bpf_map* map, __u64* id, struct escort_verdict* verdict,
                            struct due_search* search) {
    struct escort_session* session;

    if (!is_over(verdict, search->now_ns)) return 0;
    session = bpf_map_lookup_elem(&sessions, id);
    if (!session || session->live <= 0) return 0;
    search->due = 1;
    return 1;
}

static __always_inline bool any_due(void) {
    struct due_search search = {.now_ns = bpf_ktime_get_boot_ns()};
    bpf_for_each_map_elem(&verdicts, look_at_verdict, &search, 0);
    return search.due;
}

static __always_inline bool is_going(struct task_struct* task) {
    return BPF_CORE_READ(task, flags) & (PF_EXITING | PF_KTHREAD) ||
           BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT;
}

/* Is the whole process signalled through its leader already? */
static __always_inline bool leader_stands_for(struct task_struct* task, __u64 id) {
    struct task_struct* leader = task->group_leader;

    if (!leader || leader == task) return false;
    return !(BPF_CORE_READ(leader, flags) & PF_EXITING) && session_of(leader) == id;
}

/* Signals a task whose session is over. 0: done, or nothing to do. */
static __always_inline int end_task(struct task_struct* task, __u64 now) {
    __u64 id = session_of(task);
    struct escort_verdict* verdict;
    int error;

    if (!id) return 0;
    verdict = bpf_map_lookup_elem(&verdicts, &id);
    if (!verdict || !is_over(verdict, now) || is_going(task)) return 0;
    if (has_foreign_leader(task, BPF_CORE_READ(task, cred, uid.val)) || leader_stands_for(task, id)) return 0;
    task = bpf_task_acquire(task);
    if (!task) return 0;
    error = bpf_send_signal_task(task, SIGKILL, PIDTYPE_TGID, 0);
    bpf_task_release(task);
    if (!error) count(ESCORT_COUNT_CLOCK_KILLED);
    return error;
}

/* Walks all threads of the machine, since a process may outlive its first; labels are the agent's
 * namespace's. What fails is counted in the map: a variable's value would have the verifier never finish. */
static __noinline int end_tasks(struct clock_cell* cell) {
    __u64 now = bpf_ktime_get_boot_ns();
    struct bpf_iter_task it;
    struct task_struct* task;

    cell->seen.refused = 0;
    bpf_rcu_read_lock();
    bpf_iter_task_new(&it, NULL, ITER_ALL_THREADS);
    while ((task = bpf_iter_task_next(&it)))
        if (end_task(task, now)) cell->seen.refused = 1;
    bpf_iter_task_destroy(&it);
    bpf_rcu_read_unlock();
    return opaque_zero();
}

/* In PID 1, on its way back to user mode. */
static int on_carrier(struct bpf_map* map, void* key, void* value) {
    if (acting()) end_tasks(value);
    return 0;
}

static __always_inline void ask_carrier(struct clock_cell* cell) {
    struct task_struct* carrier;

    if (!cell->seen.carrier) return;
    carrier = bpf_task_from_pid(cell->seen.carrier);
    if (!carrier) return;
    if (bpf_task_work_schedule_signal)
        bpf_task_work_schedule_signal(carrier, &cell->work, &clock, on_carrier);
    else if (bpf_task_work_schedule_signal_impl)
        bpf_task_work_schedule_signal_impl(carrier, &cell->work, &clock, on_carrier, NULL);
    bpf_task_release(carrier);
}

/* The set of programs that doesn't act, in an upgrade, ticks on: the word may come back to it. Its timer ends
 * with its map. */
static int on_tick(void* map, __u32* key, struct clock_cell* cell) {
    __u64 next = CLOCK_TICK_NS;

    cell->seen.tick_ns = bpf_ktime_get_boot_ns();
    if (acting() && any_due()) {
        cell->seen.due = 1;
        end_tasks(cell);
        if (cell->seen.refused)
            ask_carrier(cell);
        else
            cell->seen.passes++;
        if (cell->seen.passes < CLOCK_HURRIED_PASSES) next = CLOCK_HURRY_NS;
    } else {
        cell->seen.due = 0;
        cell->seen.passes = 0;
    }
    bpf_timer_start(&cell->timer, next, 0);
    return 0;
}

/* PID 1 of the agent's namespace? Beside it there may be others of the same level. */
static __always_inline bool is_init(struct task_struct* task, const struct escort_config* cfg) {
    return agent_pid(task, cfg) == 1 &&
           pid_ns_at_level(BPF_CORE_READ(task, thread_pid), cfg->pid_ns_level) == cfg->pid_ns;
}

static __always_inline __u32 find_carrier(const struct escort_config* cfg) {
    struct bpf_iter_task it;
    struct task_struct* task;
    __u32 found = 0;

    bpf_rcu_read_lock();
    bpf_iter_task_new(&it, NULL, ITER_ALL_PROCS);
    while ((task = bpf_iter_task_next(&it)))
        if (is_init(task, cfg)) found = BPF_CORE_READ(task, tgid);
    bpf_iter_task_destroy(&it);
    bpf_rcu_read_unlock();
    return found;
}

/* Winds the clock up: run by the daemon at each start, after it has learnt its place. 0: it goes. */
SEC("syscall")
int escort_wind_clock(void* ctx) {
    struct escort_config* cfg = get_config();
    struct clock_cell* cell;
    __u32 zero = 0;
    long error;

    cell = bpf_map_lookup_elem(&clock, &zero);
    if (!cell || !cfg) return 1;
    cell->seen.carrier = find_carrier(cfg);
    cell->seen.tick_ns = bpf_ktime_get_boot_ns();
    error = bpf_timer_init(&cell->timer, &clock, CLOCK_BOOTTIME);
    if (error && error != -EBUSY) return 2; /* EBUSY: it was wound up before */
    if (bpf_timer_set_callback(&cell->timer, on_tick)) return 3;
    return bpf_timer_start(&cell->timer, CLOCK_HURRY_NS, 0) ? 4 : 0;
}

/* ---- Where there is no such timer: on each processor, what runs at the moment of the sample ---- */
SEC("perf_event")
int escort_sample(void* ctx) {
    struct task_struct* task = bpf_get_current_task_btf();
    struct escort_verdict* verdict;
    __u64 id;

    id = session_of(task);
    if (!id || !acting()) return 0;
    verdict = bpf_map_lookup_elem(&verdicts, &id);
    if (!verdict || !is_over(verdict, bpf_ktime_get_boot_ns()) || is_going(task)) return 0;
    if (has_foreign_leader(task, BPF_CORE_READ(task, cred, uid.val))) return 0;
    if (bpf_send_signal(SIGKILL))
        count(ESCORT_COUNT_SIGNAL_FAILED);
    else
        count(ESCORT_COUNT_CLOCK_KILLED);
    return 0;
}
