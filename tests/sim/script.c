// SPDX-License-Identifier: MIT
//
// Scripts of a focus: what people do and what goes wrong, in the order in which it must happen.
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "tests/sim/focus.h"
#include "tests/sim/sim.h"

// ---- what scripts are made of

static void pass(struct world *world, uint64_t us)
{
    world_settle(world, world->now_us + (int64_t)us);
}

// Until all have the same, if that comes to be.
static void settle(struct world *world)
{
    char why[400];
    for (int i = 0; i < 200 && world->failure[0] == 0; i++) {
        pass(world, 500 * MS);
        if (oracle_settled(world, why, sizeof why)) return;
    }
}

static void does(struct world *world, uint32_t who, enum act act, const char *path, const char *to)
{
    focus_act(&world->devices[who], act, path, to);
}

// What was saved last must be in everybody's tree in the end, whoever took the same away elsewhere
// or before.
static void want_last(struct world *world)
{
    CHECK(world->saved_count > 0);
    world->saved[world->saved_count - 1].wanted = true;
}

static void saves(struct world *world, uint32_t who, const char *path)
{
    bool over = rng_below(&world->rng, 2) == 0;
    does(world, who, over ? ACT_SAVE_OVER : ACT_WRITE, path, path);
}

static void apart(struct world *world)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        for (uint32_t k = 0; k < world->o.devices; k++)
            world->blocked[i][k] = i != k;
    }
}

static void some_time(struct world *world)
{
    pass(world, SECOND + rng_wait(&world->rng, 2 * SECOND));
}

static void starts_again(struct world *world, struct device *device)
{
    device_stop(device);
    some_time(world);
    device_start(device);
}

// ---- hub-lost: a deletion is forgotten at one end, the hub loses its index, and the other end,
// which was away, still has what was deleted

void hub_lost_draw(struct options *o, struct rng *rng)
{
    focus_calm(o);
    o->devices = rng_between(rng, 3, 4);
    o->topology = STAR;
    o->forget_ms = 10000;
}

void hub_lost(struct world *world)
{
    static const char *const paths[] = {"a", "b", "c/d"};
    struct rng *rng = &world->rng;
    uint32_t count = rng_between(rng, 1, 3), away = world->o.devices - 1;
    for (uint32_t i = 0; i < count; i++)
        saves(world, rng_below(rng, world->o.devices), paths[i]);
    settle(world);
    device_stop(&world->devices[away]);
    for (uint32_t i = 0; i < count; i++)
        does(world, rng_below(rng, away), ACT_DELETE, paths[i], paths[i]);
    pass(world, 30 * SECOND + rng_wait(rng, 10 * SECOND));
    if (!index_lose(&world->devices[0])) return;
    device_start(&world->devices[0]);
    pass(world, 20 * SECOND);
    device_start(&world->devices[away]);
    pass(world, rng_wait(rng, 10 * SECOND));
}

// ---- old-files: the files of an older time are put back, and the index is not

void old_files_draw(struct options *o, struct rng *rng)
{
    focus_calm(o);
    o->devices = rng_between(rng, 2, 3);
    o->plain = true; // each backup replaces the one before
}

void old_files(struct world *world)
{
    struct rng *rng = &world->rng;
    struct device *device = &world->devices[rng_below(rng, world->o.devices)];
    saves(world, rng_below(rng, world->o.devices), "a");
    settle(world);
    backup_take(device);
    some_time(world);
    starts_again(world, device); // with another witness
    settle(world);
    saves(world, rng_below(rng, world->o.devices), "a");
    want_last(world);
    saves(world, rng_below(rng, world->o.devices), "b");
    want_last(world);
    settle(world);
    if (rng_below(rng, 2) == 0) device_stop(device);
    backup_files(device);
    some_time(world);
    device_start(device);
}

// ---- old-machine: index and files of an older time are put back together, and count on to numbers
// that were used before; what one device knows of these it learned before, another comes to know
// the same numbers for other things

void old_machine_draw(struct options *o, struct rng *rng)
{
    (void)rng;
    focus_calm(o);
    o->devices = 3;
    o->topology = MESH;
    o->plain = true;
}

// Nobody saves over these who has seen them.
static void saves_some(struct world *world, uint32_t who)
{
    static const char *const paths[] = {"b", "c", "d/e"};
    struct rng *rng = &world->rng;
    uint32_t first = rng_below(rng, 3);
    for (uint32_t i = rng_between(rng, 1, 3); i > 0; i--) {
        const char *path = paths[(first + i) % 3];
        if (vfs_find(&world->devices[who].vfs, path) != NULL) continue;
        saves(world, who, path);
        want_last(world);
        pass(world, 20 * SECOND);
        if (rng_below(rng, 2) == 0) starts_again(world, &world->devices[who]);
    }
}

