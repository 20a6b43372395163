// SPDX-License-Identifier: MIT
//
// Deletions that somebody has forgotten. What one of them ended must not come back, whoever was
// away meanwhile, and whatever backup is put in place.
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/core/heads.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

enum { ITEMS_MAX = 400 };

struct forgotten {
    struct forgotten *next;
    struct slice path;
    struct vv vv;
    struct dots dots; // of the deletion itself
    bool unknown;     // nobody has heard of it any more
};

static bool has_heard(const struct device *device, const struct forgotten *forgotten)
{
    struct arena *arena = arena_new();
    bool heard = dots_covered(forgotten->dots, store_k(device->store, arena, device->folder));
    arena_destroy(&arena);
    return heard;
}

// Who lost it because a peer had forgotten it only follows: the floor sees to the others.
static void check_heard(const struct device *device, const struct forgotten *forgotten)
{
    struct world *world = device->world;
    for (uint32_t i = 0; i < world->o.devices && device->forgets && !world->restored; i++) {
        if (world->linked[device->index][i] && !has_heard(&world->devices[i], forgotten))
            world_fail(world, "%s forgets the deletion of %.*s, of which %s has not heard",
                       device->name, SLICE_ARG(forgotten->path), world->devices[i].name);
    }
}

// An item is about to lose its last head.
void forgotten_note(struct device *device, uint32_t folder, const struct item *item)
{
    struct item before;
    struct arena *arena = arena_new(); // lives as long as the run
    if (item->head_count > 0) return;
    store_item_get(device->store, arena, folder, item->path, &before);
    if (before.head_count != 1 || version_live(&before.heads[0])) return;
    struct forgotten *forgotten = arena_alloc(arena, 1, sizeof *forgotten);
    *forgotten = (struct forgotten){.next = device->world->forgotten,
                                    .path = arena_copy(arena, item->path),
                                    .vv = before.heads[0].vv,
                                    .dots = before.heads[0].dots};
    device->world->forgotten = forgotten;
    check_heard(device, forgotten);
}

// Backups of before a deletion, put in place everywhere, undo it: what it ended may live then.
void forgotten_unheard(struct world *world)
{
    for (struct forgotten *f = world->forgotten; f != NULL; f = f->next) {
        bool known = false;
        for (uint32_t i = 0; i < world->o.devices && !known; i++)
            known = has_heard(&world->devices[i], f);
        f->unknown |= !known;
    }
}

static bool is_ended(const struct forgotten *forgotten, struct slice path, const struct version *v)
{
    if (!slice_equal(path, forgotten->path)) return false;
    for (uint32_t i = 0; i < v->dots.count; i++) {
        if (!vv_covers(forgotten->vv, v->dots.entries[i])) return false;
    }
    return true;
}

// A dot that was drawn a second time may name what was never deleted, or a deletion no more.
static void check_head(struct device *device, struct slice path, const struct version *head)
{
    struct world *world = device->world;
    if (!version_live(head) || dots_drawn_twice(world, head->dots)) return;
    for (const struct forgotten *f = world->forgotten; f != NULL; f = f->next) {
        if (f->unknown || dots_drawn_twice(world, f->dots) || !is_ended(f, path, head)) continue;
        world_fail(world, "%s: %.*s is back, though its deletion was forgotten", device->name,
                   SLICE_ARG(path));
    }
}

void forgotten_check(struct world *world)
{
    struct arena *arena = arena_new();
    for (uint32_t d = 0; d < world->o.devices; d++) {
        struct device *device = &world->devices[d];
        struct item *items = arena_alloc(arena, ITEMS_MAX, sizeof *items);
        uint32_t count = store_items_after(device->store, arena, device->folder, slice_text(""),
                                           slice_text(""), true, ITEMS_MAX, items);
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t h = 0; h < items[i].head_count; h++)
                check_head(device, items[i].path, &items[i].heads[h]);
        }
    }
    arena_destroy(&arena);
}
