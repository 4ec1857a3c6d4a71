/* What the kernel programs and the daemon say to each other: maps, events, iterator records.
 *
 * The one header that both sides include. Three layouts are ABIs of their own, frozen, shared by every
 * version that is attached at once: the label (struct escort_label, also in `groups`) and the owner (struct
 * escort_owner). Those of sessions, verdicts, `also` and orphans only grow at their end: the next version
 * carries over what both know. Everything else is versioned by ESCORT_ABI: a daemon adopts pinned objects
 * only when theirs is its own. All integers are in host order; times are CLOCK_BOOTTIME nanoseconds; pids are
 * those of the agent's PID namespace unless a name says `kernel`. */
#pragma once

#ifdef __BPF__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

#ifndef ESCORT_ABI /* the upgrade's test builds a next version */
#define ESCORT_ABI 3
#endif

/* Sizes of names. 16: TASK_COMM_LEN. 64: unit names and cgroup folders ("session-12345.scope", unit names;
 * a longer name is cut and then matches nothing). 32: the executable's file name, of which only well-known
 * short ones are compared. 16: tty_struct.name is 64, but "pts/4194303" is the longest that is used. */
#define ESCORT_COMM 16
#define ESCORT_NAME 64
#define ESCORT_EXE 32
#define ESCORT_TTY 16

/* Map sizes. Sessions alive or not yet reported at once; beyond it a session is refused (counted). */
#define ESCORT_MAX_SESSIONS 16384
/* Tasks whose label could not be stored in task storage (no memory): very few at once. */
#define ESCORT_MAX_ORPHANS 4096
/* uids that were looked up and are no principals. */
#define ESCORT_MAX_KNOWN_UIDS 16384
/* Exempt units of a policy set. */
#define ESCORT_MAX_EXEMPT_UNITS 32
/* Units whose sessions are governed, and what they may run, all units together. */
#define ESCORT_MAX_UNITS 32
#define ESCORT_MAX_PROGRAMS 512

/* A pattern of `may_run`, compiled (glob.h). 128: the longest path of a cloud's agent is under 100. */
#define ESCORT_PATTERN 128
/* A program's path, or its arguments: each its own half of escort_exec_text. A longer path matches nothing.
 */
#define ESCORT_TEXT_HALF 256

/* ---- The label: frozen (v1) ---- */
struct escort_label {
    __u64 id;       /* session, unique across reboots: boot id's first 32 bits << 32 | number */
    __u32 flags;    /* escort_label_flags */
    __u32 reserved; /* 0 */
};
enum escort_label_flags {
    ESCORT_LABEL_OUT =
        1, /* its exit is counted: the other set of programs, in an upgrade, counts it no more */
};

/* ---- Which set of programs acts: frozen (v1). While two are attached, in an upgrade, one update of this
 * map passes the word from one to the other ---- */
struct escort_owner {
    __u64 generation;
};

/* ---- Rules: one array-of-maps, flipped by a single update ---- */
enum escort_rule_kind {
    ESCORT_RULE_PRINCIPAL = 1,   /* index: uid */
    ESCORT_RULE_EXEMPT_UNIT = 2, /* index: 0, 1, ... */
    ESCORT_RULE_EXEMPT_UID = 3,  /* index: uid; `units` is a bit set of exempt unit indexes */
    ESCORT_RULE_UNIT = 4,        /* index: 0, 1, ...: a vendor's guest agent */
    ESCORT_RULE_PROGRAM = 5,     /* index: 0, 1, ...: what units may run for themselves */
};
struct escort_rule_key {
    __u32 kind;
    __u32 index;
};
enum escort_principal_flags {
    ESCORT_PRINCIPAL_OBSERVE = 1, /* mode: observe: never signal */
    ESCORT_PRINCIPAL_LOG = 2,     /* on_violation: log: never signal */
    ESCORT_PRINCIPAL_PROBE = 4,   /* the agent's own canary account */
    ESCORT_PRINCIPAL_GATE = 8,    /* admission: gate: a session starts labelled, or not at all */
};
enum escort_program_flags {
    ESCORT_PROGRAM_ARGUMENTS = 1, /* the pattern goes over the path and all arguments, else over the path */
};
struct escort_rule {
    __u64 window_until;  /* principal, unit: an approval is open until then; 0: none */
    __u32 flags;         /* escort_principal_flags; program: escort_program_flags */
    __u32 entries;       /* principal, unit: bit set of 1 << escort_entry that may use a window */
    __u32 units;         /* exempt uid: bit set of exempt unit indexes */
    __u32 first_program; /* unit: its programs' indexes begin here ... */
    __u32 programs;      /* ... and are so many */
    __u32 reserved;
    union {                           /* the longest first: `{}` zeroes that one */
        char pattern[ESCORT_PATTERN]; /* program */
        char unit[ESCORT_NAME];       /* exempt unit, unit */
    };
};

