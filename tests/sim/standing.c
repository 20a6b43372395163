// SPDX-License-Identifier: MIT
//
// What is settled, looked at in other ways.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/core/heads.h"
#include "agent/core/index.h"
#include "proto/path.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

enum { ITEMS_MAX = 400, COPIES_TWICE_MAX = 3 };

uint32_t items_standing(struct arena *arena, struct item *items, uint32_t count, struct vv floor)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = &items[i];
        uint32_t heads = 0;
        for (uint32_t h = 0; h < item->head_count; h++) {
            struct version head = item->heads[h];
            struct dots left = {.entries = arena_alloc(arena, head.dots.count, sizeof(struct dot))};
            for (uint32_t d = 0; d < head.dots.count; d++) {
                if (version_live(&head) || !vv_covers(floor, head.dots.entries[d]))
                    left.entries[left.count++] = head.dots.entries[d];
            }
            head.dots = left;
            if (left.count > 0) item->heads[heads++] = head;
        }
        item->head_count = heads;
        if (heads > 0) items[kept++] = *item;
    }
    return kept;
}

// ---- when all is settled

void quiet_idle(struct world *world)
{
    uint64_t before[DEVICES_MAX];
    // Lines that were cut are dialled again by and by, the dead ones when that is noticed: a wait
    // of 10 s on average may be twenty times that.
    world_settle(world, world->now_us + 240000000);
    for (uint32_t i = 0; i < world->o.devices; i++)
        before[i] = world->devices[i].messages;
    uint64_t steps = world->steps;
    world_settle(world, world->now_us + 120000000);
    for (uint32_t i = 0; i < world->o.devices; i++) {
        uint64_t sent = world->devices[i].messages - before[i];
        if (sent > 10 * (world->o.devices - 1))
            world_fail(world, "I6: %s sends %llu messages in two idle minutes",
                       world->devices[i].name, (unsigned long long)sent);
    }
    if (world->steps - steps > 400)
        world_fail(world, "I6: %llu events in two idle minutes",
                   (unsigned long long)(world->steps - steps));
}

// No more is put aside than there is room for, and each file that was kept of it has its row.
void quiet_base(struct world *world)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct device *device = &world->devices[i];
        const struct inode *base = vfs_find(&device->vfs, ".cfgsync/base");
        const struct inode *kept = vfs_find(&device->vfs, ".cfgsync/kept");
        struct arena *arena = arena_new();
        struct kept_row row;
        if (base != NULL && base->count * (uint64_t)BASE_BLOCK_BYTES > SIM_BASE_BYTES)
            world_fail(world, "%s has put %u contents aside", device->name, base->count);
        // An index of an older time knows nothing of files that are newer.
        // A power cut or a failed commit may leave a file behind whose row never was.
        bool sure = !world->restored && world->o.power_cut == 0 && world->o.index_error == 0;
        for (uint32_t k = 0; kept != NULL && sure && k < kept->count; k++) {
            const char *name = kept->entries[k].name;
            if (strncmp(name, "own-", 4) != 0) continue;
            if (!store_kept_by_file(device->store, arena, device->folder, slice_text(name), &row))
                world_fail(world, "%s has no row of %s", device->name, name);
        }
        arena_destroy(&arena);
    }
}

// A save that met a step becomes a conflict item once its path is in doubt no more: of one that is
// written all the time that takes a while, or where what was read of it is lost again.
bool displaced_settled(const struct device *device, char *why, size_t size)
{
    static const struct digest none;
    const struct inode *kept = vfs_find(&device->vfs, ".cfgsync/kept");
    struct arena *arena = arena_new();
    struct kept_row row;
    bool settled = true;
    for (uint32_t k = 0; kept != NULL && k < kept->count; k++) {
        const char *name = kept->entries[k].name;
        if (S_ISDIR(kept->entries[k].inode->mode)) continue;
        if (!store_kept_by_file(device->store, arena, device->folder, slice_text(name), &row))
            continue;
        enum kind kind = row.version.value.kind;
        bool leaf = kind == KIND_FILE || kind == KIND_SYMLINK;
        bool unread = digest_equal(row.version.value.content, none) ||
                      (kind == KIND_FILE && row.version.mtime_ns == 0);
        if (!leaf || !unread) continue;
        (void)snprintf(why, size, "%s: a save is only in kept: %s", device->name, name);
        settled = false;
    }
    arena_destroy(&arena);
    return settled;
}

// An audit finds nothing that messages alone did not bring.
void quiet_verify(struct world *world)
{
    for (uint32_t i = 0; i < world->o.devices && world->failure[0] == 0; i++) {
        device_verify(&world->devices[i]);
        world_settle(world, world->now_us + 21000000);
        if (world->devices[i].verify_exit != 0)
            world_fail(world, "%s: verify ends with %d", world->devices[i].name,
                       world->devices[i].verify_exit);
    }
}

// ---- copies

// A chmod of what has lost is another version, whose copy has another name.
static bool same_copy(const struct item *a, const struct item *b)
{
    if (a->head_count != 1 || b->head_count != 1) return false;
    const struct version *x = &a->heads[0], *y = &b->heads[0];
    return version_live(x) && x->origin.size > 0 && slice_equal(x->origin, y->origin) &&
           value_equal(&x->value, &y->value);
}

// A conflict item that a step has made, and that passes for somebody's file since.
static bool is_nobodys(const struct world *world, const struct item *item)
{
    const struct version *head = &item->heads[0];
    if (item->head_count != 1 || !version_live(head) || head->origin.size > 0) return false;
    for (size_t i = 0; i < world->saved_count; i++) {
        if (slice_equal(slice_text(world->saved[i].path), item->path)) return false;
    }
    return true;
}

// Two conflict items of one path with one content are a nuisance that rare mixtures can bring
// about; more of them say that devices do not agree on names.
void quiet_copies(struct world *world)
{
    const struct device *device = &world->devices[0];
    struct arena *arena = arena_new();
    struct item *items = arena_alloc(arena, ITEMS_MAX, sizeof *items);
    uint32_t count =
        store_items_after(device->store, arena, device->folder, slice_text(PATH_CONFLICTS),
                          slice_text(PATH_CONFLICTS), false, ITEMS_MAX, items);
    uint32_t twice = 0;
    for (uint32_t i = 0; i < count; i++) {
        // Where a disk fails, what was made of it cannot always be taken back.
        bool sure = !world->restored && world->o.disk_error == 0;
        if (is_nobodys(world, &items[i]) && sure)
            world_fail(world, "a conflict item of nothing: %.*s", SLICE_ARG(items[i].path));
        bool again = false;
        for (uint32_t k = 0; k < i && !again; k++)
            again = same_copy(&items[i], &items[k]);
        twice += again;
    }
    arena_destroy(&arena);
    if (twice > COPIES_TWICE_MAX && !world->restored)
        world_fail(world, "%u conflict items have content and mode of another of their path",
                   twice);
}

// ---- lines

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void lines_sort(struct buf *text)
{
    char *lines[ITEMS_MAX];
    uint32_t count = 0;
    char *rest = mem_strdup(buf_text(text));
    for (char *line = strtok(rest, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        CHECK(count < ITEMS_MAX);
        lines[count++] = line;
    }
    if (count > 0) qsort(lines, count, sizeof *lines, by_text);
    buf_clear(text);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(text, "%s\n", lines[i]);
    mem_free(&rest);
}
