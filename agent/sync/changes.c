// SPDX-License-Identifier: MIT
//
// What changed last, as the index tells: of each item its last change and what came of it; of one
// item also what was kept of it.
#include "agent/sync/changes.h"

#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE = 128, LOOKED_MAX = 2048, ASIDE_MAX = 64, KEPT_LISTED_MAX = 512, MISSING_MAX = 16 };

struct gather {
    struct folder *folder;
    struct arena *arena;
    const struct change_filter *filter;
    struct change *out;
    uint32_t count, max;
};

static const char *what_of(const struct version *v)
{
    if (v->origin.size > 0) return v->value.kind == KIND_TOMB ? "settled" : "set-aside";
    if (v->value.kind == KIND_TOMB) return "deleted";
    return v->has_parent ? "changed" : "created";
}

// Peers whose disks do not show it, as far as they have said.
static void missing_fill(const struct gather *g, const struct item *item, struct change *out)
{
    out->missing = arena_alloc(g->arena, MISSING_MAX, sizeof *out->missing);
    for (const struct peer *p = g->folder->engine->peers; p != NULL; p = p->next) {
        if (!folder_shared_with(g->folder, p->device)) continue;
        struct vv a = bond_get(g->folder, p->device)->a.v;
        bool has = true;
        for (uint32_t i = 0; i < item->head_count; i++)
            has &= dots_covered(item->heads[i].dots, a);
        if (!has && out->missing_count < MISSING_MAX)
            out->missing[out->missing_count++] = arena_copy(g->arena, slice_text(p->name));
    }
}

static void outcome_fill(const struct gather *g, const struct item *item, struct change *out)
{
    const char *brake = brake_of(g->folder, item->path);
    if (out->kind != KIND_TOMB && item->heads[0].origin.size > 0) {
        out->outcome = "conflict";
    } else if (item->head_count > 1) {
        out->outcome = "unresolved";
    } else if (item->need && brake != NULL) {
        out->outcome = "held";
        out->reason = brake;
    } else if (item->blocked != BLOCKED_NONE) {
        out->outcome = "blocked";
        out->reason = blocked_text(item->blocked);
    } else if (item->need) {
        out->outcome = "pending";
    } else {
        out->outcome = "here";
        missing_fill(g, item, out);
    }
}

static bool version_fill(const struct gather *g, const struct version *v, struct change *out)
{
    struct engine *engine = g->folder->engine;
    struct owner owner = {0};
    bool known = INDEX(g->folder)->owner_get(INDEX(g->folder)->self, g->arena, g->folder->number,
                                             v->birth.inc, &owner);
    if (v->birth.wall_ms < g->filter->since_ms) return false;
    if (g->filter->has_by && (!known || !device_equal(owner.device, g->filter->by))) return false;
    const struct peer *peer = known ? peer_find(engine, owner.device) : NULL;
    *out = (struct change){.path = arena_copy(g->arena, v->origin.size > 0 ? v->origin : v->path),
                           .what = what_of(v),
                           .kind = v->value.kind,
                           .size = v->value.size,
                           .when_ms = v->birth.wall_ms};
    if (known && device_equal(owner.device, engine->o.device))
        out->by = slice_text(engine->name);
    else if (peer != NULL)
        out->by = arena_copy(g->arena, slice_text(peer->name));
    else
        out->by = owner.name;
    return true;
}

// Of several heads the latest is shown.
static void item_add(struct gather *g, struct slice path)
{
    struct item item;
    INDEX(g->folder)->item_get(INDEX(g->folder)->self, g->arena, g->folder->number, path, &item);
    const struct version *v = item.heads;
    for (uint32_t i = 1; i < item.head_count; i++)
        if (item.heads[i].birth.wall_ms > v->birth.wall_ms) v = &item.heads[i];
    if (item.head_count == 0 || g->count == g->max) return;
    struct slice shown = v->origin.size > 0 ? v->origin : item.path;
    if (!path_in_tree(shown, g->filter->path)) return;
    struct change *out = &g->out[g->count];
    if (!version_fill(g, v, out)) return;
    outcome_fill(g, &item, out);
    g->count++;
}

static void kept_add(struct gather *g, const struct kept_row *row)
{
    struct change *out = &g->out[g->count];
    if (row->version.value.kind == KIND_TOMB || g->count == g->max) return;
    if (!version_fill(g, &row->version, out)) return;
    out->outcome = "replaced";
    out->replaced_ms = row->when_ms;
    g->count++;
}

static void history(struct gather *g)
{
    const struct index_port *index = INDEX(g->folder);
    struct slice path = g->filter->path;
    struct slice *aside = arena_alloc(g->arena, ASIDE_MAX, sizeof *aside);
    struct kept_row *kept = arena_alloc(g->arena, KEPT_LISTED_MAX, sizeof *kept);
    item_add(g, path);
    uint32_t count =
        index->conflicts_of(index->self, g->arena, g->folder->number, path, ASIDE_MAX, aside);
    for (uint32_t i = 0; i < count; i++)
        item_add(g, aside[i]);
    count = index->kept_of(index->self, g->arena, g->folder->number, path, INT64_MAX,
                           KEPT_LISTED_MAX, kept);
    for (uint32_t i = 0; i < count; i++)
        kept_add(g, &kept[i]);
}

// Returns where to go on; 0: there is nothing older.
static uint64_t latest(struct gather *g)
{
    const struct index_port *index = INDEX(g->folder);
    uint64_t before = g->filter->before != 0 ? g->filter->before : INT64_MAX;
    struct path_row *rows = arena_alloc(g->arena, PAGE, sizeof *rows);
    for (uint32_t looked = 0; looked < LOOKED_MAX; looked += PAGE) {
        uint32_t got =
            index->seq_before(index->self, g->arena, g->folder->number, before, PAGE, rows);
        for (uint32_t i = 0; i < got; i++) {
            if (g->count == g->max) return before;
            item_add(g, rows[i].path);
            before = rows[i].counter;
        }
        if (got < PAGE) return 0;
    }
    return before;
}

// A directory that stands for what is in it has no history of its own.
static bool is_one_item(struct folder *folder, struct slice path)
{
    struct item item;
    if (path.size == 0) return false;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            &item);
    return item.head_count > 0 && item.heads[0].value.kind != KIND_DIR &&
           !INDEX(folder)->live_below(INDEX(folder)->self, folder->number, path);
}

uint32_t engine_changes(struct engine *engine, struct arena *arena,
                        const struct change_filter *filter, uint32_t max, struct change *out,
                        uint64_t *out_before)
{
    arena_reset(engine->scratch);
    *out_before = 0;
    struct folder *folder = folder_by_name(engine, slice_text(filter->folder));
    if (folder == NULL) return 0;
    struct gather g = {.folder = folder, .arena = arena, .filter = filter, .out = out, .max = max};
    if (is_one_item(folder, filter->path)) {
        history(&g);
    } else {
        *out_before = latest(&g);
    }
    return g.count;
}
