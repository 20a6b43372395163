// SPDX-License-Identifier: MIT
#include "tests/sim/names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "proto/path.h"
#include "tests/sim/rng.h"

void names_common(enum names names, const char *path, char out[NAMES_PATH_MAX])
{
    struct slice text = slice_text(path), normal = text;
    AUTO(arena_destroy) struct arena *arena = names != NAMES_BYTES ? arena_new() : NULL;
    if (names != NAMES_BYTES && !path_is_ascii(text))
        CHECK(path_normalize(arena, text, &normal) == ERR_OK);
    if (names == NAMES_FOLDED) normal = path_fold(arena, normal);
    CHECK(normal.size < NAMES_PATH_MAX);
    if (normal.size > 0) memcpy(out, normal.data, normal.size);
    out[normal.size] = 0;
}

bool names_same(enum names names, const char *a, const char *b)
{
    char left[NAMES_PATH_MAX], right[NAMES_PATH_MAX];
    if (strcmp(a, b) == 0) return true;
    if (names == NAMES_BYTES) return false;
    names_common(names, a, left);
    names_common(names, b, right);
    return strcmp(left, right) == 0;
}

// Every "a" has two dots here.
void names_respell(enum names names, struct rng *rng, const char *path, char out[NAMES_PATH_MAX])
{
    static const char *const dotted[2][2] = {{"\xc3\xa4", "a\xcc\x88"}, {"\xc3\x84", "A\xcc\x88"}};
    size_t size = 0;
    for (const char *at = path; *at != 0; at++) {
        bool upper = names == NAMES_FOLDED && rng_below(rng, 3) == 0;
        int got = names != NAMES_BYTES && *at == 'a'
                      ? snprintf(out + size, NAMES_PATH_MAX - size, "%s",
                                 dotted[upper][rng_below(rng, 2)])
                      : snprintf(out + size, NAMES_PATH_MAX - size, "%c",
                                 upper ? toupper((unsigned char)*at) : *at);
        size += (size_t)got;
    }
    out[size] = 0;
}
