// SPDX-License-Identifier: MIT
//
// People. Each content saved is new and named by a number (a token), so that the oracle can say
// what became of it: whoever takes away or replaces what is at a path has seen what was there.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/map.h"
#include "crypto/hash.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

enum { TREE_DEPTH_MAX = 48, CONTENT_MAX = 3 << 20 };

uint64_t token_of(const struct inode *inode)
{
    char text[24] = {0};
    if (S_ISDIR(inode->mode) || inode->size == 0) return 0;
    memcpy(text, inode->data, inode->size < sizeof text - 1 ? inode->size : sizeof text - 1);
    return text[0] == 't' ? strtoull(text + 1, NULL, 10) : 0;
}

enum visit { VISIT_SAVED, VISIT_TAKEN };

static void visit_one(struct device *device, const char *path, const struct inode *inode,
                      enum visit what)
{
    struct world *world = device->world;
    size_t count = world->saved_count;
    if (what == VISIT_SAVED)
        saved_add(device, path, token_of(inode));
    else
        saved_excuse(world, path, token_of(inode));
    if (world->saved_count > count) world->saved[count].by_step = put_by_step(device, inode);
}

// Everything at and below a path.
static void visit_tree(struct device *device, const char *path, const struct inode *inode,
                       enum visit what)
{
    struct {
        const struct inode *dir;
        uint32_t next;
        size_t size;
    } stack[TREE_DEPTH_MAX];
    char at[1024];
    uint32_t depth = 0;
    visit_one(device, path, inode, what);
    if (what == VISIT_TAKEN) saved_excuse_in_flight(device, path);
    (void)snprintf(at, sizeof at, "%s", path);
    if (S_ISDIR(inode->mode)) {
        stack[depth].dir = inode;
        stack[depth].next = 0;
        stack[depth++].size = strlen(at);
    }
    while (depth > 0) {
        const struct inode *dir = stack[depth - 1].dir;
        size_t size = stack[depth - 1].size;
        if (stack[depth - 1].next == dir->count) {
            depth--;
            continue;
        }
        const struct vfs_entry *entry = &dir->entries[stack[depth - 1].next++];
        (void)snprintf(at + size, sizeof at - size, "%s%s", size > 0 ? "/" : "", entry->name);
        if (path_internal(at) && !S_ISDIR(entry->inode->mode)) continue;
        visit_one(device, at, entry->inode, what);
        if (!S_ISDIR(entry->inode->mode) || depth == TREE_DEPTH_MAX) continue;
        stack[depth].dir = entry->inode;
        stack[depth].next = 0;
        stack[depth++].size = strlen(at);
    }
}

// ---- hands

static void tree_remove(struct device *device, struct inode *dir, const char *name)
{
    struct inode *stack[TREE_DEPTH_MAX];
    char names[TREE_DEPTH_MAX][VFS_NAME_MAX];
    uint32_t depth = 1;
    stack[0] = dir;
    (void)snprintf(names[0], VFS_NAME_MAX, "%s", name);
    while (depth > 0) {
        struct inode *parent = stack[depth - 1];
        struct inode *inode = vfs_child(parent, names[depth - 1]);
        CHECK(inode != NULL);
        if (S_ISDIR(inode->mode) && inode->count > 0 && depth < TREE_DEPTH_MAX) {
            stack[depth] = inode;
            (void)snprintf(names[depth], VFS_NAME_MAX, "%s", inode->entries[0].name);
            depth++;
            continue;
        }
        int code = S_ISDIR(inode->mode) ? vfs_rmdir(&device->vfs, parent, names[depth - 1])
                                        : vfs_unlink(&device->vfs, parent, names[depth - 1]);
        if (code != 0) return;
        depth--;
    }
}

static void take_away(struct device *device, const char *path)
{
    const char *name;
    struct inode *dir = vfs_parent(&device->vfs, path, &name);
    struct inode *inode = dir != NULL ? vfs_child(dir, name) : NULL;
    if (inode == NULL) return;
    visit_tree(device, path, inode, VISIT_TAKEN);
    tree_remove(device, dir, name);
}