/* ---- Ways in; the numbers of escort::Entry ---- */
enum escort_entry {
    ESCORT_ENTRY_OTHER = 0,
    ESCORT_ENTRY_SSHD = 1,
    ESCORT_ENTRY_LOGIN = 2,
    ESCORT_ENTRY_SU = 3,
    ESCORT_ENTRY_SUDO = 4,
    ESCORT_ENTRY_CRON = 5,
    ESCORT_ENTRY_AT = 6,
    ESCORT_ENTRY_SYSTEMD = 7,
    ESCORT_ENTRY_UNIT = 8,
    ESCORT_ENTRY_EXISTING = 9,
};

/* ---- A session: written by the kernel programs alone ---- */
struct escort_session {
    __u64 opened_ns;
    __u64 events;      /* lifecycle events of this session so far: gaps show a lost one */
    __s64 live;        /* tasks alive that carry the label */
    __u64 last_ns;     /* when the last task went; 0 while any lives */
    __u64 activity_ns; /* the last exec or fork of one of its tasks */
    __u32 uid;
    __u32 entry;
    __u32 reason; /* escort_reason at the opening */
    __u32 flags;  /* escort_session_flags */
    /* since ABI 3 */
    __u64 exec_minute_ns; /* when the minute began that the next two count in */
    __u32 execs;          /* recorded in it */
    __u32 execs_over;     /* not recorded since the session began: over the budget */
};
enum escort_session_flags {
    ESCORT_SESSION_REFUSED = 1, /* dead at birth: the kernel itself removes the entry at the end */
    ESCORT_SESSION_THREAD = 2,  /* opened by a thread whose leader keeps another real uid */
    ESCORT_SESSION_PROBE = 4,
    ESCORT_SESSION_ATTACKED = 16, /* watched only, and told of an attack */
    ESCORT_SESSION_GATED = 8,     /* opened by the gate, before the task entered the account */
};

/* What escort_open_session is run with: the daemon opens a session, the kernel gives it its number. */
struct escort_open_request {
    __u64 deadline_ns;
    __u64 id; /* out: 0 when there was no room */
    __u32 uid;
    __u32 entry;
    __u32 verdict_flags;
    __u32 session_flags;
};

/* ---- Its verdict: the first by the kernel, every other by the daemon ---- */
enum escort_verdict_flags {
    ESCORT_VERDICT_DEAD = 1,       /* refused at every hook */
    ESCORT_VERDICT_JUDGED = 2,     /* the daemon has judged it */
    ESCORT_VERDICT_OBSERVE = 4,    /* never signalled, whatever else is set */
    ESCORT_VERDICT_RELEASED = 8,   /* its account is no principal any more */
    ESCORT_VERDICT_FROZEN = 16,    /* SIGSTOP at every hook, unless it must die there */
    ESCORT_VERDICT_ARGUMENTS = 32, /* records of execs hold their arguments */
};
struct escort_verdict {
    __u64 deadline_ns; /* dead from then on */
    __u32 flags;
    __u32 exec_per_minute; /* so many execs are recorded; 0: none */
};
/* Further principal accounts that a judged session may turn into (the approval's `also`). */
struct escort_also_key {
    __u64 id;
    __u32 uid;
    __u32 reserved;
};

/* ---- Tasks without storage for a label ---- */
struct escort_orphan_key {
    __u32 kernel_tid; /* in the initial PID namespace */
    __u32 reserved;
    __u64 start_ns;
};

/* ---- Processes of sessions that have exited, by pid: who had it a moment ago ---- */
#define ESCORT_MAX_EXITED 4096
struct escort_exited {
    __u64 id;
    __u64 time_ns; /* of its exit */
};

