// SPDX-License-Identifier: MIT
//
// From a decision to what has to come about.
#include <stdlib.h>
#include <string.h>

#include "agent/sync/decide_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { CONFLICTS_PER_PATH = 256, KEPT_PAGE = 256, TREE_PAGE = 4096, TREE_LOOKED_AT = 1 << 20 };

static void target_set(struct decide *decide, struct target *t, const struct version *version)
{
    t->value = version->value;
    t->value.target = arena_copy(decide->arena, version->value.target);
    t->mtime_ns = version->mtime_ns;
}

struct target *target_add(struct decide *decide, struct slice path, const struct version *version)
{
    if (decide->count == decide->capacity) {
        uint32_t grown = decide->capacity == 0 ? 8 : 2 * decide->capacity;
        struct target *fresh = arena_alloc(decide->arena, grown, sizeof *fresh);
        if (decide->count > 0) memcpy(fresh, decide->targets, decide->count * sizeof *fresh);
        decide->targets = fresh;
        decide->capacity = grown;
    }
    struct target *t = &decide->targets[decide->count++];
    *t = (struct target){.path = arena_copy(decide->arena, path)};
    target_set(decide, t, version);
    return t;
}

static struct target *target_gone(struct decide *decide, struct slice path)
{
    const struct version nothing = {.value = {.kind = KIND_TOMB}};
    return target_add(decide, path, &nothing);
}

// ---- conflicts

static uint32_t conflict_items(struct folder *folder, struct slice path, struct item **out)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct slice *paths = arena_alloc(arena, CONFLICTS_PER_PATH, sizeof *paths);
    uint32_t found =
        index->conflicts_of(index->self, arena, folder->number, path, CONFLICTS_PER_PATH, paths);
    struct item *items = arena_alloc(arena, found + 1U, sizeof *items);
    for (uint32_t i = 0; i < found; i++)
        index->item_get(index->self, arena, folder->number, paths[i], &items[i]);
    *out = items;
    return found;
}

// The one that is meant, of the device if one is named. NULL: *out_what says why.
static const struct item *conflict_choose(struct folder *folder, const struct decision *decision,
                                          const struct item *items, uint32_t count,
                                          const char **out_what)
{
    const struct item *chosen = NULL;
    for (uint32_t i = 0; i < count; i++) {
        bool theirs = items[i].head_count == 1 &&
                      device_equal(version_author(folder, &items[i].heads[0]), decision->from);
        if (decision->has_from && !theirs) continue;
        if (chosen != NULL) {
            *out_what = decision->has_from ? "that device has several edits of it set aside: take "
                                             "one with resolve PATH --with FILE"
                                           : "several edits of it are set aside: say which with "
                                             "--from DEVICE";
            return NULL;
        }
        chosen = &items[i];
    }
    if (chosen == NULL)
        *out_what = "no edit of that device is set aside for it";
    else if (chosen->head_count != 1)
        *out_what = "what is set aside for it is itself being decided: try again";
    return *out_what == NULL ? chosen : NULL;
}

static const char *make_conflict(struct folder *folder, const struct decision *decision,
                                 struct decide *decide)
{
    struct item *items;
    const char *what = NULL;
    uint32_t count = conflict_items(folder, decision->path, &items);
    if (count == 0) return "there is no conflict over it";
    if (decision->kind == DECIDE_TAKE) {
        const struct item *chosen = conflict_choose(folder, decision, items, count, &what);
        if (chosen == NULL) return what;
        (void)target_add(decide, decision->path, &chosen->heads[0]);
        decide->first_counts = true;
    } else if (decision->kind == DECIDE_WITH && decision->file.size > 0) {
        const struct version unknown = {.value = {.kind = KIND_FILE, .mode = 0644}};
        (void)target_add(decide, decision->path, &unknown);
        decide->file = arena_copy(decide->arena, decision->file);
        decide->file_wanted = true;
        decide->first_counts = true;
    }
    for (uint32_t i = 0; i < count; i++)
        target_gone(decide, items[i].path)->known = true;
    return NULL;
}

// ---- kept versions

// Newest first: the row to be restored of this path. *out_what stays NULL if there is one.
static const char *kept_choose(struct folder *folder, const struct decision *decision,
                               struct kept_row *out)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct kept_row *rows = arena_alloc(arena, KEPT_PAGE, sizeof *rows);
    uint64_t before = INT64_MAX;
    bool found = false;
    for (uint32_t got = KEPT_PAGE; got == KEPT_PAGE; before = rows[got - 1].number) {
        got = index->kept_of(index->self, arena, folder->number, decision->path, before, KEPT_PAGE,
                             rows);
        for (uint32_t i = 0; i < got; i++) {
            // What was taken away after that moment was there at it, the earliest of those.
            if (decision->at_ms != 0 && rows[i].when_ms <= decision->at_ms)
                return found ? NULL : "what is there was there at that time already";
            found = true;
            *out = rows[i];
            if (decision->at_ms == 0) return NULL;
        }
        if (got == 0) break;
    }
    return found ? NULL : "no version of it is kept";
}

static bool is_live(struct folder *folder, struct slice path)
{
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            &item);
    return item_local_live(&item);
}

static bool has_target(struct map *seen, struct slice path)
{
    if (map_get(seen, path) != NULL) return true;
    map_add(seen, path);
    return false;
}

