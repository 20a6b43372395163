// SPDX-License-Identifier: MIT
//
// What a seed chooses. Each option is drawn alone and is often off, so that runs differ in kind.
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

static uint64_t one_of(struct rng *rng, const uint64_t *values, uint32_t count)
{
    return values[rng_below(rng, count)];
}

#define ONE_OF(rng, ...)                                                                           \
    one_of(rng, (const uint64_t[]){__VA_ARGS__},                                                   \
           sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

// Few names, so that edits meet.
static void paths_draw(struct options *o, struct rng *rng)
{
    static const char *const letters[] = {"a", "b", "c", "d"};
    uint32_t breadth = rng_between(rng, 1, 4);
    uint32_t depth = rng_between(rng, 1, 3);
    o->pool = rng_between(rng, 2, PATHS_MAX);
    for (uint32_t i = 0; i < o->pool; i++) {
        uint32_t levels = rng_between(rng, 1, depth);
        size_t size = 0;
        for (uint32_t k = 0; k < levels; k++) {
            int got = snprintf(o->paths[i] + size, PATH_TEXT_MAX - size, "%s%s", k > 0 ? "/" : "",
                               letters[rng_below(rng, breadth)]);
            size += (size_t)got;
        }
    }
}

static void weights_draw(struct options *o, struct rng *rng)
{
    static const uint32_t usual[ACT_COUNT] = {
        [ACT_WRITE] = 20,      [ACT_SAVE_OVER] = 10, [ACT_COPY] = 4,   [ACT_DELETE] = 10,
        [ACT_DELETE_TREE] = 5, [ACT_MKDIR] = 6,      [ACT_RENAME] = 8, [ACT_SYMLINK] = 4,
        [ACT_CHMOD] = 4,       [ACT_TOUCH] = 2,      [ACT_EMPTY] = 2,  [ACT_TYPE] = 5,
        [ACT_SYNC] = 3,
    };
    for (int i = 0; i < ACT_VERIFY; i++) {
        o->act_weight[i] = rng_below(rng, 3) == 0 ? 0 : usual[i] * rng_between(rng, 1, 3);
    }
    o->act_weight[ACT_WRITE] += 5;
}

static void faults_draw(struct options *o, struct rng *rng)
{
    o->fault_us = ONE_OF(rng, 20 * MS, 200 * MS, SECOND, 5 * SECOND, 30 * SECOND);
    o->down_us = ONE_OF(rng, 10 * MS, 500 * MS, 5 * SECOND, 60 * SECOND);
    o->crash_weight = (uint32_t)ONE_OF(rng, 0, 0, 1, 4);
    o->stop_weight = (uint32_t)ONE_OF(rng, 0, 0, 1, 2);
    o->cut_weight = (uint32_t)ONE_OF(rng, 0, 0, 1, 3);
    o->oneway_weight = (uint32_t)ONE_OF(rng, 0, 0, 1);
    o->loss_weight = (uint32_t)ONE_OF(rng, 0, 0, 1, 4);
    o->edit_in_job = (uint32_t)ONE_OF(rng, 0, 0, 500, 5000, 30000);
    o->crash_in_job = (uint32_t)ONE_OF(rng, 0, 0, 0, 100, 1000);
    o->crash_in_call = (uint32_t)ONE_OF(rng, 0, 0, 0, 300, 3000);
    o->tick_skipped = (uint32_t)ONE_OF(rng, 0, 50000, 500000);
    o->overflow = (uint32_t)ONE_OF(rng, 16384, 16384, 16384, 16);
    o->skew_max_us = ONE_OF(rng, 0, SECOND, 3600 * SECOND, 10 * 365 * 24 * 3600 * SECOND);
}

// What a disk does besides storing. Half of the runs have a good one.
static void disk_draw(struct options *o, struct rng *rng)
{
    if (rng_below(rng, 2) == 0) return;
    o->power_cut = (uint32_t)ONE_OF(rng, 0, 500000, 1000000);
    o->disk_error = (uint32_t)ONE_OF(rng, 0, 0, 300, 5000);
    o->short_write = (uint32_t)ONE_OF(rng, 0, 100000);
    o->index_error = (uint32_t)ONE_OF(rng, 0, 0, 0, 100, 3000);
    o->index_file = o->power_cut > 0 || o->index_error > 0;
    o->no_exchange = rng_below(rng, 6) == 0;
    o->names = (enum names)ONE_OF(rng, 0, 0, 0, NAMES_NORMAL, NAMES_NORMAL);
    o->lose_weight = (uint32_t)ONE_OF(rng, 0, 0, 0, 1);
    // A save between comparing and renaming is lost there: docs/STORAGE.md says so.
    if (o->no_exchange) o->edit_in_job = 0;
}

// Deletions are forgotten only where people are slow, and matter where somebody was away.
static void forget_draw(struct options *o, struct rng *rng)
{
    if (o->forget_ms == 0 || rng_below(rng, 2) == 0) return;
    o->user_us = ONE_OF(rng, SECOND, 5 * SECOND);
    o->fault_us = ONE_OF(rng, 5 * SECOND, 30 * SECOND);
    o->down_us = 60 * SECOND;
    o->stop_weight += 1;
    o->restore_weight = rng_below(rng, 4);
    o->backup_weight = o->restore_weight * 2;
    o->act_weight[ACT_DELETE] += 20;
}

void options_draw(struct options *o, struct rng *rng)
{
    uint32_t devices = o->devices;
    bool plain = o->plain, folded = o->folded;
    *o = (struct options){.plain = plain, .folded = folded};
    o->devices = devices > 0 ? devices : rng_between(rng, 2, 4);
    o->topology = (enum topology)rng_below(rng, 3);
    o->latency_us = ONE_OF(rng, 100, 2 * MS, 40 * MS, 400 * MS);
    o->job_us = ONE_OF(rng, 100, 2 * MS, 30 * MS, 300 * MS);
    o->user_us = ONE_OF(rng, 2 * MS, 20 * MS, 200 * MS, SECOND, 5 * SECOND);
    o->bursts = (uint32_t)ONE_OF(rng, 0, 100000, 500000);
    o->writer = rng_below(rng, 5) == 0 ? (int)rng_below(rng, o->devices) : -1;
    o->grain_ns = (int64_t)ONE_OF(rng, 1, 1, 4000000, 1000000000);
    o->large = (uint32_t)ONE_OF(rng, 0, 0, 20000, 100000);
    o->preset_id = rng_below(rng, 2) == 0;
    o->both_dial = rng_below(rng, 2) == 0;
    faults_draw(o, rng);
    weights_draw(o, rng);
    paths_draw(o, rng);
    // What came later is drawn last: seeds stay what they were.
    o->act_weight[ACT_VERIFY] = (uint32_t)ONE_OF(rng, 0, 1, 5);
    o->restore_weight = (uint32_t)ONE_OF(rng, 0, 0, 0, 1);
    o->backup_weight = o->restore_weight * 2;
    o->forget_ms = (int64_t)ONE_OF(rng, 0, 0, 10000, 60000); // longer than anything is on its way
    o->page_versions = (uint32_t)ONE_OF(rng, 0, 0, 1, 5);
    if (o->plain) return;
    disk_draw(o, rng);
    forget_draw(o, rng);
    if (!o->folded) return;
    // Two people who spell one name in two cases have two items, and one of them nowhere; a backup
    // that is put back is as good as a second one.
    o->names = NAMES_FOLDED;
    o->writer = o->writer < 0 ? 0 : o->writer;
    o->restore_weight = o->lose_weight = 0;
}

// By a generator of its own: most seeds stay what they were.
void options_draw_apart(struct options *o, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, ~seed);
    if (rng_below(&rng, 6) == 0) o->act_weight[ACT_ABANDON] = 10;
    o->respells = rng_below(&rng, 3) == 0;
}