/* ---- Lifecycle ring ---- */
enum escort_event_type {
    ESCORT_EVENT_OPENED = 1,  /* a session started: admitted, observed or refused */
    ESCORT_EVENT_ENTERED = 2, /* a labelled task took another principal's uid */
    ESCORT_EVENT_LAST = 3,    /* the session's last task is gone */
    ESCORT_EVENT_UNKNOWN = 4, /* a uid that was never looked up */
    ESCORT_EVENT_EXEMPT = 5,  /* a root job of an exempt unit switched to a principal */
    ESCORT_EVENT_TAMPER =
        6, /* a session has done what none may (attack.h): it is dead, unless only watched */
};
enum escort_reason { /* why the kernel decided so; escort_reason_* of decide.h */
                     ESCORT_REASON_NONE = 0,
                     ESCORT_REASON_WINDOW = 1,    /* admitted: a window is open */
                     ESCORT_REASON_NO_WINDOW = 2, /* no approval is open for the account */
                     ESCORT_REASON_ENTRY = 3,     /* the way in may not use an approval */
                     ESCORT_REASON_DEAD = 4,      /* the session has been ended */
                     ESCORT_REASON_DEADLINE = 5,  /* the session is past its deadline */
                     ESCORT_REASON_ALSO = 6,      /* its approval doesn't name that account */
                     ESCORT_REASON_NO_ROOM = 7,   /* the session could not be recorded: refused */
                     ESCORT_REASON_EXEMPT = 8,
                     ESCORT_REASON_UNKNOWN_SESSION = 9, /* a label without a verdict: refused */
                     ESCORT_REASON_UNGATED = 10,        /* admission: gate, and the gate has not cleared it */
                     ESCORT_REASON_TAMPER = 11,         /* it sent the agent a signal */
                     ESCORT_REASON_ATTACHED = 12,       /* it attached to a process outside (ptrace(2)) */
                     ESCORT_REASON_KERNEL_CODE = 13,    /* it loaded a module, or a next kernel */
                     ESCORT_REASON_OWN_MAP = 14,        /* it opened a map of the agent's */
};
struct escort_event {
    __u32 abi; /* ESCORT_ABI: read first */
    __u32 type;
    __u64 id;
    __u64 number; /* of this session's lifecycle events, from 1; 0 where there is no session */
    __u64 time_ns;
    __u64 opened_ns;
    __u64 start_ns; /* the task's start, with tgid its identity */
    __u32 tid;
    __u32 tgid;
    __u32 uid; /* the account's, the one that was entered */
    __u32 entry;
    __u32 reason;
    __u32 flags; /* escort_event_flags */
    __u32 loginuid;
    __u32 audit_session;
    __u32 target; /* ESCORT_REASON_ATTACHED: the process outside, where it may have to be woken; else 0 */
    __u32 reserved;
    char comm[ESCORT_COMM];
    char exe[ESCORT_EXE];
    char tty[ESCORT_TTY];
    char cgroup[ESCORT_NAME];
    char cgroup_parent[ESCORT_NAME];
};
enum escort_event_flags {
    ESCORT_EVENT_REFUSED = 1,
    ESCORT_EVENT_OBSERVED = 2,      /* would have been refused: mode observe, on_violation log */
    ESCORT_EVENT_SIGNALLED = 4,     /* SIGKILL is pending on the task */
    ESCORT_EVENT_THREAD_SPARED = 8, /* a thread of a process that keeps another real uid */
    ESCORT_EVENT_PROBE = 16,
};

/* ---- Activity ring: what sessions do. May drop, counted ---- */
/* Room for each part of a record's text. A part is shorter than its room; a longer path or folder is cut at
 * its start, a longer script's name or argument list at its end. */
