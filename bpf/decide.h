/* The one decision, as a pure function: what the hooks gathered in, what to do out.
 *
 * Compiled into the kernel programs and, natively, into the unit tests. It reads no map, calls no helper,
 * knows no kernel type. Whatever is unsure is refused. */
#pragma once

#include "abi.h"

#ifdef __cplusplus
#define ESCORT_INLINE inline
#else
#define ESCORT_INLINE static __attribute__((always_inline))
#endif

/* What the hooks know of the task at this moment. Booleans are 0 or 1. */
struct escort_facts {
    __u64 now_ns;
    /* its session, when it carries a label */
    __u32 labelled;
    __u32 verdict_known; /* the label's verdict was found */
    __u32 adopting;      /* it may be on its way over from another version's maps */
    struct escort_verdict verdict;
    __u32 session_uid;
    __u32 also; /* its approval names the entered account */
    /* the account whose uid it enters, if it does */
    __u32 enters;
    __u32 uid;
    __u64 window_until;
    __u32 principal_flags;
    __u32 entries;
    __u32 entry;
    __u32 governed;
    __u32 exempt;
    /* a thread whose group leader keeps another real uid: a signal would kill a bystander */
    __u32 foreign_leader;
};

struct escort_decision {
    __u32 open;    /* a session starts here */
    __u32 refuse;  /* it may not go on: dead in the map */
    __u32 signal;  /* SIGKILL now */
    __u32 stop;    /* SIGSTOP now: its session is frozen. Never with `signal` */
    __u32 observe; /* refused on paper only */
    __u32 reason;  /* escort_reason */
};

/* May a session of this account start, or a session become this account, now and by this way in?
 * ESCORT_REASON_WINDOW: yes. */
ESCORT_INLINE __u32 escort_window(const struct escort_facts* facts) {
    if (facts->window_until <= facts->now_ns) return ESCORT_REASON_NO_WINDOW;
    if (!(facts->entries & (1u << (facts->entry & 31u)))) return ESCORT_REASON_ENTRY;
    return ESCORT_REASON_WINDOW;
}

/* May a task without a label start a session of this account? ESCORT_REASON_WINDOW: yes. The window of an
 * account with a gate is for sessions that the gate has labelled. */
ESCORT_INLINE __u32 escort_unlabelled(const struct escort_facts* facts) {
    if (facts->principal_flags & ESCORT_PRINCIPAL_GATE) return ESCORT_REASON_UNGATED;
    return escort_window(facts);
}

/* Is the account's policy one that only logs (mode: observe, on_violation: log)? */
ESCORT_INLINE __u32 escort_watched_only(const struct escort_facts* facts) {
    return (facts->principal_flags & (ESCORT_PRINCIPAL_OBSERVE | ESCORT_PRINCIPAL_LOG)) != 0;
}

/* Why a task that carries a label may not go on; ESCORT_REASON_NONE when it may. */
ESCORT_INLINE __u32 escort_live(const struct escort_facts* facts) {
    if (!facts->verdict_known) return facts->adopting ? ESCORT_REASON_NONE : ESCORT_REASON_UNKNOWN_SESSION;
    if (facts->verdict.flags & ESCORT_VERDICT_RELEASED) return ESCORT_REASON_NONE;
    if (facts->verdict.flags & ESCORT_VERDICT_DEAD) return ESCORT_REASON_DEAD;
    if (facts->verdict.deadline_ns <= facts->now_ns) return ESCORT_REASON_DEADLINE;
    return ESCORT_REASON_NONE;
}

/* Must a task of this session, which may go on, stand still? Observed and released ones never do. */
ESCORT_INLINE __u32 escort_frozen(const struct escort_facts* facts) {
    return (facts->verdict.flags & (ESCORT_VERDICT_FROZEN | ESCORT_VERDICT_OBSERVE |
                                    ESCORT_VERDICT_RELEASED)) == ESCORT_VERDICT_FROZEN;
}

/* A labelled task that enters a principal's uid: its own account's, an `also`, or the end of it. */
ESCORT_INLINE __u32 escort_entered(const struct escort_facts* facts) {
    if (facts->uid == facts->session_uid && !(facts->verdict.flags & ESCORT_VERDICT_RELEASED))
        return ESCORT_REASON_NONE;
    if (facts->also) return ESCORT_REASON_NONE;
    /* Not judged yet (the daemon is down, or this is the first millisecond) or released: at least a window
     * must be open for that account too, and it be without a gate; the daemon judges the rest. */
    if (!(facts->verdict.flags & ESCORT_VERDICT_JUDGED) || (facts->verdict.flags & ESCORT_VERDICT_RELEASED)) {
        __u32 window = escort_unlabelled(facts);
        return window == ESCORT_REASON_WINDOW ? (__u32)ESCORT_REASON_NONE : window;
    }
    return ESCORT_REASON_ALSO;
}

ESCORT_INLINE struct escort_decision escort_decide(const struct escort_facts* facts) {
    struct escort_decision decision = {0, 0, 0, 0, 0, ESCORT_REASON_NONE};

    if (facts->labelled) {
        __u32 watched = facts->verdict_known && (facts->verdict.flags & ESCORT_VERDICT_OBSERVE);

        decision.reason = escort_live(facts);
        if (decision.reason == ESCORT_REASON_NONE && facts->enters) {
            decision.reason = escort_entered(facts);
            /* The entered account's policy alone: a session that is only watched is no way into another's. */
            watched = escort_watched_only(facts);
        }
        if (decision.reason == ESCORT_REASON_NONE) {
            decision.stop = escort_frozen(facts) && !facts->foreign_leader;
            return decision;
        }
        decision.refuse = 1;
        decision.observe = watched;
    } else {
        if (!facts->enters || !facts->governed) return decision;
        if (facts->exempt) {
            decision.reason = ESCORT_REASON_EXEMPT;
            return decision;
        }
        decision.open = 1;
        decision.reason = escort_unlabelled(facts);
        if (decision.reason == ESCORT_REASON_WINDOW) return decision;
        decision.refuse = 1;
        decision.observe = escort_watched_only(facts);
    }
    decision.signal = !decision.observe && !facts->foreign_leader;
    if (decision.observe && facts->labelled) decision.stop = escort_frozen(facts) && !facts->foreign_leader;
    return decision;
}
