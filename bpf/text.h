/* Texts: paths and arguments, as an exec left them. Reads bytes only; knows no task and no kernel type.
 *
 * The functions are global ones, so that the verifier walks each once, by itself, whoever calls it. */
#pragma once

#include "glob.h"

#include <bpf/bpf_helpers.h>

#define TEXT_MASK (2 * ESCORT_TEXT_HALF - 1)
#define HALF_MASK (ESCORT_TEXT_HALF - 1)

struct text_scan {
    struct escort_exec_text* text;
    const struct escort_exec_text* other;
    __u32 end; /* out */
    bool keep; /* the argument at hand is no option */
};

static long step_argument(__u32 index, struct text_scan* scan) {
    __u32 at = ESCORT_TEXT_HALF + index;
    char byte = scan->text->bytes[at & TEXT_MASK];

    if (at >= scan->text->end) return 1;
    if (!scan->text->bytes[(at - 1) & TEXT_MASK]) scan->keep = byte != '-';
    if (!byte && scan->keep) scan->end = at + 1;
    return 0;
}

/* Where the arguments end when options at their end are left out. */
__noinline int escort_text_own_end(struct escort_exec_text* text) {
    struct text_scan scan = {.text = text, .end = ESCORT_TEXT_HALF};

    if (!text) return 0;
    if (!text->whole) return text->end;
    bpf_loop(ESCORT_TEXT_HALF, step_argument, &scan, 0);
    return scan.end;
}

static long step_compare(__u32 index, struct text_scan* scan) {
    __u32 at = scan->end;

    if (at >= scan->other->end) return 1;
    if (scan->text->bytes[at & TEXT_MASK] != scan->other->bytes[at & TEXT_MASK]) return 1;
    scan->end++;
    return 0;
}

/* Does `text` begin with all of `other`? */
__noinline int escort_text_begins(struct escort_exec_text* text, struct escort_exec_text* other) {
    struct text_scan scan = {.text = text, .other = other};

    if (!text || !other) return 0;
    scan.end = other->begin;
    if (!other->begin || other->begin != text->begin || text->end < other->end) return 0;
    bpf_loop(2 * ESCORT_TEXT_HALF, step_compare, &scan, 0);
    return scan.end == other->end;
}

/* "//", "/./", "/../" have no place in a name that is compared as text. */
static long step_clean(__u32 index, struct text_scan* scan) {
    const char* bytes = scan->text->bytes;
    char next;

    if (index >= scan->text->end) return 1;
    if (bytes[index & TEXT_MASK] != '/') return 0;
    next = bytes[(index + 1) & TEXT_MASK];
    if (next == '.') {
        next = bytes[(index + 2) & TEXT_MASK];
        if (next == '.') next = bytes[(index + 3) & TEXT_MASK];
        if (!next) next = '/';
    }
    scan->keep = next != '/';
    return !scan->keep;
}

__noinline int escort_text_clean(struct escort_exec_text* text) {
    struct text_scan scan = {.text = text, .keep = true};

    if (!text) return 0;
    bpf_loop(ESCORT_TEXT_HALF, step_clean, &scan, 0);
    return scan.keep;
}

static long step_glob(__u32 index, struct escort_glob* glob) {
    return escort_glob_step(glob);
}

/* Does the text, up to `end`, match the program rule's pattern? */
__noinline int escort_text_matches(struct escort_rule* rule, struct escort_exec_text* text, __u32 end) {
    struct escort_glob glob = {.end = end};

    if (!rule || !text) return 0;
    /* 0 that the verifier can't see: from a known start it would follow every step there can be. */
    glob.token = text->reserved;
    glob.star = text->reserved;
    glob.star_at = text->reserved;
    glob.pattern = rule->pattern;
    glob.text = text->bytes;
    glob.at = text->begin;
    bpf_loop(ESCORT_GLOB_STEPS, step_glob, &glob, 0);
    return glob.matches;
}