// Makes the directories above; a file in the way is replaced, or not.
static bool make_parents(struct device *device, const char *path)
{
    char above[1024];
    for (size_t i = 1; path[i] != 0; i++) {
        if (path[i] != '/') continue;
        memcpy(above, path, i);
        above[i] = 0;
        const char *name;
        struct inode *dir = vfs_parent(&device->vfs, above, &name);
        if (dir == NULL) return false;
        struct inode *inode = vfs_child(dir, name);
        if (inode != NULL && !S_ISDIR(inode->mode)) {
            if (rng_below(&device->world->rng, 2) == 0) return false;
            take_away(device, above);
            inode = NULL;
        }
        if (inode == NULL && vfs_create(&device->vfs, dir, name, S_IFDIR | 0755, NULL) != 0)
            return false;
    }
    return true;
}

static size_t content_size(struct world *world)
{
    // Of one size and within one tick of the clock a save does not show.
    bool alike = !world->o.plain && world->o.grain_ns > 1 && rng_below(&world->rng, 4) > 0;
    if (alike) return 24;
    if (!rng_chance(&world->rng, world->o.large)) return rng_between(&world->rng, 8, 60);
    if (rng_below(&world->rng, 8) == 0) return rng_between(&world->rng, 1 << 20, CONTENT_MAX);
    return rng_between(&world->rng, 1000, 200000);
}

static void noise_put(char *bytes, size_t size, uint64_t token)
{
    uint64_t x = token * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes[i] = (char)x;
    }
}

// A content that begins with its token and does not compress to nothing. Of a large file most edits
// leave the rest as it was, in its place or moved.
static void content_put(struct device *device, struct inode *file, const struct inode *older,
                        uint64_t token)
{
    enum { HEAD_MAX = 24, LARGE = 50000 };
    char text[HEAD_MAX];
    size_t size = content_size(device->world);
    size_t head = (size_t)snprintf(text, sizeof text, "t%llu:", (unsigned long long)token);
    bool edits = older != NULL && S_ISREG(older->mode) && older->size > LARGE && token % 4 != 0;
    size_t moved = edits && token % 2 == 0 && older->size < CONTENT_MAX ? head : 0;
    if (edits) size = older->size + moved;
    if (size < head) size = head;
    char *bytes = mem_alloc(size);
    if (!edits) noise_put(bytes + head, size - head, token);
    if (edits) memcpy(bytes + moved, older->data, older->size);
    memcpy(bytes, text, head);
    vfs_truncate(&device->vfs, file, 0);
    vfs_write(&device->vfs, file, bytes, size, 0);
    vfs_closed(&device->vfs, file);
    free(bytes);
}

static mode_t some_mode(struct world *world)
{
    static const mode_t modes[] = {0644, 0600, 0755, 0640};
    return modes[rng_below(&world->rng, 4)];
}

// ---- what people do

static void do_write(struct device *device, const char *path)
{
    const char *name;
    if (!make_parents(device, path)) return;
    struct inode *dir = vfs_parent(&device->vfs, path, &name);
    struct inode *file = vfs_child(dir, name);
    if (file != NULL && !S_ISREG(file->mode)) take_away(device, path);
    if (file != NULL && S_ISREG(file->mode)) visit_tree(device, path, file, VISIT_TAKEN);
    file = vfs_child(dir, name);
    if (file == NULL &&
        vfs_create(&device->vfs, dir, name, S_IFREG | some_mode(device->world), &file) != 0)
        return;
    CHECK(S_ISREG(file->mode));
    uint64_t token = ++device->world->token_last;
    content_put(device, file, file, token);
    saved_add(device, path, token);
}

static void do_save_over(struct device *device, const char *path)
{
    const char *name;
    struct inode *file;
    if (!make_parents(device, path)) return;
    struct inode *dir = vfs_parent(&device->vfs, path, &name);
    struct inode *old = vfs_child(dir, name);
    if (old != NULL && S_ISDIR(old->mode)) return;
    if (vfs_create(&device->vfs, dir, USER_TEMPORARY, S_IFREG | 0644, &file) != 0) return;
    uint64_t token = ++device->world->token_last;
    content_put(device, file, old, token);
    if (old != NULL) visit_tree(device, path, old, VISIT_TAKEN);
    int code = vfs_rename(&device->vfs, dir, USER_TEMPORARY, dir, name, VFS_REPLACE);
    CHECK(code == 0);
    saved_add(device, path, token);
}

