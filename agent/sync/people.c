// SPDX-License-Identifier: MIT
//
// What a person may look at: conflicts and kept versions.
#include "agent/core/index.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

struct device_id version_author(struct folder *folder, const struct version *v)
{
    const struct index_port *index = INDEX(folder);
    struct owner owner = {0};
    (void)index->owner_get(index->self, folder->engine->scratch, folder->number, v->birth.inc,
                           &owner);
    return owner.device;
}

static const struct version *newest(const struct item *item)
{
    const struct version *out = &item->heads[0];
    for (uint32_t i = 1; i < item->head_count; i++) {
        if (item->heads[i].birth.wall_ms > out->birth.wall_ms) out = &item->heads[i];
    }
    return out;
}

static void conflict_fill(struct folder *folder, struct arena *arena, struct slice path,
                          struct conflict *out)
{
    struct item item, winner;
    const struct index_port *index = INDEX(folder);
    index->item_get(index->self, arena, folder->number, path, &item);
    const struct version *v = newest(&item);
    *out = (struct conflict){
        .folder = arena_copy(arena, slice_text(folder->name)),
        .path = v->origin.size > 0 ? v->origin : path,
        .item = path,
        .value = v->value,
        .by = version_author(folder, v),
        .when_ms = v->birth.wall_ms,
    };
    index->item_get(index->self, arena, folder->number, out->path, &winner);
    if (winner.head_count == 0 || !heads_live(&winner)) return;
    v = newest(&winner);
    out->live = true;
    out->winner = v->value;
    out->winner_by = version_author(folder, v);
    out->winner_when_ms = v->birth.wall_ms;
}

static bool asked_for(const struct folder *folder, const char *name)
{
    return !folder->gone &&
           (name == NULL || slice_equal(slice_text(folder->name), slice_text(name)));
}

uint32_t engine_conflicts(struct engine *engine, struct arena *arena, const char *name,
                          uint32_t max, struct conflict *out)
{
    uint32_t count = 0;
    arena_reset(engine->scratch);
    for (struct folder *f = engine->folders; f != NULL && count < max; f = f->next) {
        if (!asked_for(f, name)) continue;
        struct slice *paths = arena_alloc(arena, max, sizeof *paths);
        uint32_t found = INDEX(f)->live_paths_below(INDEX(f)->self, arena, f->number,
                                                    slice_text(PATH_CONFLICTS), max - count, paths);
        for (uint32_t i = 0; i < found; i++)
            conflict_fill(f, arena, paths[i], &out[count++]);
    }
    return count;
}

uint32_t engine_kept(struct engine *engine, struct arena *arena, const char *name,
                     struct slice path, uint64_t before, uint32_t max, struct kept_row *out)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_name(engine, slice_text(name));
    if (folder == NULL) return 0;
    return INDEX(folder)->kept_list(INDEX(folder)->self, arena, folder->number, path,
                                    before != 0 ? before : INT64_MAX, max, out);
}
