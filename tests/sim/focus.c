// SPDX-License-Identifier: MIT
//
// One kind of trouble at a time: what a seed chose is drawn once more, by a generator of its own,
// so that nearly all of a run is about one thing. Without a focus nothing of this is drawn.
#include "tests/sim/focus.h"

#include <stdio.h>
#include <string.h>

#include "proto/path.h"
#include "tests/sim/sim.h"

enum { ALWAYS = 1000000, CALLS_AFTER_MARK = 6 };

void focus_calm(struct options *o)
{
    o->crash_weight = o->stop_weight = o->cut_weight = o->loss_weight = o->oneway_weight = 0;
    o->backup_weight = o->restore_weight = o->lose_weight = 0;
    o->edit_in_job = o->crash_in_job = o->crash_in_call = o->tick_skipped = 0;
    o->power_cut = o->disk_error = o->short_write = o->index_error = 0;
    o->index_file = o->no_exchange = o->folded = o->respells = false;
    o->overflow = 16384;
    o->skew_max_us = 0;
    o->names = NAMES_BYTES;
    o->grain_ns = 1;
    o->writer = -1;
    o->large = 0;
    o->forget_ms = 0;
    o->latency_us = o->latency_us < 40 * MS ? o->latency_us : 40 * MS;
    o->job_us = o->job_us < 30 * MS ? o->job_us : 30 * MS;
}

// What people do, and at which paths.
static void people(struct options *o, const uint32_t weights[ACT_COUNT], const char *const *paths,
                   uint32_t count)
{
    memcpy(o->act_weight, weights, sizeof o->act_weight);
    o->pool = count;
    for (uint32_t i = 0; i < count; i++)
        (void)snprintf(o->paths[i], PATH_TEXT_MAX, "%s", paths[i]);
}

static const char *const FLAT[] = {"a", "b", "c"};
static const char *const DEEP[] = {"a/b", "a/c", "a/b/c", "a"};

// A save just before a file is exchanged, and a crash just after it.
static void race(struct options *o, struct rng *rng)
{
    static const uint32_t saves[ACT_COUNT] = {[ACT_WRITE] = 2, [ACT_SAVE_OVER] = 1};
    focus_calm(o);
    people(o, saves, FLAT, 1 + rng_below(rng, 3));
    o->devices = 2;
    o->user_us = 200 * MS;
    o->down_us = 500 * MS;
    o->race = 300000;
    o->crash_then = 500000;
}

// A save of the same size just before a file is exchanged, within one tick of the clock.
static void ticks(struct options *o, struct rng *rng)
{
    static const uint32_t saves[ACT_COUNT] = {[ACT_WRITE] = 2, [ACT_SAVE_OVER] = 1};
    focus_calm(o);
    people(o, saves, FLAT, 1 + rng_below(rng, 3));
    o->user_us = 200 * MS;
    o->race = 300000;
    o->grain_ns = 1000000000;
}

// The power goes between two steps of an intent.
static void intent(struct options *o, struct rng *rng)
{
    static const uint32_t saves[ACT_COUNT] = {[ACT_WRITE] = 3, [ACT_SAVE_OVER] = 2};
    static const uint32_t all[ACT_COUNT] = {
        [ACT_WRITE] = 6, [ACT_SAVE_OVER] = 3, [ACT_DELETE] = 1, [ACT_TYPE] = 1, [ACT_MKDIR] = 1};
    focus_calm(o);
    if (rng_below(rng, 3) == 0)
        people(o, all, DEEP, 4);
    else
        people(o, saves, FLAT, 1 + rng_below(rng, 3));
    o->devices = rng_between(rng, 2, 3);
    o->latency_us = 40 * MS;
    o->user_us = 500 * MS;
    o->bursts = 500000;
    o->down_us = SECOND;
    o->crash_then = 200000;
    o->power_cut = ALWAYS;
    o->index_file = true;
}

// The power goes between the copy of a large content into staging and its step.
static void staged(struct options *o, struct rng *rng)
{
    static const uint32_t acts[ACT_COUNT] = {
        [ACT_WRITE] = 2, [ACT_COPY] = 6, [ACT_RENAME] = 1, [ACT_DELETE] = 2};
    focus_calm(o);
    people(o, acts, FLAT, 2 + rng_below(rng, 2));
    o->user_us = SECOND;
    o->down_us = 500 * MS;
    o->large = ALWAYS;
    o->crash_after = 300000;
    o->crash_kind = JOB_COPY;
    o->power_cut = ALWAYS;
    o->index_file = true;
}

// What a step did is heard of late, and its user has made a file of the directory above.
static void types(struct options *o, struct rng *rng)
{
    static const uint32_t acts[ACT_COUNT] = {
        [ACT_WRITE] = 6, [ACT_SAVE_OVER] = 3, [ACT_TYPE] = 1, [ACT_MKDIR] = 1};
    focus_calm(o);
    people(o, acts, DEEP, 1 + rng_below(rng, 4));
    o->user_us = 200 * MS;
    o->slow = 300000;
    o->slow_kind = JOB_APPLY;
    o->replaced_above = 300000;
}

// Deletions are forgotten soon, and somebody is always away.
static void forget(struct options *o, struct rng *rng)
{
    static const uint32_t acts[ACT_COUNT] = {
        [ACT_WRITE] = 3, [ACT_SAVE_OVER] = 1, [ACT_DELETE] = 4, [ACT_RENAME] = 1};
    focus_calm(o);
    people(o, acts, FLAT, 1 + rng_below(rng, 3));
    o->devices = rng_between(rng, 3, 4);
    o->forget_ms = 10000;
    o->user_us = 2 * SECOND;
    o->fault_us = 5 * SECOND;
    o->down_us = 30 * SECOND;
    o->stop_weight = 2;
    o->cut_weight = rng_below(rng, 2);
}