static void do_copy(struct device *device, const char *from, const char *path)
{
    const char *name;
    struct inode *source = vfs_find(&device->vfs, from);
    if (source == NULL || !S_ISREG(source->mode) || source == vfs_find(&device->vfs, path)) return;
    uint64_t token = token_of(source);
    uint8_t *bytes = mem_alloc(source->size + 1);
    size_t size = source->size;
    if (size > 0) memcpy(bytes, source->data, size);
    bool made = make_parents(device, path);
    struct inode *dir = made ? vfs_parent(&device->vfs, path, &name) : NULL;
    if (dir != NULL) {
        struct inode *file = vfs_child(dir, name);
        if (file != NULL) take_away(device, path);
        if (vfs_create(&device->vfs, dir, name, S_IFREG | 0644, &file) == 0) {
            vfs_write(&device->vfs, file, bytes, size, 0);
            vfs_closed(&device->vfs, file);
            saved_add(device, path, token);
        }
    }
    free(bytes);
}

static void do_delete(struct device *device, const char *path, bool tree)
{
    struct inode *inode = vfs_find(&device->vfs, path);
    if (inode == NULL) return;
    if (!tree && S_ISDIR(inode->mode) && inode->count > 0) return;
    take_away(device, path);
}

static void do_mkdir(struct device *device, const char *path)
{
    const char *name;
    if (!make_parents(device, path)) return;
    struct inode *dir = vfs_parent(&device->vfs, path, &name);
    (void)vfs_create(&device->vfs, dir, name, S_IFDIR | 0755, NULL);
}

static void do_rename(struct device *device, const char *from, const char *to)
{
    const char *a, *b;
    struct inode *inode = vfs_find(&device->vfs, from);
    char a_common[NAMES_PATH_MAX], b_common[NAMES_PATH_MAX];
    names_common(device->world->o.names, from, a_common);
    names_common(device->world->o.names, to, b_common);
    bool above = path_within(b_common, a_common) || path_within(a_common, b_common);
    if (inode == NULL || (above && strcmp(a_common, b_common) != 0)) return;
    if (above && strcmp(from, to) == 0) return;
    if (!make_parents(device, to)) return;
    struct inode *from_dir = vfs_parent(&device->vfs, from, &a);
    struct inode *to_dir = vfs_parent(&device->vfs, to, &b);
    inode = from_dir != NULL ? vfs_child(from_dir, a) : NULL;
    if (inode == NULL || to_dir == NULL) return;
    struct inode *old = vfs_child(to_dir, b);
    if (old == inode) old = NULL;
    bool in_place = old != NULL && S_ISREG(old->mode) && S_ISREG(inode->mode);
    if (in_place) visit_tree(device, to, old, VISIT_TAKEN);
    if (old != NULL && !in_place) take_away(device, to);
    visit_tree(device, from, inode, VISIT_TAKEN);
    int code = vfs_rename(&device->vfs, from_dir, a, to_dir, b, VFS_REPLACE);
    CHECK(code == 0);
    size_t before = device->world->saved_count;
    visit_tree(device, to, inode, VISIT_SAVED);
    for (size_t i = before; i < device->world->saved_count; i++)
        device->world->saved[i].moved = S_ISDIR(inode->mode);
}

static void do_symlink(struct device *device, const char *path)
{
    const char *name;
    char target[64];
    if (!make_parents(device, path)) return;
    take_away(device, path);
    struct inode *dir = vfs_parent(&device->vfs, path, &name);
    uint64_t token = ++device->world->token_last;
    (void)snprintf(target, sizeof target, "t%llu", (unsigned long long)token);
    if (vfs_symlink(&device->vfs, dir, name, target) == 0) saved_add(device, path, token);
}

static void do_chmod(struct device *device, const char *path)
{
    struct inode *inode = vfs_find(&device->vfs, path);
    if (inode == NULL || S_ISLNK(inode->mode)) return;
    static const mode_t dirs[] = {0755, 0700, 0750};
    mode_t mode =
        S_ISDIR(inode->mode) ? dirs[rng_below(&device->world->rng, 3)] : some_mode(device->world);
    vfs_chmod(&device->vfs, inode, mode);
}

static void do_touch(struct device *device, const char *path)
{
    struct inode *inode = vfs_find(&device->vfs, path);
    if (inode == NULL || !S_ISREG(inode->mode)) return;
    vfs_mtime(&device->vfs, inode, device->vfs.now_ns - (int64_t)rng_below(&device->world->rng, 9));
}

static void do_empty(struct device *device, const char *path)
{
    struct inode *inode = vfs_find(&device->vfs, path);
    if (inode == NULL || !S_ISREG(inode->mode)) return;
    visit_tree(device, path, inode, VISIT_TAKEN);
    vfs_truncate(&device->vfs, inode, 0);
    vfs_closed(&device->vfs, inode);
}

