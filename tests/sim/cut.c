// SPDX-License-Identifier: MIT
//
// The power goes. What a user saved and nobody flushed may be gone with it; what a device has told
// others must not be.
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/map.h"
#include "agent/base/own.h"
#include "crypto/hash.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

enum { DEPTH_MAX = 64 };

static bool index_fails(void *context, bool *out_full)
{
    struct device *device = context;
    struct world *world = device->world;
    if (world->current != device || !world->trouble || !device->running) return false;
    device_crash_maybe(device);
    *out_full = rng_below(&world->rng, world->o.index_error > 0 ? 2 : 0) == 1;
    return rng_chance(&world->rng, world->o.index_error);
}

// The connection of before is never heard of again: its process is gone.
void device_index_open(struct device *device)
{
    struct fault fault;
    device->index_disk.fails = index_fails;
    device->index_disk.context = device;
    posix_enter(&device->posix);
    index_disk_use(&device->index_disk);
    enum err err = store_open(device->index_here ? POSIX_INDEX : NULL, &device->store, &fault);
    posix_enter(NULL);
    if (err == ERR_OK) return;
    world_fail(device->world, "%s: %s", device->name, fault.what);
    device->index_here = false;
    CHECK(store_open(NULL, &device->store, &fault) == ERR_OK);
}

// ---- what is on a disk, by token and by path

struct found {
    struct digest id;
    char path[256];
};

static bool is_users(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strncmp(path, ".cfgsync/", 9) != 0 && strcmp(name, USER_TEMPORARY) != 0;
}

// It had the same there before the cut.
static bool is_copy(const struct map *before, const struct found *is)
{
    const struct found *was = map_get(before, slice_text(is->path));
    return was != NULL && digest_equal(was->id, is->id);
}

// Of the places of one content that where the cut has put it back counts first, then any of its
// user's, and what this program has put aside last.
static int place_rank(const struct map *before, const struct found *is)
{
    if (!is_users(is->path)) return 0;
    return before != NULL && is_copy(before, is) ? 1 : 2;
}

static void found_put(struct map *found, const struct map *before, const char *path,
                      const struct inode *inode)
{
    uint64_t token = token_of(inode);
    if (token == 0) return;
    struct slice key = slice_of(&token, sizeof token);
    const struct found *other = map_get(found, key);
    struct found *here = mem_zalloc(1, sizeof *here);
    here->id = hash_content(slice_of(inode->data, inode->size));
    (void)snprintf(here->path, sizeof here->path, "%s", path);
    if (other == NULL || place_rank(before, here) >= place_rank(before, other))
        (void)map_put(found, key, here);
    (void)map_put(found, slice_text(here->path), here);
}

// With what was there before the cut, if that is over.
static struct map *found_on(const struct inode *root, const struct map *before)
{
    struct map *found = map_new();
    struct {
        const struct inode *dir;
        char path[256];
    } *stack = mem_zalloc(DEPTH_MAX, sizeof *stack);
    uint32_t depth = 0;
    stack[depth++].dir = root;
    while (depth > 0) {
        const struct inode *dir = stack[--depth].dir;
        char above[256], path[600];
        memcpy(above, stack[depth].path, sizeof above);
        for (uint32_t i = 0; i < dir->count; i++) {
            const struct inode *inode = dir->entries[i].inode;
            (void)snprintf(path, sizeof path, "%s%s%s", above, above[0] != 0 ? "/" : "",
                           dir->entries[i].name);
            if (!S_ISDIR(inode->mode)) {
                found_put(found, before, path, inode);
                continue;
            }
            CHECK(depth < DEPTH_MAX && strlen(path) < sizeof stack->path);
            stack[depth].dir = inode;
            memcpy(stack[depth++].path, path, strlen(path) + 1);
        }
    }
    mem_free(&stack);
    return found;
}

// A version of the path says so, and others may have heard of it.
static bool published(const struct device *device, const char *path, const struct digest *id)
{
    struct item item;
    struct arena *arena = arena_new();
    store_item_get(device->store, arena, device->folder, slice_text(path), &item);
    bool found = false;
    for (uint32_t h = 0; h < item.head_count; h++)
        found |= memcmp(&item.heads[h].value.content, id, sizeof *id) == 0;
    arena_destroy(&arena);
    return found;
}

// What was there before may have been taken away elsewhere by somebody who had seen it: that it is
// back before anybody looks is no change.
void saved_at(const struct world *world, struct saved *saved, const char *path)
{
    char common[NAMES_PATH_MAX];
    names_common(world->o.names, path, common);
    (void)snprintf(saved->path, sizeof saved->path, "%s", common);
    for (size_t i = 0; i < world->saved_count; i++) {
        const struct saved *other = &world->saved[i];
        if (other->token == saved->token && other->excused && strcmp(other->path, saved->path) == 0)
            saved->excused = true;
    }
}

// What is gone and was not published is nobody's fault. What has its name of before again is seen
// under that name by whoever takes it away.
static void cut_excuse(struct device *device, struct map *before)
{
    struct world *world = device->world;
    struct map *after = found_on(device->vfs.root, before);
    for (size_t i = 0; i < world->saved_count; i++) {
        struct saved *saved = &world->saved[i];
        struct slice key = slice_of(&saved->token, sizeof saved->token);
        const struct found *was = map_get(before, key), *is = map_get(after, key);
        if (saved->excused || saved->device != device->index || was == NULL) continue;
        const struct inode *there = vfs_find(&device->vfs, saved->path);
        if (there != NULL && token_of(there) == saved->token) continue;
        if (is != NULL && is_users(is->path) && !is_copy(before, is))
            saved_at(world, saved, is->path);
        else
            saved->excused = !published(device, saved->path, &was->id);
    }
}

// What a cut left of a save is ignored, and for its user to take away: no directory can go while it
// is there.
void device_clean_up(struct device *device)
{
    struct inode *stack[DEPTH_MAX] = {device->vfs.root};
    uint32_t depth = 1;
    while (depth > 0) {
        struct inode *dir = stack[--depth];
        if (vfs_child(dir, USER_TEMPORARY) != NULL)
            (void)vfs_unlink(&device->vfs, dir, USER_TEMPORARY);
        for (uint32_t i = 0; i < dir->count; i++) {
            if (!S_ISDIR(dir->entries[i].inode->mode)) continue;
            CHECK(depth < DEPTH_MAX);
            stack[depth++] = dir->entries[i].inode;
        }
    }
}

void device_power_cut(struct device *device)
{
    struct world *world = device->world;
    struct map *before = found_on(device->vfs.root, NULL);
    world_say(world, "%s: the power goes", device->name);
    power_cut(&device->vfs, &world->rng);
    index_disk_cut(&device->index_disk, &world->rng);
    if (device->index_here) device_index_open(device);
    cut_excuse(device, before);
}