// A directory comes back as what was kept of it last and is not there.
static const char *make_tree(struct folder *folder, const struct decision *decision,
                             struct decide *decide)
{
    const struct index_port *index = INDEX(folder);
    AUTO(map_destroy) struct map *seen = map_new();
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint64_t before = INT64_MAX;
    uint32_t looked = 0, got = TREE_PAGE;
    struct kept_row *rows = arena_alloc(folder->engine->scratch, TREE_PAGE, sizeof *rows);
    while (got == TREE_PAGE && looked < TREE_LOOKED_AT) {
        arena_reset(arena);
        got = index->kept_list(index->self, arena, folder->number, decision->path, before,
                               TREE_PAGE, rows);
        for (uint32_t i = 0; i < got; i++) {
            before = rows[i].number;
            struct slice path = rows[i].version.path;
            if (has_target(seen, path) || is_live(folder, path)) continue;
            (void)target_add(decide, path, &rows[i].version);
        }
        looked += got;
    }
    if (got == TREE_PAGE) decide->result.left_alone++; // there is more
    return decide->count > 0 ? NULL : "nothing is kept of it that is not there";
}

static const char *make_restore(struct folder *folder, const struct decision *decision,
                                struct decide *decide)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct kept_row row;
    if (decision->kept != 0) {
        bool there = index->kept_get(index->self, arena, folder->number, decision->kept, &row);
        if (!there || row.file.size == 0) return "no kept version has that number";
        if (!path_in_tree(row.version.path, decision->path))
            return "the kept version of that number is of another path";
    } else {
        const char *what = kept_choose(folder, decision, &row);
        if (what != NULL && decision->at_ms == 0 && make_tree(folder, decision, decide) == NULL)
            return NULL;
        if (what != NULL) return what;
    }
    (void)target_add(decide, row.version.path, &row.version);
    return NULL;
}

// ---- undo

static int rank(const struct target *t)
{
    return t->value.kind == KIND_TOMB ? 0 : t->value.kind == KIND_DIR ? 1 : 2;
}

// What is to go first, the deepest first; then directories, then what is in them.
static int target_compare(const void *a, const void *b)
{
    const struct target *left = a;
    const struct target *right = b;
    int by_rank = rank(left) - rank(right);
    if (by_rank != 0) return by_rank;
    int by_path = path_compare(left->path, right->path);
    return rank(left) == 0 ? -by_path : by_path;
}

// What stands below a path last, its oldest row, is what was there before.
static const char *make_undo(struct folder *folder, uint64_t batch, struct decide *decide)
{
    const struct index_port *index = INDEX(folder);
    AUTO(map_destroy) struct map *seen = map_new();
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint64_t before = INT64_MAX;
    struct kept_row *rows = arena_alloc(folder->engine->scratch, KEPT_PAGE, sizeof *rows);
    for (uint32_t got = KEPT_PAGE; batch != 0 && got == KEPT_PAGE;) {
        arena_reset(arena);
        got = index->kept_batch(index->self, arena, folder->number, batch, before, KEPT_PAGE, rows);
        for (uint32_t i = 0; i < got; i++) {
            const struct version *was = &rows[i].version;
            before = rows[i].number;
            uintptr_t known = (uintptr_t)map_get(seen, was->path);
            if (known > 0) {
                target_set(decide, &decide->targets[known - 1], was);
                continue;
            }
            struct target *t = target_add(decide, was->path, was);
            t->only_if = true;
            t->after = rows[i].after;
            (void)map_put(seen, was->path, (void *)(uintptr_t)decide->count);
        }
    }
    if (decide->count == 0) return "no change of another device has been applied here";
    qsort(decide->targets, decide->count, sizeof *decide->targets, target_compare);
    return NULL;
}

// Those that were here before were found by the first scan.
static void conflicts_gone(struct folder *folder, struct decide *decide)
{
    AUTO(item_walk_end) struct item_walk walk;
    item_walk_begin(&walk, folder, slice_text(PATH_CONFLICTS));
    for (const struct item *item; (item = item_walk_next(&walk)) != NULL;) {
        bool is_first = (item->local.version.flags & VERSION_FIRST) != 0;
        if (item_local_live(item) && path_is_conflict_item(item->path) && !is_first)
            (void)target_gone(decide, item->path);
    }
}

void decide_make_leave(struct folder *folder, struct decide *decide)
{
    (void)make_undo(folder, JOIN_BATCH, decide);
    conflicts_gone(folder, decide);
    if (decide->count > 0)
        qsort(decide->targets, decide->count, sizeof *decide->targets, target_compare);
}

const char *decide_make(struct folder *folder, const struct decision *decision,
                        struct decide *decide)
{
    switch (decision->kind) {
    case DECIDE_TAKE:
    case DECIDE_WITH:
    case DECIDE_DISMISS: return make_conflict(folder, decision, decide);
    case DECIDE_RESTORE: return make_restore(folder, decision, decide);
    case DECIDE_UNDO:
        return make_undo(
            folder, INDEX(folder)->kept_batch_last(INDEX(folder)->self, folder->number), decide);
    case DECIDE_APPROVE:
    case DECIDE_REVERT:
    case DECIDE_OVERRIDE:
    case DECIDE_RESET: break; // brake_decide.c, mode_decide.c
    }
    return "unknown";
}
