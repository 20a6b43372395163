// SPDX-License-Identifier: MIT
//
// Optimal string alignment distance over three rows.
#include "agent/base/suggest.h"

#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 63 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][WORD_MAX + 1];
    if (a_size > WORD_MAX || b_size > WORD_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[a_size % 3][b_size];
}

void suggest_begin(struct suggestion *best, const char *typed, size_t size)
{
    *best = (struct suggestion){typed, size, NULL, SIZE_MAX};
}

void suggest_offer(struct suggestion *best, const char *candidate)
{
    size_t size = strlen(candidate);
    size_t distance = suggest_distance(best->typed, best->size, candidate, size);
    // A third of the word may be wrong, and what starts alike is near in any case.
    size_t near = best->size / 3 > 0 ? best->size / 3 : 1;
    if (best->size >= 3 && size > best->size && memcmp(candidate, best->typed, best->size) == 0) {
        distance = least(distance, near);
    }
    if (distance > near || distance >= best->distance) return;
    best->distance = distance;
    best->text = candidate;
}
