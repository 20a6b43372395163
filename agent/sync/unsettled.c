// SPDX-License-Identifier: MIT
//
// What nobody could look at before its time was over: after a crash, in doubt, or at first what is
// on the disk means something else than later. For these paths, and for what is in directories that
// could not be read, it goes on meaning that until a look or a walk has been there.
#include "agent/sync/engine_priv.h"

enum { TREE = 8, PATHS_MAX = 65536, RECORD_BYTES_MAX = 1 << 18 }; // TREE: also what is below

static unsigned bits_of(const struct folder *folder, struct slice path)
{
    return (unsigned)(uintptr_t)map_get(folder->unsettled, path);
}

static void add(struct folder *folder, struct slice path, unsigned bits)
{
    unsigned had = bits_of(folder, path);
    if (bits == 0) return;
    if (had == 0 && map_count(folder->unsettled) >= PATHS_MAX) {
        folder->unsettled_more = true;
    } else if ((had | bits) != had) {
        (void)map_put(folder->unsettled, path, (void *)(uintptr_t)(had | bits));
        folder->unsettled_unsaved = true;
    }
}

static void forget(struct folder *folder, struct slice path)
{
    folder->unsettled_unsaved |= map_remove(folder->unsettled, path) != NULL;
}

// ---- in the index: of each its bits and its path; of very many only some, since all is written
// again with each change

void unsettled_write(struct folder *folder)
{
    AUTO(buf_fini) struct buf record = {0};
    size_t at = 0;
    struct slice path;
    void *value;
    if (!folder->unsettled_unsaved) return;
    while (record.size < RECORD_BYTES_MAX && map_next(folder->unsettled, &at, &path, &value)) {
        const uint8_t bits = (uint8_t)(uintptr_t)value;
        record_add(&record, slice_of(&bits, 1), path);
    }
    record_put(folder, "unsettled", buf_slice(&record));
}

void unsettled_written(struct folder *folder)
{
    folder->unsettled_unsaved = false;
}

void unsettled_load(struct folder *folder)
{
    struct slice rest, bits, path;
    if (!record_get(folder, "unsettled", &rest)) return;
    while (record_next(&rest, 1, &bits, &path))
        add(folder, path, bits.data[0]);
    folder->unsettled_unsaved = false;
}

// ---- what it means

// What a path that is found now means besides an edit.
static unsigned meaning(const struct folder *folder)
{
    unsigned bits = folder->after_crash ? UNSETTLED_CRASH : 0;
    if (folder->row.doubt) bits |= UNSETTLED_DOUBT;
    if (folder->row.first && !folder->row.scanned) bits |= UNSETTLED_FIRST;
    return bits;
}

static unsigned bits_there(const struct folder *folder, struct slice path)
{
    unsigned bits = bits_of(folder, path) & ~(unsigned)TREE;
    for (struct slice p = path; p.size > 0;) {
        p = path_parent(p);
        unsigned above = bits_of(folder, p);
        if (above & TREE) bits |= above & ~(unsigned)TREE;
    }
    return bits;
}

void unsettled_unread(struct folder *folder, struct slice path)
{
    unsigned bits = meaning(folder);
    if (map_count(folder->unsettled) > 0) bits |= bits_there(folder, path);
    add(folder, path, bits);
}

bool unsettled_note(struct folder *folder, enum unsettled what)
{
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->dirty, &at, &path, &value))
        add(folder, path, (unsigned)what);
    for (const struct tree_want *tree = folder->trees; tree != NULL; tree = tree->next)
        add(folder, buf_slice(&tree->prefix), (unsigned)what | TREE);
    if (folder->scan.active && !folder->scan.whole)
        add(folder, buf_slice(&folder->scan.prefix), (unsigned)what | TREE);
    bool all = !folder->unsettled_more;
    folder->unsettled_more = false;
    return all;
}

bool is_unsettled(const struct folder *folder, struct slice path, enum unsettled what)
{
    return map_count(folder->unsettled) > 0 && (bits_there(folder, path) & (unsigned)what) != 0;
}

void unsettled_looked(struct folder *folder, struct slice path)
{
    if (map_count(folder->unsettled) > 0 && !(bits_of(folder, path) & TREE)) forget(folder, path);
}

// Of a tree that was walked it is still true of what could not be read, and of what is to be looked
// at.
static void hand_down(struct folder *folder, struct slice tree, unsigned bits)
{
    const struct scan *scan = &folder->scan;
    size_t at = 0;
    struct slice path;
    void *value;
    for (size_t i = 0; i < scan->unread_count; i++) {
        if (path_in_tree(scan->unread[i], tree)) add(folder, scan->unread[i], bits);
    }
    while (map_next(folder->dirty, &at, &path, &value)) {
        if (path_below(path, tree)) add(folder, path, bits & ~(unsigned)TREE);
    }
}

static void walked_before(struct folder *folder, struct slice prefix)
{
    size_t at = 0, count = map_count(folder->unsettled);
    struct slice path;
    void *value;
    struct arena *arena = folder->engine->scratch;
    struct slice *over = arena_alloc(arena, count + 1, sizeof *over);
    for (count = 0; map_next(folder->unsettled, &at, &path, &value);) {
        bool tree = (unsigned)(uintptr_t)value & TREE;
        bool open = map_get(folder->dirty, path) != NULL || map_get(folder->problems, path) != NULL;
        bool walked = path_in_tree(path, prefix) && !scan_could_not_read(&folder->scan, path);
        if (walked && (tree || !open)) over[count++] = arena_copy(arena, path);
    }
    for (size_t i = 0; i < count; i++) {
        unsigned bits = bits_of(folder, over[i]);
        forget(folder, over[i]);
        if (bits & TREE) hand_down(folder, over[i], bits);
    }
}

void unsettled_walked(struct folder *folder)
{
    const struct scan *scan = &folder->scan;
    unsigned bits = meaning(folder);
    if (map_count(folder->unsettled) > 0) walked_before(folder, buf_slice(&scan->prefix));
    for (size_t i = 0; i < scan->unread_count && bits != 0; i++)
        add(folder, scan->unread[i], bits | TREE);
}
