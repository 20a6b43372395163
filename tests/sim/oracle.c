// SPDX-License-Identifier: MIT
//
// What must hold (docs/ARCHITECTURE.md "What always holds").
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/map.h"
#include "agent/core/heads.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

enum { ITEMS_MAX = 400, DEPTH_MAX = 48 };

static const char *kind_text(enum kind kind)
{
    static const char *const texts[] = {
        [KIND_FILE] = "file", [KIND_DIR] = "dir", [KIND_SYMLINK] = "symlink", [KIND_TOMB] = "tomb"};
    return texts[kind];
}

// ---- trees as text: one line an entry

// A directory that lives on by what is in it is nobody's version and has nobody's mode.
static bool has_mode(const struct device *device, const char *path)
{
    struct item item;
    struct arena *arena = arena_new();
    store_item_get(device->store, arena, device->folder, slice_text(path), &item);
    bool live = heads_live(&item);
    arena_destroy(&arena);
    return live;
}

static void list_entry(struct buf *out, const struct device *device, const char *path,
                       const struct inode *inode)
{
    if (S_ISDIR(inode->mode) && device != NULL && !has_mode(device, path))
        buf_printf(out, "%s dir\n", path);
    else if (S_ISDIR(inode->mode))
        buf_printf(out, "%s dir %o\n", path, inode->mode & 0777);
    else if (S_ISLNK(inode->mode))
        buf_printf(out, "%s symlink t%llu\n", path, (unsigned long long)token_of(inode));
    else
        buf_printf(out, "%s file %o t%llu %zu\n", path, inode->mode & 0777,
                   (unsigned long long)token_of(inode), inode->size);
}

// With a device: modes are left out where none is agreed on.
static void list_tree(struct buf *out, const struct device *device, const struct inode *root,
                      const char *prefix)
{
    struct {
        const struct inode *dir;
        uint32_t next;
        size_t size;
    } stack[DEPTH_MAX];
    char at[1024];
    uint32_t depth = 1;
    int size = snprintf(at, sizeof at, "%s", prefix);
    stack[0].dir = root;
    stack[0].next = 0;
    stack[0].size = (size_t)size;
    while (depth > 0) {
        const struct inode *dir = stack[depth - 1].dir;
        size_t base = stack[depth - 1].size;
        if (stack[depth - 1].next == dir->count) {
            depth--;
            continue;
        }
        const struct vfs_entry *entry = &dir->entries[stack[depth - 1].next++];
        (void)snprintf(at + base, sizeof at - base, "%s%s", base > 0 ? "/" : "", entry->name);
        if (strcmp(at, ".cfgsync") == 0) continue;
        char normal[NAMES_PATH_MAX];
        names_common(entry->inode->names == NAMES_BYTES ? NAMES_BYTES : NAMES_NORMAL, at, normal);
        list_entry(out, device, normal, entry->inode);
        if (!S_ISDIR(entry->inode->mode) || depth == DEPTH_MAX) continue;
        stack[depth].dir = entry->inode;
        stack[depth].next = 0;
        stack[depth++].size = strlen(at);
    }
}

static void list_device(struct buf *out, const struct device *device, bool agreed)
{
    const struct device *with = agreed ? device : NULL;
    const struct inode *conflicts = vfs_find(&device->vfs, ".cfgsync/conflicts");
    list_tree(out, with, device->vfs.root, "");
    if (conflicts != NULL) list_tree(out, with, conflicts, ".cfgsync/conflicts");
    if (device->world->o.names != NAMES_BYTES) lines_sort(out);
}

// ---- what an index says

static void print_vv(struct buf *out, struct vv v)
{
    for (uint32_t i = 0; i < v.count; i++)
        buf_printf(out, " %04x:%llu", (unsigned)(v.entries[i].inc >> 48),
                   (unsigned long long)v.entries[i].counter);
}