// Lines are slow and lost, and all edit the same.
static void pushes(struct options *o, struct rng *rng)
{
    static const uint32_t acts[ACT_COUNT] = {
        [ACT_WRITE] = 3, [ACT_SAVE_OVER] = 1, [ACT_DELETE] = 1};
    focus_calm(o);
    people(o, acts, FLAT, 1 + rng_below(rng, 3));
    o->devices = rng_between(rng, 2, 4);
    o->latency_us = rng_below(rng, 2) == 0 ? 40 * MS : 400 * MS;
    o->user_us = 100 * MS;
    o->fault_us = SECOND;
    o->down_us = 500 * MS;
    o->loss_weight = 2;
    o->cut_weight = rng_below(rng, 2);
    o->page_versions = 1;
}

// The index often cannot be written.
static void commits(struct options *o, struct rng *rng)
{
    static const uint32_t acts[ACT_COUNT] = {
        [ACT_WRITE] = 3, [ACT_SAVE_OVER] = 2, [ACT_DELETE] = 1};
    focus_calm(o);
    people(o, acts, FLAT, 1 + rng_below(rng, 3));
    o->user_us = 200 * MS;
    o->index_file = true;
    o->index_error = 20000;
}

// All that a seed chose, and pauses and modes besides.
static void modes(struct options *o, struct rng *rng)
{
    static const uint64_t means[] = {200 * MS, SECOND, 10 * SECOND};
    o->modes_us = means[rng_below(rng, 3)];
}

// One directory in so many has no watch; with 1 there is none at all.
static void unwatched(struct options *o, struct rng *rng)
{
    o->watches_max = 1 + rng_below(rng, 4);
}

void focus_act(struct device *device, enum act act, const char *path, const char *to)
{
    struct options *o = &device->world->o;
    uint32_t weights[ACT_COUNT];
    memcpy(weights, o->act_weight, sizeof weights);
    memset(o->act_weight, 0, sizeof o->act_weight);
    o->act_weight[act] = 1;
    (void)snprintf(device->aim, sizeof device->aim, "%s", path);
    (void)snprintf(device->aim_to, sizeof device->aim_to, "%s", to);
    user_act(device);
    memcpy(o->act_weight, weights, sizeof weights);
}

// Before anybody hears that a step is done its user makes a file of the directory that it is in.
static void replace_above(struct device *device, const struct job *job)
{
    char above[256];
    struct slice path = job->apply.steps[0].path, parent = path_parent(path);
    if (parent.size == 0 || path_is_conflict_item(path) || !world_act(device->world)) return;
    (void)snprintf(above, sizeof above, "%.*s", SLICE_ARG(parent));
    focus_act(device, ACT_TYPE, above, above);
}

static void race_at(struct device *device, const char *name)
{
    const struct job_apply *apply = &device->job->apply;
    for (uint32_t i = 0; i < apply->count; i++) {
        char path[256];
        if (!slice_equal(path_base(apply->steps[i].path), slice_text(name))) continue;
        (void)snprintf(path, sizeof path, "%.*s", SLICE_ARG(apply->steps[i].path));
        world_say(device->world, "%s saves just before an exchange", device->name);
        focus_act(device, ACT_WRITE, path, path);
        return;
    }
}

void focus_change(struct device *device, const char *call, const char *object, uint32_t *crash)
{
    struct world *world = device->world;
    const struct options *o = &world->o;
    if (device->in_focus > 0 && o->crash_then > 0) *crash = o->crash_then;
    if (device->in_focus > 0) device->in_focus--;
    if (device->job->kind != JOB_APPLY) return;
    if (strcmp(call, "openat") == 0 && strncmp(object, "r-", 2) == 0)
        device->in_focus = CALLS_AFTER_MARK;
    if (strcmp(call, "exchange") != 0 || !rng_chance(&world->rng, o->race) || !world_act(world))
        return;
    race_at(device, object);
    device->in_focus = 1;
}

bool focus_job_ran(struct device *device, const struct job *job, uint64_t *wait_us)
{
    struct world *world = device->world;
    struct rng *rng = &world->rng;
    const struct options *o = &world->o;
    if (!world->trouble) return true;
    if (job->kind == o->crash_kind && rng_chance(rng, o->crash_after) && world_act(world)) {
        device_down(device, true);
        return false;
    }
    if (job->kind != o->slow_kind || !rng_chance(rng, o->slow)) return true;
    *wait_us += 20 * o->job_us + 100 * MS;
    if (job->kind == JOB_APPLY && rng_chance(rng, o->replaced_above)) replace_above(device, job);
    return true;
}

static const struct focus ALL[] = {
    {"race", race, NULL},
    {"ticks", ticks, NULL},
    {"intent", intent, NULL},
    {"staged", staged, NULL},
    {"types", types, NULL},
    {"forget", forget, NULL},
    {"pushes", pushes, NULL},
    {"commits", commits, NULL},
    {"modes", modes, NULL},
    {"unwatched", unwatched, NULL},
    {"doubt", doubt_draw, doubt},
    {"hub-lost", hub_lost_draw, hub_lost},
    {"old-files", old_files_draw, old_files},
    {"old-machine", old_machine_draw, old_machine},
    {"same-again", same_again_draw, same_again},
    {"made-again", made_again_draw, made_again},
};

const struct focus *focus_find(const char *name)
{
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        if (strcmp(ALL[i].name, name) == 0) return &ALL[i];
    }
    return NULL;
}

void focus_draw(const struct focus *focus, struct options *o, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed ^ UINT64_C(0x666f637573));
    focus->draw(o, &rng);
}