static void alone_with(struct world *world, uint32_t one, uint32_t other)
{
    apart(world);
    world->blocked[one][other] = world->blocked[other][one] = false;
    pass(world, 60 * SECOND);
}

void old_machine(struct world *world)
{
    struct rng *rng = &world->rng;
    uint32_t one = rng_below(rng, 3);
    struct device *device = &world->devices[one];
    saves(world, one, "a");
    settle(world);
    backup_take(device);
    if (rng_below(rng, 2) == 0) starts_again(world, device);
    alone_with(world, one, (one + 1) % 3);
    saves_some(world, one);
    backup_whole(device);
    some_time(world);
    device_start(device);
    alone_with(world, one, (one + 2) % 3);
    saves_some(world, one);
    // The other two would take what has the higher number for the later one.
    alone_with(world, one, (one + 1) % 3);
    net_heal_all(world);
}

// ---- same-again: twice the same content loses at the same path, and its first conflict item was
// removed by somebody

void same_again_draw(struct options *o, struct rng *rng)
{
    focus_calm(o);
    o->devices = rng_between(rng, 2, 3);
}

static void clears_conflict(struct world *world, uint32_t who)
{
    char path[512];
    const struct inode *items = vfs_find(&world->devices[who].vfs, ".cfgsync/conflicts");
    if (items == NULL || items->count == 0) return;
    (void)snprintf(path, sizeof path, ".cfgsync/conflicts/%s", items->entries[0].name);
    does(world, who, ACT_DELETE, path, path);
}

void same_again(struct world *world)
{
    struct rng *rng = &world->rng;
    uint32_t one = rng_below(rng, world->o.devices);
    uint32_t other = (one + 1) % world->o.devices;
    saves(world, one, "a");
    saves(world, one, "b");
    settle(world);
    for (int i = 0; i < 2; i++) {
        apart(world);
        does(world, one, i == 0 ? ACT_COPY : ACT_RENAME, "b", "a");
        if (i == 1) want_last(world);
        some_time(world);
        saves(world, other, "a");
        if (i == 1) want_last(world);
        some_time(world);
        net_heal_all(world);
        settle(world);
        if (i == 0) clears_conflict(world, rng_below(rng, world->o.devices));
        settle(world);
    }
}

// ---- made-again: what one has deleted, another has made in the same place of the same content

void made_again_draw(struct options *o, struct rng *rng)
{
    focus_calm(o);
    o->devices = rng_between(rng, 2, 3);
}

void made_again(struct world *world)
{
    struct rng *rng = &world->rng;
    uint32_t one = rng_below(rng, world->o.devices);
    uint32_t other = (one + 1) % world->o.devices;
    saves(world, one, "b");
    settle(world);
    apart(world);
    does(world, one, ACT_COPY, "b", "a");
    some_time(world);
    does(world, one, ACT_DELETE, "a", "a");
    some_time(world);
    does(world, other, ACT_COPY, "b", "a");
    want_last(world);
    does(world, other, ACT_DELETE, "b", "b");
    some_time(world);
}

// ---- doubt: what a look has read is heard of after the file was replaced by what a conflict came
// to. All within one tick of the clock, so that a file is read again though it looks the same.

void doubt_draw(struct options *o, struct rng *rng)
{
    focus_calm(o);
    o->devices = rng_between(rng, 2, 3);
    o->grain_ns = 1000000000;
    o->latency_us = 2 * MS;
    o->job_us = 2 * MS;
    o->slow = 500000;
    o->slow_kind = JOB_LOOK;
}

// What a conflict came to is machine-made, and stays so until somebody edits it.
static void check_nobodys(struct world *world, const char *path)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct item item;
        const struct device *device = &world->devices[i];
        struct arena *arena = arena_new();
        store_item_get(device->store, arena, device->folder, slice_text(path), &item);
        if (item.head_count == 1 && (item.heads[0].flags & VERSION_AUTO) == 0)
            world_fail(world, "%s: %s passes for an edit, though nobody has edited it",
                       device->name, path);
        arena_destroy(&arena);
    }
}

void doubt(struct world *world)
{
    struct rng *rng = &world->rng;
    uint32_t one = rng_below(rng, world->o.devices);
    saves(world, one, "a");
    settle(world);
    pass(world, SECOND - (uint64_t)world->now_us % SECOND);
    apart(world);
    saves(world, one, "a");
    want_last(world);
    saves(world, (one + 1) % world->o.devices, "a");
    want_last(world);
    pass(world, 200 * MS);
    net_heal_all(world);
    for (int i = 0; i < 30; i++) {
        uint32_t who = rng_below(rng, world->o.devices);
        does(world, who, ACT_TOUCH, "a", "a");
        pass(world, rng_wait(rng, 10 * MS));
    }
    settle(world);
    check_nobodys(world, "a");
}