void print_version(struct buf *out, const struct version *v)
{
    buf_printf(out, "%s %o %02x%02x%02x", kind_text(v->value.kind), v->value.mode,
               v->value.content.bytes[0], v->value.content.bytes[1], v->value.content.bytes[2]);
    buf_append_text(out, " dots");
    for (uint32_t i = 0; i < v->dots.count; i++)
        buf_printf(out, " %04x:%llu", (unsigned)(v->dots.entries[i].inc >> 48),
                   (unsigned long long)v->dots.entries[i].counter);
    buf_append_text(out, " vv");
    print_vv(out, v->vv);
    buf_printf(out, " flags %u", v->flags);
}

void print_item(struct buf *out, const struct item *item)
{
    static const char *const states[] = {"none", "ok", "dirty", "obsolete"};
    buf_printf(out, "  %.*s%s blocked=%s\n", SLICE_ARG(item->path), item->need ? " NEED" : "",
               blocked_text(item->blocked));
    for (uint32_t i = 0; i < item->head_count; i++) {
        buf_append_text(out, "    head  ");
        print_version(out, &item->heads[i]);
        buf_append_text(out, "\n");
    }
    buf_printf(out, "    local %s ", states[item->local.state]);
    if (item->local.state != LOCAL_NONE) print_version(out, &item->local.version);
    buf_append_text(out, "\n");
}

static uint32_t items_of(const struct device *device, struct arena *arena, struct item **out)
{
    *out = arena_alloc(arena, ITEMS_MAX, sizeof **out);
    return store_items_after(device->store, arena, device->folder, slice_text(""), slice_text(""),
                             true, ITEMS_MAX, *out);
}

void oracle_dump(struct world *world)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct device *device = &world->devices[i];
        struct arena *arena = arena_new();
        struct buf out = {0};
        struct item *items;
        uint32_t count = items_of(device, arena, &items);
        buf_printf(&out, "==== %s: disk\n", device->name);
        list_device(&out, device, false);
        const struct inode *staging = vfs_find(&device->vfs, ".cfgsync/staging");
        const struct inode *kept = vfs_find(&device->vfs, ".cfgsync/kept");
        if (staging != NULL) list_tree(&out, NULL, staging, "staging");
        if (kept != NULL) list_tree(&out, NULL, kept, "kept");
        buf_printf(&out, "==== %s: index, K", device->name);
        print_vv(&out, store_k(device->store, arena, device->folder));
        buf_append_text(&out, "\n");
        for (uint32_t k = 0; k < count; k++)
            print_item(&out, &items[k]);
        fputs(buf_text(&out), stdout);
        buf_fini(&out);
        arena_destroy(&arena);
    }
}

// Places are lines of the listed trees that name it.
static void token_lines(struct buf *out, const char *device, const char *tree, const char *tail)
{
    for (const char *line = tree; *line != 0; line += strcspn(line, "\n") + 1) {
        char text[512];
        (void)snprintf(text, sizeof text, "%.*s ", (int)strcspn(line, "\n"), line);
        if (strstr(text, tail) != NULL) buf_printf(out, " %s:%s", device, text);
    }
}

void oracle_token(struct world *world)
{
    char tail[32];
    struct buf now = {0};
    (void)snprintf(tail, sizeof tail, " t%llu ", (unsigned long long)world->token);
    for (uint32_t i = 0; i < world->o.devices; i++) {
        static const char *const internal[] = {".cfgsync/staging", ".cfgsync/kept"};
        const struct device *device = &world->devices[i];
        struct buf tree = {0};
        list_device(&tree, device, false);
        for (int k = 0; k < 2; k++) {
            const struct inode *dir = vfs_find(&device->vfs, internal[k]);
            if (dir != NULL) list_tree(&tree, NULL, dir, internal[k]);
        }
        token_lines(&now, device->name, buf_text(&tree), tail);
        buf_fini(&tree);
    }
    if (!slice_equal(buf_slice(&now), buf_slice(&world->token_at))) {
        world_say(world, "token%s", buf_text(&now));
        buf_clear(&world->token_at);
        buf_append(&world->token_at, now.data, now.size);
    }
    buf_fini(&now);
}