#define ESCORT_EXEC_PATH 512
#define ESCORT_EXEC_CWD 256
#define ESCORT_EXEC_SCRIPT 256
#define ESCORT_EXEC_ARGUMENTS 1024
/* Recorded a minute until the daemon has said how many: contract.md §6's default. */
#define ESCORT_EXEC_PER_MINUTE 600
enum escort_exec_flags {
    ESCORT_EXEC_PATH_CUT = 1,
    ESCORT_EXEC_CWD_CUT = 2,
    ESCORT_EXEC_ARGUMENTS_CUT = 4, /* there are more than fit, or they could not be read */
    ESCORT_EXEC_ROSE = 8,          /* runs as root, and what it was forked or exec'd from didn't */
    ESCORT_EXEC_SCRIPT_CUT = 16,
    ESCORT_EXEC_NAMELESS = 32, /* no name leads to the program any more: a memfd, a deleted file */
};
struct escort_exec {
    __u32 abi;   /* ESCORT_ABI: read first */
    __u32 flags; /* escort_exec_flags */
    __u64 id;
    __u64 time_ns;
    __u64 start_ns; /* the task's start, with tgid its identity */
    __u32 tid;
    __u32 tgid;
    __u32 parent; /* tgid */
    __u32 uid;
    __u32 euid;
    __u16 path;      /* bytes in `text` of the path as the kernel resolved it, no NUL ... */
    __u16 cwd;       /* ... then of the working directory ... */
    __u16 script;    /* ... then, where an interpreter runs, of the name that execve was given ... */
    __u16 arguments; /* ... then of the arguments, argv[0] first, each with its NUL */
    char text[ESCORT_EXEC_PATH + ESCORT_EXEC_CWD + ESCORT_EXEC_SCRIPT + ESCORT_EXEC_ARGUMENTS];
};

/* ---- Task iterator ---- */
enum escort_iter_mode {
    ESCORT_ITER_LABELLED = 1, /* every task with a label (of `id`, when that is not 0) */
    ESCORT_ITER_END = 2,      /* emits nothing: kills those that a LABELLED pass shows as due */
    ESCORT_ITER_ADOPT = 3,    /* label principals' tasks that have none; emit those and unknown uids */
};
struct escort_iter_request {
    __u32 mode;
    __u32 reserved;
    __u64 id;
};
enum escort_task_flags {
    ESCORT_TASK_GONE = 1,       /* exiting or a zombie */
    ESCORT_TASK_ADOPTED = 2,    /* labelled in this pass */
    ESCORT_TASK_UNKNOWN = 4,    /* its uid was never looked up */
    ESCORT_TASK_ATTRIBUTED = 8, /* a principal's login uid, but another uid: reported, never killed */
    ESCORT_TASK_STOPPED = 16,   /* stopped by a signal, or traced */
    ESCORT_TASK_DUE = 32,       /* its session is dead and its time is up: an END pass kills its process */
};
struct escort_task {
    __u64 id; /* 0: no label */
    __u64 start_ns;
    __u64 cgroup_id;
    __u32 tid;
    __u32 tgid;
    __u32 uid;
    __u32 euid;
    __u32 loginuid;
    __u32 audit_session;
    __u32 flags; /* escort_task_flags */
    __u32 reserved;
    char comm[ESCORT_COMM];
    char tty[ESCORT_TTY]; /* its controlling terminal, "pts/3"; empty: none */
};

/* ---- A listed unit's own tasks ---- */
enum escort_unit_state {
    ESCORT_UNIT_NONE = 0,
    ESCORT_UNIT_FORKED = 1,   /* forked by PID 1, has not exec'd yet */
    ESCORT_UNIT_EXECUTOR = 2, /* PID 1's helper that execs the unit's program (systemd 255 and later) */
    ESCORT_UNIT_OWN = 3,      /* the unit's program, or forked from it */
};
/* What is exec'd: its path, ending with a NUL that is the last byte of the first half, and from the second
 * half on the arguments after argv[0], each with its NUL. One text, from `begin` to `end`; without a path
 * `begin` is 0. */
struct escort_exec_text {
    __u32 begin;
    __u32 end;
    __u32 whole; /* the path and all arguments were there and had room */
    __u32 reserved;
    char bytes[2 * ESCORT_TEXT_HALF];
};
struct escort_unit_task {
    __u32 state; /* escort_unit_state */
    __u32 reserved;
    char unit[ESCORT_NAME];
    /* What the unit's program was started as: its path and arguments, without options at the end. What the
     * unit execs that begins so is the unit's program again. */
    struct escort_exec_text own;
    struct escort_exec_text now;    /* what is exec'd now: the kernel's room for it */
    struct escort_exec_text called; /* the same by the name that was given to execve; no arguments */
};

