// SPDX-License-Identifier: MIT
//
// The brake where a look at the disk has found a change: whether it is published at once, or waits
// for the rest of what it may be part of.
#include <string.h>

#include "agent/sync/brake_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

static bool braked(const struct folder *folder, struct slice path)
{
    return !folder->brake->limits.off && folder->row.scanned && !path_is_conflict_item(path) &&
           folder->mode != MODE_RECEIVE_ONLY; // nothing is published
}

bool brake_look_begin(struct folder *folder, struct slice path)
{
    struct brake *b = folder->brake;
    b->pass = map_remove(b->admitted, path) != NULL;
    if (b->pass) map_add(b->passing, path);
    return brake_leave(folder, path) != NOT_WAITING;
}

void brake_look_end(struct folder *folder, struct slice path, enum look_verdict verdict)
{
    struct brake *b = folder->brake;
    if (b->pass && verdict == LOOK_AGAIN_LATER) map_add(b->admitted, path);
    b->pass = false;
}

static bool passes(struct folder *folder)
{
    struct brake *b = folder->brake;
    if (!b->pass) return false;
    b->approved_minted = b->approve_from > 0;
    return true;
}

// What it finds may be a backup that was put over the folder.
static bool scan_restores(const struct folder *folder)
{
    return folder->scan.active && !folder->scan.watched;
}

// So much of what a scan has found is older than what was there that a backup may have been put
// over it: what else it finds waits to be judged with that.
static bool many_older(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    uint64_t found = b->waits[WAITS_OLDER];
    if (b->scan_older > found) found = b->scan_older;
    return scan_restores(folder) && found >= b->limits.restored;
}

// `count` more deletions, besides those that were announced and not looked at yet.
static bool few_deleted(struct folder *folder, uint64_t count)
{
    const struct brake *b = folder->brake;
    struct slot window;
    brake_window(folder, &window);
    uint64_t live = brake_live(folder);
    uint64_t coming = b->waits[WAITS_DELETED] + folder->gone_expected + count;
    uint64_t most = live > window.live ? live : window.live;
    if (b->held[WAITS_DELETED] || many_older(folder)) return false;
    if (coming >= live && most >= 2) return false;
    return window.deleted + coming <= b->limits.deleted;
}

bool brake_gone(struct folder *folder, const struct item *item)
{
    dirty_gone_found(folder, item->path);
    if (!braked(folder, item->path) || passes(folder)) return false;
    if (!few_deleted(folder, 1)) {
        brake_join(folder, item->path, WAITS_DELETED);
        return true;
    }
    brake_note(folder, 1, 0, brake_live(folder));
    return false;
}

// It was rewritten in this window already, and counted.
static bool counted_before(const struct item *item, const struct slot *window, uint64_t inc)
{
    const struct version *v = &item->local.version;
    for (uint32_t i = 0; i < v->dots.count && v->has_parent; i++) {
        if (v->dots.entries[i].inc == inc && v->dots.entries[i].counter > window->counter)
            return true;
    }
    return false;
}

// What the disk shows, for revert: the index says what was there before.
static void found_note(struct folder *folder, const struct look *look)
{
    struct found *found = mem_zalloc(1, sizeof *found);
    found->value = look->value;
    found->print = look->print;
    found->racy = look->racy;
    buf_append(&found->target, look->value.target.data, look->value.target.size);
    found->value.target = buf_slice(&found->target);
    (void)map_put(folder->brake->found, look->path, found);
}

static bool few_rewritten(struct folder *folder, const struct slot *window)
{
    const struct brake *b = folder->brake;
    uint64_t count = window->rewritten + b->waits[WAITS_REWRITTEN] + 1;
    if (b->held[WAITS_REWRITTEN] || many_older(folder)) return false;
    // Half way to the limit what comes next waits, so that the count is of the whole act.
    return !brake_over(count, b->limits.rewritten, b->limits.rewritten_percent / 2,
                       brake_live(folder));
}

// Its time went back, or a copy brought a content that was here before. While the agent watches,
// the second is what somebody does on purpose.
static bool is_older(struct folder *folder, const struct local *local, const struct look *look)
{
    if (!scan_restores(folder)) return false;
    if (look->print.mtime_ns < local->print.mtime_ns) return true;
    return folder->scan.whole && kept_has(folder, look->path, &look->value);
}

