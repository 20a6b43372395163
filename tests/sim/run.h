// SPDX-License-Identifier: MIT
//
// tests/sim/run — one run in a process of its own, and what came of it; and the search for a
// smaller run that fails in the same way.
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OUTCOME_TEXT_MAX = 512 };

// Acts that do not happen, by their number within the run: what users do, and what goes wrong.
struct drops {
    bool *dropped;
    size_t count;
};

struct run {
    uint64_t seed, steps;
    uint32_t devices; // 0: as the seed says
    bool plain, folded, verbose;
    uint64_t token;
    const char *program, *defect, *focus; // NULL: none
    struct drops drops;
};

struct outcome {
    bool failed;
    uint64_t acts, steps;
    char what[OUTCOME_TEXT_MAX]; // why it failed
};

// ---- main.c
void run_apart(const struct run *run, bool quiet, struct outcome *out);
void run_print_replay(const struct run *run);

// ---- shrink.c
bool drops_parse(const char *text, struct drops *out); // "3,7-9"
void drops_print(const struct drops *drops);
void run_shrink(const struct run *run, const struct outcome *outcome, uint64_t tries);

#endif