static void do_type(struct device *device, const char *path)
{
    struct inode *inode = vfs_find(&device->vfs, path);
    if (inode == NULL) return;
    bool was_dir = S_ISDIR(inode->mode);
    take_away(device, path);
    uint32_t dice = rng_below(&device->world->rng, 3);
    if (dice == 0)
        do_symlink(device, path);
    else if (was_dir || dice == 1)
        do_write(device, path);
    else
        do_mkdir(device, path);
}

static enum act act_draw(struct world *world)
{
    uint32_t sum = 0;
    for (int i = 0; i < ACT_COUNT; i++)
        sum += world->o.act_weight[i];
    uint32_t at = rng_below(&world->rng, sum);
    for (int i = 0; i < ACT_COUNT; i++) {
        if (at < world->o.act_weight[i]) return (enum act)i;
        at -= world->o.act_weight[i];
    }
    return ACT_WRITE;
}

static const char *respelled(struct world *world, const char *path, char out[NAMES_PATH_MAX])
{
    if (world->o.names == NAMES_BYTES) return path;
    names_respell(world->o.names, &world->rng, path, out);
    return out;
}

// Now and then somebody clears a conflict item away.
static const char *path_draw(struct device *device, char out[NAMES_PATH_MAX])
{
    struct world *world = device->world;
    struct inode *conflicts = vfs_find(&device->vfs, ".cfgsync/conflicts");
    if (device->aim[0] != 0) {
        memcpy(out, device->aim, sizeof device->aim);
        memcpy(device->aim, device->aim_to, sizeof device->aim);
        device->aim_to[0] = 0;
        return out;
    }
    if (conflicts == NULL || conflicts->count == 0 || rng_below(&world->rng, 12) > 0)
        return respelled(world, world->o.paths[rng_below(&world->rng, world->o.pool)], out);
    const char *name = conflicts->entries[rng_below(&world->rng, conflicts->count)].name;
    (void)snprintf(out, 512, ".cfgsync/conflicts/%s", name);
    return out;
}

void user_act(struct device *device)
{
    static const char *const names[ACT_COUNT] = {
        "write", "save over", "copy",  "delete", "delete tree", "mkdir",  "rename", "symlink",
        "chmod", "touch",     "empty", "type",   "sync",        "verify", "abandon"};
    struct world *world = device->world;
    char text[NAMES_PATH_MAX], other[NAMES_PATH_MAX];
    enum act act = act_draw(world);
    const char *path = path_draw(device, text);
    const char *to = path_draw(device, other);
    bool conflict = path_internal(path) || path_internal(to);
    if (conflict && act != ACT_DELETE && act != ACT_WRITE) return;
    int64_t now_ns =
        (INT64_C(1750000000) * 1000000 + world->now_us + (int64_t)device->skew_us) * 1000;
    if (device->vfs.now_ns < now_ns) device->vfs.now_ns = now_ns;
    world_say(world, "%s user: %s %s %s", device->name, names[act], path,
              act == ACT_COPY || act == ACT_RENAME ? to : "");
    world->counts[0]++;
    if (vfs_find(&device->vfs, path) == NULL) saved_excuse_in_flight(device, path);
    if (vfs_find(&device->vfs, to) == NULL) saved_excuse_in_flight(device, to);
    switch (act) {
    case ACT_WRITE: do_write(device, path); break;
    case ACT_SAVE_OVER: do_save_over(device, path); break;
    case ACT_COPY: do_copy(device, path, to); break;
    case ACT_DELETE: do_delete(device, path, false); break;
    case ACT_DELETE_TREE: do_delete(device, path, true); break;
    case ACT_MKDIR: do_mkdir(device, path); break;
    case ACT_RENAME: do_rename(device, path, to); break;
    case ACT_SYMLINK: do_symlink(device, path); break;
    case ACT_CHMOD: do_chmod(device, path); break;
    case ACT_TOUCH: do_touch(device, path); break;
    case ACT_EMPTY: do_empty(device, path); break;
    case ACT_TYPE: do_type(device, path); break;
    case ACT_SYNC: device_sync(device); break;
    case ACT_VERIFY: device_verify(device); break;
    case ACT_ABANDON: device_abandon(device); break;
    case ACT_COUNT: break;
    }
}
