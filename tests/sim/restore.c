// SPDX-License-Identifier: MIT
//
// Backups that are put back: index and files of one time, or one of them alone; and an index that
// is lost. What went down with the disk is nobody's fault; all else must come back, and dots may be
// drawn twice until somebody notices.
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/map.h"
#include "agent/core/heads.h"
#include "crypto/hash.h"
#include "tests/sim/sim.h"

enum { ITEMS_MAX = 400, DEPTH_MAX = 64 };

// ---- copies

static struct inode *inode_copy(struct vfs *vfs, const struct inode *from, bool fresh)
{
    struct inode *copy = mem_zalloc(1, sizeof *copy);
    *copy = *from;
    copy->wd = 0;
    copy->links = 1;
    copy->entries = NULL;
    copy->count = copy->room = 0;
    copy->data = NULL;
    copy->capacity = 0;
    if (fresh) {
        copy->ino = ++vfs->ino_last;
        copy->ctime_ns = ++vfs->now_ns;
    }
    if (from->size > 0) {
        copy->data = mem_alloc(from->size);
        memcpy(copy->data, from->data, from->size);
        copy->capacity = from->size;
    }
    return copy;
}

static void entries_copy(struct inode *to, const struct inode *from)
{
    to->count = to->room = from->count;
    if (from->count == 0) return;
    to->entries = mem_zalloc(from->count, sizeof *to->entries);
    for (uint32_t i = 0; i < from->count; i++)
        to->entries[i].name = mem_strdup(from->entries[i].name);
}

static struct inode *tree_copy(struct vfs *vfs, const struct inode *root, bool fresh)
{
    struct {
        const struct inode *from;
        struct inode *to;
        uint32_t next;
    } stack[DEPTH_MAX];
    uint32_t depth = 1;
    struct inode *copy = inode_copy(vfs, root, fresh);
    stack[0].from = root;
    stack[0].to = copy;
    stack[0].next = 0;
    entries_copy(copy, root);
    while (depth > 0) {
        const struct inode *from = stack[depth - 1].from;
        struct inode *to = stack[depth - 1].to;
        if (stack[depth - 1].next == from->count) {
            depth--;
            continue;
        }
        uint32_t at = stack[depth - 1].next++;
        struct inode *child = inode_copy(vfs, from->entries[at].inode, fresh);
        to->entries[at].inode = child;
        if (!S_ISDIR(child->mode)) continue;
        CHECK(depth < DEPTH_MAX);
        child->parent = to;
        entries_copy(child, from->entries[at].inode);
        stack[depth].from = from->entries[at].inode;
        stack[depth].to = child;
        stack[depth++].next = 0;
    }
    return copy;
}

// ---- what is anywhere

// A file in kept of which no row knows is nobody's source.
static bool is_known(const struct device *device, struct store *store, const char *name)
{
    struct arena *arena = arena_new();
    struct kept_row row;
    bool known = store_kept_by_file(store, arena, device->folder, slice_text(name), &row);
    arena_destroy(&arena);
    return known;
}

// What is on its way, or was put aside, may go at any start.
static bool is_passing(const char *name)
{
    return strcmp(name, "staging") == 0 || strcmp(name, "base") == 0;
}

// As `store` knows it; NULL: no index knows of what was kept.
static void contents_held(const struct device *device, const struct inode *root,
                          struct store *store, struct map *ids)
{
    const struct inode *stack[DEPTH_MAX] = {root};
    uint32_t depth = 1;
    const struct inode *internal = vfs_child(root, ".cfgsync");
    const struct inode *kept = internal != NULL ? vfs_child(internal, "kept") : NULL;
    while (depth > 0) {
        const struct inode *dir = stack[--depth];
        for (uint32_t i = 0; i < dir->count; i++) {
            const struct inode *inode = dir->entries[i].inode;
            const char *name = dir->entries[i].name;
            bool dir_too = S_ISDIR(inode->mode) && (dir != internal || !is_passing(name));
            CHECK(depth < DEPTH_MAX);
            if (dir_too) stack[depth++] = inode;
            if (S_ISDIR(inode->mode)) continue;
            if (dir == kept && (store == NULL || !is_known(device, store, name))) continue;
            struct digest id = hash_content(slice_of(inode->data, inode->size));
            (void)map_put(ids, slice_of(&id, sizeof id), ids);
        }
    }
}

