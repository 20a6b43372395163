// SPDX-License-Identifier: MIT
//
// What is held, as values for people.
#include <stdlib.h>
#include <string.h>

#include "agent/sync/brake_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

static const char *what_waits(enum unpublished kind)
{
    static const char *const texts[WAITS_COUNT] = {
        [NOT_WAITING] = "",      [WAITS_DELETED] = "deleted", [WAITS_REWRITTEN] = "rewritten",
        [WAITS_OLDER] = "older", [WAITS_AFTER] = "rewritten",
    };
    CHECK((unsigned)kind < WAITS_COUNT);
    return texts[kind];
}

static int plan_compare(const void *a, const void *b)
{
    const struct plan_path *left = a;
    const struct plan_path *right = b;
    return path_compare(left->path, right->path);
}

// The first `max` in order of their paths, without sorting all of them.
static void first_add(struct plan *out, uint32_t max, const struct plan_path *one)
{
    if (out->path_count < max) {
        out->paths[out->path_count++] = *one;
        if (out->path_count == max) qsort(out->paths, max, sizeof *out->paths, plan_compare);
        return;
    }
    if (path_compare(one->path, out->paths[max - 1].path) >= 0) return;
    uint32_t at = max - 1;
    for (; at > 0 && path_compare(one->path, out->paths[at - 1].path) < 0; at--)
        out->paths[at] = out->paths[at - 1];
    out->paths[at] = *one;
}

static void plan_here(struct folder *folder, uint32_t max, struct plan *out)
{
    const struct brake *b = folder->brake;
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(b->waiting, &at, &path, &value)) {
        enum unpublished kind = brake_waits_for(folder, path);
        if (!b->held[kind == WAITS_AFTER ? WAITS_DELETED : kind]) continue;
        first_add(out, max, &(struct plan_path){.path = path, .what = what_waits(kind)});
    }
    out->deleted = b->held[WAITS_DELETED] ? b->waits[WAITS_DELETED] : 0;
    out->rewritten = b->held[WAITS_REWRITTEN] ? b->waits[WAITS_REWRITTEN] : 0;
    out->older = b->held[WAITS_OLDER] ? b->waits[WAITS_OLDER] : 0;
}

static void plan_of_others(struct folder *folder, uint32_t max, struct plan *out)
{
    const struct brake *b = folder->brake;
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(b->incoming, &at, &path, &value)) {
        const struct incoming *in = value;
        struct owner owner = {0};
        if (!in->held) continue;
        if (out->path_count < max || path_compare(path, out->paths[max - 1].path) < 0)
            (void)INDEX(folder)->owner_get(INDEX(folder)->self, folder->engine->scratch,
                                           folder->number, in->dot.inc, &owner);
        first_add(out, max,
                  &(struct plan_path){.path = path,
                                      .what = in->kind == IN_DELETED ? "deleted" : "rewritten",
                                      .of_others = true,
                                      .by = owner.device});
    }
    out->in_deleted = b->in_held[IN_DELETED];
    out->in_rewritten = b->in_held[IN_REWRITTEN];
}

static void plan_peers(struct folder *folder, struct arena *arena, struct plan *out)
{
    uint32_t count = 0;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next)
        count++;
    out->peers = arena_alloc(arena, count + 1U, sizeof *out->peers);
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share == NULL) continue;
        struct plan_peer one = {.name = arena_copy(arena, slice_text(p->name)),
                                .of_others = share->holds[0].changes,
                                .unpublished = share->holds[1].changes,
                                .pending = share->pending,
                                .items = share->offered_count,
                                .bytes = share->offered_bytes};
        if (one.pending) compare_show(share, arena, &one.compared);
        if (one.of_others + one.unpublished > 0 || one.pending) out->peers[out->peer_count++] = one;
    }
}

bool engine_plan(struct engine *engine, struct arena *arena, const char *name, struct plan *out)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_name(engine, slice_text(name));
    *out = (struct plan){.brake = "", .in_brake = ""};
    if (folder == NULL) return false;
    out->brake = brake_text(folder);
    out->in_brake = brake_in_text(folder);
    out->items = folder->row.items;
    out->bytes = folder->row.bytes;
    out->paths = arena_alloc(arena, FIRST_NAMES, sizeof *out->paths);
    plan_here(folder, FIRST_NAMES, out);
    plan_of_others(folder, FIRST_NAMES, out);
    qsort(out->paths, out->path_count, sizeof *out->paths, plan_compare);
    for (uint32_t i = 0; i < out->path_count; i++)
        out->paths[i].path = arena_copy(arena, out->paths[i].path);
    plan_peers(folder, arena, out);
    return true;
}