/* ---- Counters (per CPU, summed by the reader): nothing fails in silence ---- */
enum escort_counter {
    ESCORT_COUNT_OPENED,
    ESCORT_COUNT_REFUSED,
    ESCORT_COUNT_SIGNAL_FAILED,
    ESCORT_COUNT_LABEL_ORPHANED,  /* went to the orphan map */
    ESCORT_COUNT_LABEL_LOST,      /* not even there: the task was signalled */
    ESCORT_COUNT_SESSION_NO_ROOM, /* sessions or verdicts full */
    ESCORT_COUNT_RING_FULL,       /* a lifecycle event was not written; found by reconciling */
    ESCORT_COUNT_THREAD_SPARED,
    ESCORT_COUNT_UNGOVERNED, /* a principal's uid in a container: no session */
    ESCORT_COUNT_EXEMPTED,
    ESCORT_COUNT_UNKNOWN_UID,
    ESCORT_COUNT_VERDICT_MISSING, /* a label without a verdict */
    ESCORT_COUNT_UNIT_NO_ROOM,    /* a unit's task could not be remembered: its exec is a session */
    ESCORT_COUNT_CARRIED,         /* a label without a verdict, while a new version takes over: let go on */
    ESCORT_COUNT_EXEC_RECORDED,
    ESCORT_COUNT_EXEC_OVER,     /* not recorded: over the session's budget */
    ESCORT_COUNT_ACTIVITY_FULL, /* not recorded: no room in the ring */
    ESCORT_COUNT_CLOCK_KILLED,  /* signalled by the kernel's own clock: past its deadline, or dead */
    ESCORT_COUNT_TAMPER,        /* attacks by sessions (attack.h), watched ones included */
    ESCORT_COUNT_MAX,
};

/* ---- Who is governed: learnt once, from the daemon's own task ---- */
struct escort_config {
    __u32 abi;
    __u32 ready; /* 0: the hooks do nothing yet */
    __u32 pid_ns;
    __u32 pid_ns_level;
    __u32 user_ns;
    __u32 root_dev;
    __u64 root_ino;
    __u64 cgroup_root; /* kernfs id of the root of the agent's cgroup namespace */
    __u32 boot;        /* first 32 bits of the boot id */
    __u32 uid_min;     /* uids from here on are accounts that may have to be looked up */
    __u64 next;        /* number of the next session */
    __s64 orphans;     /* tasks in the orphan map */
    /* since ABI 3 */
    __u32 adopting;     /* this version is taking over: a label without a verdict may go on */
    __u32 kernel_agent; /* the daemon's process, in the initial PID namespace; 0: none */
};

/* Index of `restored`: how often the kernel was told that its machine is a copy (a restored snapshot, a
 * clone), and how often the daemon has heard of it. Where they differ no window is open. */
enum escort_restored { ESCORT_RESTORED_SEEN = 0, ESCORT_RESTORED_HEARD = 1, ESCORT_RESTORED_MAX };

/* What escort_adjust is run with: a carried session's count of live tasks, put right. */
struct escort_adjust_request {
    __u64 id;
    __s64 live; /* is added */
};

/* The beginning of `clock`'s one value: what the kernel's own clock says of itself. */
struct escort_clock {
    __u64 tick_ns; /* when it last looked; 0: never */
    __u32 due;     /* it found a session that should be dead and isn't */
    __u32 passes;  /* over all tasks, since then */
    __u32 refused; /* the last pass could not signal a task */
    __u32 carrier; /* PID 1 of the agent's namespace, in the initial one; 0: unknown */
};

#ifndef __BPF__
static_assert(sizeof(struct escort_label) == 16, "the label's layout is frozen");
static_assert(sizeof(struct escort_owner) == 8, "the owner's layout is frozen");
static_assert(sizeof(struct escort_rule) == 160, "abi");
static_assert(sizeof(struct escort_session) == 72, "abi");
static_assert(sizeof(struct escort_verdict) == 16, "abi");
static_assert(sizeof(struct escort_also_key) == 16, "abi");
static_assert(sizeof(struct escort_orphan_key) == 16, "abi");
static_assert(sizeof(struct escort_event) == 280, "abi");
static_assert(sizeof(struct escort_exec) == 64 + 2048, "abi");
static_assert(sizeof(struct escort_task) == 88, "abi");
static_assert(sizeof(struct escort_config) == 72, "abi");
static_assert(sizeof(struct escort_iter_request) == 16, "abi");
static_assert(sizeof(struct escort_open_request) == 32, "abi");
static_assert(sizeof(struct escort_clock) == 24, "abi");
static_assert(sizeof(struct escort_unit_task) == 72 + 3 * 528, "abi");
#endif