// What nobody sees is not there: neither what was kept nor what passes.
static void tokens_below(const struct inode *root, struct map *tokens)
{
    const struct inode *stack[DEPTH_MAX] = {root};
    uint32_t depth = 1;
    while (depth > 0) {
        const struct inode *dir = stack[--depth];
        for (uint32_t i = 0; i < dir->count; i++) {
            const struct inode *inode = dir->entries[i].inode;
            uint64_t token = S_ISDIR(inode->mode) ? 0 : token_of(inode);
            CHECK(depth < DEPTH_MAX);
            const char *name = dir->entries[i].name;
            bool unseen = strcmp(name, "kept") == 0 || is_passing(name);
            if (S_ISDIR(inode->mode) && !unseen) stack[depth++] = inode;
            if (token != 0) (void)map_put(tokens, slice_of(&token, sizeof token), tokens);
        }
    }
}

void tokens_in_flight(const struct device *device, struct map *tokens)
{
    const struct inode *staging = vfs_find(&device->vfs, ".cfgsync/staging");
    for (uint32_t i = 0; staging != NULL && i < staging->count; i++) {
        const struct inode *inode = staging->entries[i].inode;
        uint64_t token = S_ISDIR(inode->mode) ? 0 : token_of(inode);
        if (strncmp(staging->entries[i].name, "x-", 2) != 0) continue;
        if (S_ISDIR(inode->mode)) tokens_below(inode, tokens);
        if (token != 0) (void)map_put(tokens, slice_of(&token, sizeof token), tokens);
    }
}

uint64_t token_taken_out(const struct device *device, const char *path)
{
    const struct inode *staging = vfs_find(&device->vfs, ".cfgsync/staging");
    struct arena *arena = arena_new();
    struct item item;
    uint64_t token = 0;
    store_item_get(device->store, arena, device->folder, slice_text(path), &item);
    for (uint32_t i = 0; staging != NULL && i < staging->count; i++) {
        const struct inode *inode = staging->entries[i].inode;
        bool taken = strncmp(staging->entries[i].name, "x-", 2) == 0 && !S_ISDIR(inode->mode) &&
                     item.local.state != LOCAL_NONE && inode->ino == item.local.print.ino;
        if (taken) token = token_of(inode);
    }
    arena_destroy(&arena);
    return token;
}

static bool heads_held(const struct device *device, struct map *ids)
{
    struct arena *arena = arena_new();
    struct item *items = arena_alloc(arena, ITEMS_MAX, sizeof *items);
    uint32_t count = store_items_after(device->store, arena, device->folder, slice_text(""),
                                       slice_text(""), true, ITEMS_MAX, items);
    bool held = true;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t h = 0; h < items[i].head_count; h++) {
            const struct value *value = &items[i].heads[h].value;
            if (value->kind != KIND_FILE) continue;
            held &= map_get(ids, slice_of(&value->content, sizeof value->content)) != NULL;
        }
    }
    arena_destroy(&arena);
    return held;
}

// What the user had put somewhere else since went with the disk, though the content is there.
static void moved_excuse(struct device *device)
{
    struct world *world = device->world;
    for (size_t i = 0; i < world->saved_count; i++) {
        struct saved *saved = &world->saved[i];
        const struct inode *inode = vfs_find(&device->vfs, saved->path);
        if (saved->device != device->index) continue;
        if (inode == NULL || token_of(inode) != saved->token) saved->excused = true;
    }
}

static void lost_excuse(struct world *world, struct map *tokens)
{
    for (size_t i = 0; i < world->saved_count; i++) {
        uint64_t token = world->saved[i].token;
        if (map_get(tokens, slice_of(&token, sizeof token)) == NULL) world->saved[i].excused = true;
    }
}

// ---- the fault

