// SPDX-License-Identifier: MIT
//
// Names that are one where case does not count. A disk that takes them for one has a file under one
// spelling only. Where a save over a name brings its own, watches tell of that one alone, whatever
// becomes of it: what the index has in other letters is looked at, too.
#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE = 64 };

// What is directly in a directory and here, whatever is below it.
struct children {
    struct folder *folder;
    struct slice dir;
    struct arena *arena; // of the page
    struct item *page;
    uint32_t count, at;
    struct buf cursor;
    bool ended;
};

static void page_read(struct children *c)
{
    const struct index_port *index = INDEX(c->folder);
    arena_reset(c->arena);
    c->page = arena_alloc(c->arena, PAGE, sizeof *c->page);
    c->count = index->items_after(index->self, c->arena, c->folder->number, c->dir,
                                  buf_slice(&c->cursor), false, PAGE, c->page);
    c->at = 0;
    c->ended = c->count < PAGE;
    if (c->count == 0) return;
    buf_clear(&c->cursor);
    buf_append(&c->cursor, c->page[c->count - 1].path.data, c->page[c->count - 1].path.size);
}

// Past all that is below a name: none begins with 0xff.
static void page_skip(struct children *c, struct slice name)
{
    buf_clear(&c->cursor);
    buf_append(&c->cursor, c->dir.data, c->dir.size);
    if (c->dir.size > 0) buf_append(&c->cursor, "/", 1);
    buf_append(&c->cursor, name.data, name.size);
    buf_append(&c->cursor, "/\xff", 2);
    c->count = c->at = 0;
    c->ended = false;
}

static const struct item *next_child(struct children *c)
{
    size_t start = c->dir.size > 0 ? c->dir.size + 1 : 0;
    for (;;) {
        if (c->at == c->count && !c->ended) page_read(c);
        if (c->at == c->count) return NULL;
        const struct item *item = &c->page[c->at++];
        const uint8_t *name = item->path.data + start;
        const uint8_t *slash = memchr(name, '/', item->path.size - start);
        if (slash != NULL)
            page_skip(c, slice_of(name, (size_t)(slash - name)));
        else if (item_local_live(item))
            return item;
    }
}

// The next item here whose name is one of these (folded -> path) in other letters.
static const struct item *next_other(struct children *c, const struct map *names)
{
    for (const struct item *item; (item = next_child(c)) != NULL;) {
        const struct slice *path = map_get(names, path_fold(c->arena, item->path));
        if (path != NULL && !slice_equal(*path, item->path)) return item;
    }
    return NULL;
}

static void children_begin(struct children *c, struct folder *folder, struct slice dir)
{
    *c = (struct children){.folder = folder, .dir = dir, .arena = arena_new()};
    if (dir.size > 0) buf_append(&c->cursor, dir.data, dir.size);
}

static void children_end(struct children *c)
{
    buf_fini(&c->cursor);
    arena_destroy(&c->arena);
}

struct slice spelled_otherwise(struct folder *folder, struct arena *arena, struct slice path)
{
    struct children children;
    AUTO(map_destroy) struct map *names = map_new();
    (void)map_put(names, path_fold(arena, path), &path);
    children_begin(&children, folder, path_parent(path));
    const struct item *other = next_other(&children, names);
    struct slice found = other != NULL ? arena_copy(arena, other->path) : (struct slice){0};
    children_end(&children);
    return found;
}

static void found_in(struct folder *folder, struct slice dir, struct slice *paths, uint32_t count)
{
    struct children children;
    AUTO(map_destroy) struct map *names = map_new();
    for (uint32_t i = 0; i < count; i++) {
        if (slice_equal(path_parent(paths[i]), dir))
            (void)map_put(names, path_fold(folder->engine->scratch, paths[i]), &paths[i]);
    }
    children_begin(&children, folder, dir);
    for (const struct item *item; (item = next_other(&children, names)) != NULL;) {
        dirty_mark(folder, item->path, 0, false);
        dirty_gone_expected(folder, item->path);
    }
    children_end(&children);
}

void spelled_found(struct folder *folder, struct slice *paths, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice dir = path_parent(paths[i]);
        bool is_done = false;
        for (uint32_t k = 0; k < i && !is_done; k++)
            is_done = slice_equal(path_parent(paths[k]), dir);
        if (!is_done) found_in(folder, dir, paths, count);
    }
}
