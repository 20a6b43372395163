// SPDX-License-Identifier: MIT
//
// agent/base/suggest — what a mistyped word may have been meant to be.
#ifndef AGENT_BASE_SUGGEST_H
#define AGENT_BASE_SUGGEST_H

#include <stddef.h>

struct suggestion {
    const char *typed; // borrowed
    size_t size;
    const char *text; // the nearest one offered, or NULL if none is near
    size_t distance;
};

void suggest_begin(struct suggestion *best, const char *typed, size_t size);
void suggest_offer(struct suggestion *best, const char *candidate);

// Insertions, deletions, replacements and swaps of neighbours between two words; words over 63
// bytes are far from everything.
size_t suggest_distance(const char *a, size_t a_size, const char *b, size_t b_size);

#endif
