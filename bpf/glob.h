/* Does a program match what a unit may run? A shell glob without escapes, as fnmatch(3) has it: `*`, `?`,
 * `[`.
 *
 * Pure, compiled natively by the unit tests too. One step at a time, since the kernel programs walk it with
 * bpf_loop; it remembers no more than the last star, which is enough: an earlier one need not give back. */
#pragma once

#include "abi.h"

#ifdef __cplusplus
#define ESCORT_INLINE_GLOB inline
#else
#define ESCORT_INLINE_GLOB static __attribute__((always_inline))
#endif

/* A compiled pattern (kernel/pattern.h): bytes that stand for themselves, these, and NULs to the end. */
enum escort_glob_token {
    ESCORT_GLOB_END = 0,
    ESCORT_GLOB_STAR = 1,      /* any bytes, but those between two arguments */
    ESCORT_GLOB_ANY = 2,       /* one such byte */
    ESCORT_GLOB_CLASS = 3,     /* one of: then `negated`, then ESCORT_GLOB_RANGES pairs of first and last */
    ESCORT_GLOB_SEPARATOR = 4, /* between two arguments, where the text has a NUL */
};
#define ESCORT_GLOB_RANGES 6
#define ESCORT_GLOB_CLASS_SIZE (2 + 2 * ESCORT_GLOB_RANGES)

/* More steps than this (a pattern of many stars, a long text): no match. */
#define ESCORT_GLOB_STEPS 4096

struct escort_glob {
    const char* pattern; /* ESCORT_PATTERN bytes */
    const char* text;    /* 2 * ESCORT_TEXT_HALF bytes */
    __u32 at, end;       /* of the text */
    __u32 token;         /* where in the pattern */
    __u32 star;          /* the token after the last star, from 1; 0: there was none */
    __u32 star_at;       /* where that star's bytes end */
    __u32 matches;
};

ESCORT_INLINE_GLOB __u8 escort_glob_byte(const struct escort_glob* glob, __u32 index) {
    return (__u8)glob->pattern[index & (ESCORT_PATTERN - 1)];
}

/* Without branches: the verifier would follow every combination. */
ESCORT_INLINE_GLOB int escort_glob_in_class(const struct escort_glob* glob, __u8 byte) {
    __u32 inside = 0;
    for (__u32 i = 0; i < ESCORT_GLOB_RANGES; i++) {
        __u32 above_first = (__u32)byte - escort_glob_byte(glob, glob->token + 2 + 2 * i);
        __u32 below_last = (__u32)escort_glob_byte(glob, glob->token + 3 + 2 * i) - byte;
        inside |= ((above_first | below_last) >> 31) ^ 1; /* neither went below 0 */
    }
    return (int)(inside ^ escort_glob_byte(glob, glob->token + 1)); /* `negated` is 0 or 1 */
}

/* One step; 1: it is over, and `matches` says how. */
ESCORT_INLINE_GLOB int escort_glob_step(struct escort_glob* glob) {
    __u8 token = glob->token < ESCORT_PATTERN ? escort_glob_byte(glob, glob->token) : (__u8)ESCORT_GLOB_END;
    __u8 byte;
    int fits;

    if (token == ESCORT_GLOB_STAR) {
        glob->star = ++glob->token;
        glob->star_at = glob->at;
        return 0;
    }
    if (glob->at >= glob->end) {
        glob->matches = token == ESCORT_GLOB_END;
        return 1;
    }
    byte = (__u8)glob->text[glob->at & (2 * ESCORT_TEXT_HALF - 1)];
    if (token == ESCORT_GLOB_SEPARATOR)
        fits = byte == 0;
    else if (token == ESCORT_GLOB_ANY)
        fits = byte != 0;
    else if (token == ESCORT_GLOB_CLASS)
        fits = byte != 0 && escort_glob_in_class(glob, byte);
    else
        fits = token != ESCORT_GLOB_END && token == byte;
    if (fits) {
        glob->token += token == ESCORT_GLOB_CLASS ? ESCORT_GLOB_CLASS_SIZE : 1;
        glob->at++;
        return 0;
    }
    /* The last star takes one byte more, if there is one and that is not a separator. */
    if (!glob->star || !glob->text[glob->star_at & (2 * ESCORT_TEXT_HALF - 1)]) return 1;
    glob->at = ++glob->star_at;
    glob->token = glob->star;
    return 0;
}