// ---- settled: nothing more would happen

static bool same_heads(const struct item *a, const struct item *b)
{
    if (a->head_count != b->head_count) return false;
    for (uint32_t i = 0; i < a->head_count; i++) {
        if (!value_equal(&a->heads[i].value, &b->heads[i].value) ||
            !dots_equal(a->heads[i].dots, b->heads[i].dots))
            return false;
    }
    return true;
}

static bool index_settled(const struct device *device, struct arena *arena, char *why, size_t size)
{
    struct item *items, *others;
    const struct device *first = &device->world->devices[0];
    uint32_t count = items_of(device, arena, &items);
    uint32_t other_count = items_of(first, arena, &others);
    for (uint32_t i = 0; i < count; i++) {
        const char *what = items[i].head_count > 1               ? "unresolved"
                           : items[i].need                       ? "a need"
                           : items[i].local.state == LOCAL_DIRTY ? "dirty"
                           : items[i].blocked != BLOCKED_NONE    ? "blocked"
                                                                 : NULL;
        if (what != NULL) {
            (void)snprintf(why, size, "%s: %s at %.*s", device->name, what,
                           SLICE_ARG(items[i].path));
            return false;
        }
    }
    struct vv floor = vv_join(arena, store_gcfloor(device->store, arena, device->folder),
                              store_gcfloor(first->store, arena, first->folder));
    count = items_standing(arena, items, count, floor);
    other_count = items_standing(arena, others, other_count, floor);
    for (uint32_t i = 0; i < count && i < other_count; i++) {
        if (slice_equal(items[i].path, others[i].path) && same_heads(&items[i], &others[i]))
            continue;
        (void)snprintf(why, size, "%s and %s: heads differ at %.*s", first->name, device->name,
                       SLICE_ARG(items[i].path));
        return false;
    }
    if (count == other_count) return true;
    (void)snprintf(why, size, "%s and %s know %u and %u items", first->name, device->name,
                   other_count, count);
    return false;
}

static void first_difference(const char *a, const char *b, char *out, size_t size)
{
    const char *line_a = a, *line_b = b;
    while (*a != 0 && *a == *b) {
        if (*a == '\n') {
            line_a = a + 1;
            line_b = b + 1;
        }
        a++;
        b++;
    }
    (void)snprintf(out, size, "\"%.*s\" and \"%.*s\"", (int)strcspn(line_a, "\n"), line_a,
                   (int)strcspn(line_b, "\n"), line_b);
}

static bool trees_settled(const struct device *device, char *why, size_t size)
{
    struct buf mine = {0}, theirs = {0};
    char difference[300];
    const struct device *first = &device->world->devices[0];
    list_device(&mine, device, true);
    list_device(&theirs, first, true);
    bool same = slice_equal(buf_slice(&mine), buf_slice(&theirs));
    if (!same) {
        first_difference(buf_text(&theirs), buf_text(&mine), difference, sizeof difference);
        (void)snprintf(why, size, "%s and %s: disks differ: %s", first->name, device->name,
                       difference);
    }
    buf_fini(&mine);
    buf_fini(&theirs);
    return same;
}

bool oracle_settled(struct world *world, char *why, size_t size)
{
    bool settled = true;
    struct arena *arena = arena_new();
    for (uint32_t i = 0; i < world->o.devices && settled; i++) {
        struct device *device = &world->devices[i];
        if (device->jobs > 0) {
            (void)snprintf(why, size, "%s: %u jobs under way", device->name, device->jobs);
            settled = false;
        }
        settled = settled && device->running && index_settled(device, arena, why, size);
        settled = settled && trees_settled(device, why, size);
        settled = settled && displaced_settled(device, why, size);
        arena_reset(arena);
    }
    arena_destroy(&arena);
    return settled;
}

// ---- I3

