// SPDX-License-Identifier: MIT
//
// What stands above and below a path: walking the items there, whether some of them are on this
// disk, whether a step is under way, and what waits for it to be gone.
#include "agent/core/heads.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { BELOW_PAGE = 256 };

static bool is_below(const struct folder *folder, const struct item *item, enum below_what what)
{
    if (!item_local_live(item) || item->local.state == LOCAL_OBSOLETE) return false;
    if (mode_has_as(folder, item->path, KIND_TOMB)) return false;
    switch (what) {
    case BELOW_ANY: return true;
    case BELOW_FREE: return item->blocked == BLOCKED_NONE;
    case BELOW_UNMARKED: return map_get(folder->dirty, item->path) == NULL;
    }
    return true;
}

void item_walk_begin(struct item_walk *walk, struct folder *folder, struct slice path)
{
    *walk = (struct item_walk){.folder = folder, .arena = arena_new()};
    buf_append(&walk->path, path.data, path.size);
    buf_append(&walk->after, path.data, path.size);
}

static void page_read(struct item_walk *walk)
{
    const struct index_port *index = INDEX(walk->folder);
    bool first = walk->after.size == 0;
    arena_reset(walk->arena);
    walk->page = arena_alloc(walk->arena, BELOW_PAGE, sizeof *walk->page);
    walk->count =
        index->items_after(index->self, walk->arena, walk->folder->number, buf_slice(&walk->path),
                           buf_slice(&walk->after), first, BELOW_PAGE, walk->page);
    walk->at = 0;
    walk->ended = walk->count < BELOW_PAGE;
    if (walk->count == 0) return;
    struct slice last = walk->page[walk->count - 1].path;
    buf_clear(&walk->after);
    buf_append(&walk->after, last.data, last.size);
}

struct item *item_walk_next(struct item_walk *walk)
{
    if (walk->at == walk->count && !walk->ended) page_read(walk);
    return walk->at < walk->count ? &walk->page[walk->at++] : NULL;
}

void item_walk_end(struct item_walk *walk)
{
    arena_destroy(&walk->arena);
    buf_fini(&walk->path);
    buf_fini(&walk->after);
}

bool local_below(struct folder *folder, struct slice path, enum below_what what)
{
    if (!INDEX(folder)->local_below(INDEX(folder)->self, folder->number, path)) return false;
    AUTO(item_walk_end) struct item_walk walk;
    item_walk_begin(&walk, folder, path);
    for (const struct item *item; (item = item_walk_next(&walk)) != NULL;) {
        if (is_below(folder, item, what)) return true;
    }
    return false;
}

bool local_step_above(const struct folder *folder, struct slice path)
{
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        if (map_get(folder->busy, p) != NULL) return true;
    }
    return false;
}

// Also where the directory was only made on the way to it.
bool local_step_below(const struct folder *folder, struct slice path)
{
    size_t at = 0;
    struct slice below;
    void *mark;
    while (map_next(folder->busy, &at, &below, &mark)) {
        if (path_below(below, path)) return true;
    }
    return false;
}

// A directory that could not go may be empty now.
void local_gone_below(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    if (folder->row.blocked == 0 || path_parent(path).size == 0) return;
    index->item_get(index->self, folder->engine->scratch, folder->number, path_parent(path), &item);
    if (item.blocked != BLOCKED_NOT_EMPTY) return;
    item.blocked = BLOCKED_NONE;
    index->item_put(index->self, folder->number, &item, false);
    work_again(folder);
}