void backup_take(struct device *device)
{
    // A root without its marker is missing, and stays so until somebody says what it is.
    if (vfs_find(&device->vfs, ".cfgsync/root") == NULL) return;
    if (device->in_txn || device->world->current != NULL) return;
    // An old one is worse.
    bool kept = device->backup_store != NULL && !device->world->o.plain;
    if (kept && rng_below(&device->world->rng, 4) > 0) return;
    device->backup_store = store_copy(device->store);
    device->backup_root = tree_copy(&device->vfs, device->vfs.root, false);
    world_say(device->world, "%s is backed up", device->name);
}

// A version whose only content goes down with the disk would be a need for ever: that is for a
// person to give up, and no run's affair.
bool backup_restore(struct device *device)
{
    struct world *world = device->world;
    if (device->backup_store == NULL || world->current != NULL) return false;
    bool index = rng_below(&world->rng, 4) > 0, files = !index || rng_below(&world->rng, 3) > 0;
    struct map *ids = map_new(), *tokens = map_new();
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct device *other = &world->devices[i];
        bool this_one = i == device->index;
        const struct inode *root = this_one && files ? device->backup_root : other->vfs.root;
        contents_held(other, root, this_one && index ? device->backup_store : other->store, ids);
        tokens_below(root, tokens);
    }
    for (uint32_t i = 0; i < world->o.devices; i++) {
        if (i != device->index && !heads_held(&world->devices[i], ids)) return false;
    }
    struct device then = *device;
    then.store = index ? device->backup_store : device->store;
    if (!heads_held(&then, ids)) return false;
    device_crash(device);
    world_say(world, "%s is restored:%s%s", device->name, index ? " index" : "",
              files ? " files" : "");
    if (index) {
        device->store = store_copy(device->backup_store);
        device->index_here = false;
    }
    if (files)
        device->vfs.root = tree_copy(&device->vfs, device->backup_root, rng_below(&world->rng, 2));
    power_sync_all(&device->vfs);
    lost_excuse(world, tokens);
    // With the witness of its last start, what is not there looks deleted by a user.
    if (files && !index) {
        struct map *here = map_new();
        tokens_below(device->vfs.root, here);
        lost_excuse(world, here);
    }
    if (files) moved_excuse(device);
    world->restored = true;
    forgotten_unheard(world);
    return true;
}

// All else of what was saved since must be found elsewhere: the caller says what.
void backup_files(struct device *device)
{
    CHECK(device->backup_root != NULL);
    device_crash(device);
    world_say(device->world, "%s has its old files", device->name);
    device->vfs.root = tree_copy(&device->vfs, device->backup_root, true);
    power_sync_all(&device->vfs);
    device->world->restored = true;
}

void backup_whole(struct device *device)
{
    backup_files(device);
    device->store = store_copy(device->backup_store);
    device->index_here = false;
}

// The files are still there, what was kept has no rows any more.
bool index_lose(struct device *device)
{
    struct world *world = device->world;
    if (world->current != NULL || vfs_find(&device->vfs, ".cfgsync/root") == NULL) return false;
    struct map *ids = map_new();
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct device *other = &world->devices[i];
        contents_held(other, other->vfs.root, i != device->index ? other->store : NULL, ids);
    }
    for (uint32_t i = 0; i < world->o.devices; i++) {
        if (!heads_held(&world->devices[i], ids)) return false;
    }
    device_crash(device);
    // The marker may be gone with the power.
    if (vfs_find(&device->vfs, ".cfgsync/root") == NULL) return true;
    world_say(world, "%s loses its index", device->name);
    index_disk_wipe(&device->index_disk);
    device->index_here = world->o.index_file;
    device_index_open(device);
    world->restored = true;
    forgotten_unheard(world);
    return true;
}

bool contents_orphaned(struct world *world)
{
    struct map *ids = map_new();
    bool held = true;
    for (uint32_t i = 0; i < world->o.devices; i++) {
        const struct device *device = &world->devices[i];
        contents_held(device, device->vfs.root, device->store, ids);
    }
    for (uint32_t i = 0; i < world->o.devices; i++)
        held &= heads_held(&world->devices[i], ids);
    return !held;
}