static bool represented(const struct device *device, struct arena *arena, const struct drawn *drawn)
{
    struct item item;
    store_item_get(device->store, arena, device->folder, slice_text(drawn->path), &item);
    for (uint32_t i = 0; i < item.head_count; i++) {
        if (vv_covers(item.heads[i].vv, drawn->dot)) return true;
    }
    return false;
}

void oracle_knowledge(struct world *world)
{
    if (world->restored) return; // as for a time two things may be under one dot
    struct arena *arena = arena_new();
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct device *device = &world->devices[i];
        struct slice key;
        void *value;
        struct arena *held = arena_new();
        struct vv k = store_k(device->store, held, device->folder);
        struct vv floor = store_gcfloor(device->store, held, device->folder);
        for (size_t at = 0; map_next(world->drawn, &at, &key, &value); arena_reset(arena)) {
            const struct drawn *drawn = value;
            if (!vv_covers(k, drawn->dot) || vv_covers(floor, drawn->dot) ||
                represented(device, arena, drawn))
                continue;
            world_fail(world, "I3: K of %s claims %04x:%llu, whose effect at %s is not there",
                       device->name, (unsigned)(drawn->dot.inc >> 48),
                       (unsigned long long)drawn->dot.counter, drawn->path);
        }
        arena_destroy(&held);
    }
    arena_destroy(&arena);
}

// ---- I2

static void tokens_below(const struct inode *root, struct map *found)
{
    const struct inode *stack[64];
    uint32_t depth = 0;
    stack[depth++] = root;
    while (depth > 0) {
        const struct inode *dir = stack[--depth];
        for (uint32_t i = 0; i < dir->count; i++) {
            const struct inode *inode = dir->entries[i].inode;
            if (S_ISDIR(inode->mode)) {
                CHECK(depth < 64);
                if (strcmp(dir->entries[i].name, ".cfgsync") != 0) stack[depth++] = inode;
                continue;
            }
            uint64_t token = token_of(inode);
            if (token != 0) (void)map_put(found, slice_of(&token, sizeof token), found);
        }
    }
}

// A conflict over the copy of a copy is not copied once more: who loses there goes to kept.
static bool is_copy_of_copy(const char *path)
{
    const size_t prefix = strlen(".cfgsync/conflicts/"), tag = 12, size = strlen(path);
    return strncmp(path, ".cfgsync/conflicts/", prefix) == 0 && size > prefix + 2 * (tag + 1) &&
           path[prefix + tag] == '-' && path[prefix + 2 * tag + 1] == '-';
}

static void check_lost(struct world *world)
{
    struct map *live = map_new();
    struct map *kept = map_new();
    for (uint32_t i = 0; i < world->o.devices; i++) {
        const struct device *device = &world->devices[i];
        const struct inode *conflicts = vfs_find(&device->vfs, ".cfgsync/conflicts");
        const struct inode *set_aside = vfs_find(&device->vfs, ".cfgsync/kept");
        tokens_below(device->vfs.root, live);
        if (conflicts != NULL) tokens_below(conflicts, live);
        if (set_aside != NULL) tokens_below(set_aside, kept);
        tokens_in_flight(device, kept); // the next clean-up moves it there
    }
    for (size_t i = 0; i < world->saved_count; i++) {
        const struct saved *saved = &world->saved[i];
        struct slice key = slice_of(&saved->token, sizeof saved->token);
        bool may_go = !saved->wanted && saved->excused;
        if (may_go || map_get(live, key) != NULL) continue;
        // Where two that knew of different histories of one device met before it.
        bool copy_will_do = world->restored || is_copy_of_copy(saved->path);
        if (map_get(kept, key) != NULL && copy_will_do && !saved->wanted) continue;
        world_fail(world, "I2: t%llu, saved by d%u at %s at %.3f ms, is %s",
                   (unsigned long long)saved->token, saved->device, saved->path,
                   (double)saved->at_us / 1000,
                   map_get(kept, key) != NULL ? "only in kept" : "lost");
    }
}

