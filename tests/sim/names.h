// SPDX-License-Identifier: MIT
//
// tests/sim/names — disks that take several spellings for one name, and keep the first.
#ifndef TESTS_SIM_NAMES_H
#define TESTS_SIM_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct rng;

enum names {
    NAMES_BYTES,
    NAMES_NORMAL, // however composed
    NAMES_FOLDED, // nor does case matter
};

enum { NAMES_PATH_MAX = 512 };

bool names_same(enum names names, const char *a, const char *b);
// The one spelling that all of a path have in common.
void names_common(enum names names, const char *path, char out[NAMES_PATH_MAX]);
// As somebody may type it.
void names_respell(enum names names, struct rng *rng, const char *path, char out[NAMES_PATH_MAX]);

#endif
