// SPDX-License-Identifier: MIT
//
// What a walk found and nobody could look at before its time was over: after a crash, in doubt, or
// at first what is on the disk means something else than later. For these paths, and what is in
// directories that could not be read, it goes on meaning that until a look says what is there.
#include "agent/sync/engine_priv.h"

enum { TREE = 8, PATHS_MAX = 16384 }; // TREE: also what is below

static unsigned bits_of(const struct folder *folder, struct slice path)
{
    return (unsigned)(uintptr_t)map_get(folder->unsettled, path);
}

static void add(struct folder *folder, struct slice path, unsigned bits)
{
    unsigned had = bits_of(folder, path);
    if (had == 0 && map_count(folder->unsettled) >= PATHS_MAX) return;
    (void)map_put(folder->unsettled, path, (void *)(uintptr_t)(had | bits));
}

void unsettled_add_tree(struct folder *folder, struct slice path, enum unsettled what)
{
    add(folder, path, (unsigned)what | TREE);
}

void unsettled_note(struct folder *folder, enum unsettled what)
{
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->dirty, &at, &path, &value))
        add(folder, path, (unsigned)what);
    problems_unsettled(folder, what);
    for (const struct tree_want *tree = folder->trees; tree != NULL; tree = tree->next)
        unsettled_add_tree(folder, buf_slice(&tree->prefix), what);
    if (folder->scan.active && !folder->scan.whole)
        unsettled_add_tree(folder, buf_slice(&folder->scan.prefix), what);
}

bool is_unsettled(const struct folder *folder, struct slice path, enum unsettled what)
{
    if (map_count(folder->unsettled) == 0) return false;
    if (bits_of(folder, path) & (unsigned)what) return true;
    for (struct slice p = path; p.size > 0;) {
        p = path_parent(p);
        unsigned bits = bits_of(folder, p);
        if ((bits & TREE) && (bits & (unsigned)what)) return true;
    }
    return false;
}

void unsettled_looked(struct folder *folder, struct slice path, bool is_dir)
{
    if (map_count(folder->unsettled) == 0) return;
    if (!is_dir || !(bits_of(folder, path) & TREE)) (void)map_remove(folder->unsettled, path);
}

// What is dirty below a tree that was walked is known by its own path from now on.
static void keep_below(struct folder *folder, struct slice prefix, unsigned bits)
{
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->dirty, &at, &path, &value)) {
        if (path_below(path, prefix)) add(folder, path, bits & ~(unsigned)TREE);
    }
}

void unsettled_walked(struct folder *folder, struct slice prefix)
{
    size_t at = 0, count = map_count(folder->unsettled);
    struct slice path;
    void *value;
    if (count == 0) return;
    struct arena *arena = folder->engine->scratch;
    struct slice *over = arena_alloc(arena, count, sizeof *over);
    for (count = 0; map_next(folder->unsettled, &at, &path, &value);) {
        bool within = path_below(path, prefix) || slice_equal(path, prefix);
        bool open = map_get(folder->dirty, path) != NULL || map_get(folder->problems, path) != NULL;
        if (within && !open) over[count++] = arena_copy(arena, path);
    }
    for (size_t i = 0; i < count; i++) {
        unsigned bits = bits_of(folder, over[i]);
        (void)map_remove(folder->unsettled, over[i]);
        if (bits & TREE) keep_below(folder, over[i], bits);
    }
}