// Who edits alone meets no conflict.
static void check_writer(struct world *world)
{
    if (world->o.writer < 0 || world->restored || world->puts_back_count > 0) return;
    const struct device *device = &world->devices[world->o.writer];
    const struct inode *conflicts = vfs_find(&device->vfs, ".cfgsync/conflicts");
    if (conflicts != NULL && conflicts->count > 0)
        world_fail(world, "a conflict item, though only %s edits: %s", device->name,
                   conflicts->entries[0].name);
}

// ---- I6 and what else must be quiet

static uint64_t minted_by(struct device *device)
{
    struct engine_status status;
    struct arena *arena = arena_new();
    device_enter(device);
    engine_status(device->engine, arena, &status);
    device_leave(device);
    uint64_t minted = status.counters.minted;
    arena_destroy(&arena);
    return minted;
}

static void check_refused(struct world *world)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct device *device = &world->devices[i];
        struct engine_status status;
        struct arena *arena = arena_new();
        device_enter(device);
        engine_status(device->engine, arena, &status);
        device_leave(device);
        if (status.counters.sessions_refused > 0)
            world_fail(world, "%s refused a session, though all are honest", device->name);
        // A dot of a life that was cut off below it may be in no K any more, though both have it.
        bool owed = world->restored && status.state == FOLDER_PENDING_OUT;
        if (status.folder_count == 1 && status.state != FOLDER_SYNCED &&
            status.state != FOLDER_CONFLICT && !owed)
            world_fail(world, "%s is settled and says %s %s", device->name,
                       folder_state_text(status.state), status.folders[0].code);
        for (uint32_t k = 0; world->failure[0] != 0 && k < status.peer_count; k++)
            world_say(world, "%s of %.*s: connected %d, %s, owed %llu", device->name,
                      SLICE_ARG(status.peers[k].name), status.peers[k].connected,
                      status.peers[k].folders[0].state,
                      (unsigned long long)status.peers[k].owed_changes);
        arena_destroy(&arena);
    }
}

static void check_scan(struct world *world, bool restart)
{
    uint64_t before[DEVICES_MAX];
    char why[400] = "";
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct device *device = &world->devices[i];
        if (restart) {
            device_stop(device);
            device_start(device);
        }
        before[i] = restart ? 0 : minted_by(device);
        if (restart) continue;
        device_enter(device);
        engine_watch(device->engine, device->folder, ENGINE_RESCAN, slice_text(""));
        device_leave(device);
    }
    world_settle(world, world->now_us + 20000000);
    for (uint32_t i = 0; i < world->o.devices; i++) {
        if (minted_by(&world->devices[i]) != before[i])
            world_fail(world, "%s: a scan of what is settled mints%s", world->devices[i].name,
                       restart ? " after a restart" : "");
    }
    if (!oracle_settled(world, why, sizeof why))
        world_fail(world, "no longer settled after a %s: %s", restart ? "restart" : "scan", why);
}

static void check_staging(struct world *world)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        const struct inode *staging = vfs_find(&world->devices[i].vfs, ".cfgsync/staging");
        for (uint32_t k = 0; staging != NULL && k < staging->count; k++) {
            // A large content, or half of it, is progress, and kept for a week.
            const char *name = staging->entries[k].name;
            const char *tail = strrchr(name, '.');
            if (tail != NULL && (strcmp(tail, ".part") == 0 || strcmp(tail, ".map") == 0)) continue;
            if (staging->entries[k].inode->size > PROTO_PACK_CONTENT_BYTES_MAX) continue;
            world_fail(world, "%s: residue in staging: %s", world->devices[i].name, name);
        }
    }
}

void oracle_final(struct world *world)
{
    oracle_knowledge(world);
    check_lost(world);
    check_writer(world);
    quiet_copies(world);
    forgotten_check(world);
    quiet_idle(world);
    check_refused(world);
    // What could not be removed then is removed at the next start.
    if (world->o.disk_error == 0) check_staging(world);
    quiet_base(world);
    quiet_verify(world);
    check_scan(world, false);
    check_scan(world, true);
    check_staging(world);
}