bool brake_changed(struct folder *folder, const struct item *item, const struct look *look)
{
    const struct local *local = &item->local;
    struct slot window;
    bool live = local->state != LOCAL_NONE && value_is_leaf(&local->version.value);
    if (!live || !value_is_leaf(&look->value) ||
        value_same_content(&local->version.value, &look->value))
        return false;
    if (!braked(folder, item->path) || passes(folder)) return false;
    brake_window(folder, &window);
    bool older = is_older(folder, local, look);
    if (!older && counted_before(item, &window, folder->row.inc)) return false;
    if (older || !few_rewritten(folder, &window)) {
        brake_join(folder, item->path, older ? WAITS_OLDER : WAITS_REWRITTEN);
        found_note(folder, look);
        return true;
    }
    brake_note(folder, 0, 1, 0);
    return false;
}

// ---- directories

struct below {
    struct slice *paths;
    uint64_t count, capacity;
};

static bool live_here(const struct item *item)
{
    return item->local.state == LOCAL_OK && version_live(&item->local.version);
}

static void below_add(struct arena *arena, struct below *below, struct slice path)
{
    if (below->count == below->capacity) {
        uint64_t grown = below->capacity == 0 ? 64 : 2 * below->capacity;
        struct slice *fresh = arena_alloc(arena, grown, sizeof *fresh);
        if (below->count > 0) memcpy(fresh, below->paths, below->count * sizeof *fresh);
        below->paths = fresh;
        below->capacity = grown;
    }
    below->paths[below->count++] = arena_copy(arena, path);
}

static void below_read(struct folder *folder, struct arena *arena, struct slice path,
                       struct below *out)
{
    AUTO(item_walk_end) struct item_walk walk;
    *out = (struct below){0};
    item_walk_begin(&walk, folder, path);
    for (const struct item *item; (item = item_walk_next(&walk)) != NULL;) {
        if (live_here(item)) below_add(arena, out, item->path);
    }
}

// A path that is no directory any more: what was below it is gone, and if that must wait, so must
// the path.
bool brake_below(struct folder *folder, const struct look *look)
{
    struct slice path = look->path;
    struct below below;
    if (!braked(folder, path) || folder->brake->pass) return false;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    below_read(folder, arena, path, &below);
    if (few_deleted(folder, below.count)) {
        brake_note(folder, below.count, 0, brake_live(folder));
        return false;
    }
    for (uint64_t i = below.count; i-- > 0;) {
        dirty_mark(folder, below.paths[i], 0, false);
        dirty_gone_expected(folder, below.paths[i]);
    }
    brake_join(folder, path, WAITS_AFTER);
    found_note(folder, look);
    return true;
}

// A directory goes with what waits in it.
bool brake_gone_with(struct folder *folder, struct slice path)
{
    if (folder->brake->waits[WAITS_DELETED] == 0) return false;
    AUTO(item_walk_end) struct item_walk walk;
    item_walk_begin(&walk, folder, path);
    for (const struct item *item; (item = item_walk_next(&walk)) != NULL;) {
        if (brake_waits_for(folder, item->path) != WAITS_DELETED) continue;
        dirty_gone_found(folder, path);
        brake_join(folder, path, WAITS_DELETED);
        return true;
    }
    return false;
}

// ---- scans

void brake_scan_begin(struct folder *folder)
{
    folder->brake->scan_older = 0;
    folder->brake->scan_counter = folder->row.counter;
}

void brake_scan_present(struct folder *folder, const struct item *item,
                        const struct scan_entry *entry)
{
    const struct local *local = &item->local;
    bool files = local->state == LOCAL_OK && local->version.value.kind == KIND_FILE &&
                 entry->print.kind == KIND_FILE;
    if (files && entry->print.mtime_ns < local->print.mtime_ns) folder->brake->scan_older++;
    if (brake_has(folder, entry->path) || mode_has(folder, entry->path))
        dirty_mark(folder, entry->path, 0, true);
}
