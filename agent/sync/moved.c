// SPDX-License-Identifier: MIT
//
// What is deleted at one place and appears at another has been moved. Each appearance answers for
// one deletion, so that two hundred empty files are not excused by one that is new.
#include <string.h>

#include "agent/sync/brake_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE = 256 };

struct moved {
    struct folder *folder;
    struct map *places; // content -> struct places
    struct arena *arena;
    bool more; // than were remembered, with seq above
    uint64_t seq;
};

struct places {
    uint64_t count;
    struct buf after; // the last one on this disk that was looked at
    bool ended;
};

static struct slice key_of(const struct value *value, uint8_t out[33])
{
    out[0] = (uint8_t)value->kind;
    memcpy(out + 1, value->content.bytes, sizeof value->content.bytes);
    return slice_of(out, 33);
}

static struct places *places_of(struct moved *moved, const struct value *value)
{
    uint8_t key[33];
    struct slice k = key_of(value, key);
    struct places *places = map_get(moved->places, k);
    if (places != NULL) return places;
    places = mem_zalloc(1, sizeof *places);
    (void)map_put(moved->places, k, places);
    return places;
}

static struct moved *moved_new(struct folder *folder)
{
    struct moved *moved = mem_zalloc(1, sizeof *moved);
    moved->folder = folder;
    moved->places = map_new();
    moved->arena = arena_new();
    return moved;
}

static void appears(struct moved *moved, const struct value *value)
{
    if (value_is_leaf(value)) places_of(moved, value)->count++;
}

struct moved *moved_here(struct folder *folder, uint64_t after)
{
    const struct index_port *index = INDEX(folder);
    struct moved *moved = moved_new(folder);
    for (uint32_t got = PAGE; got == PAGE;) {
        arena_reset(moved->arena);
        struct path_row *rows = arena_alloc(moved->arena, PAGE, sizeof *rows);
        got = index->dots_after(index->self, moved->arena, folder->number, folder->row.inc, after,
                                folder->row.counter, PAGE, rows);
        for (uint32_t i = 0; i < got; i++) {
            struct item item;
            after = rows[i].counter;
            index->item_get(index->self, moved->arena, folder->number, rows[i].path, &item);
            if (item.local.state == LOCAL_OK && !brake_has(folder, rows[i].path))
                appears(moved, &item.local.version.value);
        }
    }
    return moved;
}

// ---- of others

void moved_forget(struct folder *folder)
{
    struct map *appeared = folder->brake->appeared;
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(appeared, &at, &path, &value)) {
        struct appeared *a = value;
        if (folder->engine->now_ms - a->at_ms < WINDOW_MS) continue;
        (void)map_remove(appeared, path);
        mem_free(&a);
    }
}

// A change of others that takes nothing away.
void moved_note(struct folder *folder, const struct item *item)
{
    struct map *appeared = folder->brake->appeared;
    bool here = item_local_live(item);
    if (!item->need || here || item->head_count != 1 || !value_is_leaf(&item->heads[0].value))
        return;
    struct appeared *a = map_get(appeared, item->path);
    if (a == NULL) {
        if (map_count(appeared) >= APPEARED_MAX) return;
        a = mem_alloc(sizeof *a);
        (void)map_put(appeared, item->path, a);
    }
    const struct value *value = &item->heads[0].value;
    *a = (struct appeared){value->kind, value->content, folder->engine->now_ms};
}

static void needs_appear(struct moved *moved)
{
    struct folder *folder = moved->folder;
    const struct index_port *index = INDEX(folder);
    AUTO(buf_fini) struct buf after = {0};
    bool from_start = true;
    for (uint32_t got = PAGE; got == PAGE; from_start = false) {
        arena_reset(moved->arena);
        struct slice *paths = arena_alloc(moved->arena, PAGE, sizeof *paths);
        got = index->needs_after(index->self, moved->arena, folder->number, buf_slice(&after),
                                 from_start, PAGE, paths);
        for (uint32_t i = 0; i < got; i++) {
            struct item item;
            if (map_get(folder->brake->appeared, paths[i]) != NULL) continue;
            index->item_get(index->self, moved->arena, folder->number, paths[i], &item);
            bool here = item_local_live(&item);
            if (item.head_count == 1 && !here) appears(moved, &item.heads[0].value);
        }
        if (got == 0) break;
        buf_clear(&after);
        buf_append(&after, paths[got - 1].data, paths[got - 1].size);
    }
}

// What has come lately, and what is known to come.
struct moved *moved_in(struct folder *folder)
{
    struct moved *moved = moved_new(folder);
    size_t at = 0;
    struct slice path;
    void *value;
    struct slot window;
    moved_forget(folder);
    while (map_next(folder->brake->appeared, &at, &path, &value)) {
        const struct appeared *a = value;
        appears(moved, &(struct value){.kind = a->kind, .content = a->content});
    }
    needs_appear(moved);
    moved->more = map_count(folder->brake->appeared) >= APPEARED_MAX;
    brake_window(folder, &window);
    moved->seq = window.seq;
    return moved;
}

// There were too many to remember: those that are on this disk by now are looked for.
static bool take_here(struct moved *moved, struct places *places, const struct value *value)
{
    const struct folder *folder = moved->folder;
    const struct index_port *index = INDEX(folder);
    while (!places->ended) {
        struct item item;
        arena_reset(moved->arena);
        if (!index->local_by_content(index->self, moved->arena, folder->number, &value->content,
                                     buf_slice(&places->after), &item)) {
            places->ended = true;
            return false;
        }
        buf_clear(&places->after);
        buf_append(&places->after, item.path.data, item.path.size);
        bool counted = map_get(folder->brake->appeared, item.path) != NULL ||
                       map_get(folder->brake->incoming, item.path) != NULL;
        if (!counted && item.seq > moved->seq) return true;
    }
    return false;
}

bool moved_take(struct moved *moved, const struct value *value)
{
    if (!value_is_leaf(value)) return false;
    struct places *places = places_of(moved, value);
    if (places->count > 0) {
        places->count--;
        return true;
    }
    return moved->more && value->kind == KIND_FILE && take_here(moved, places, value);
}

void moved_destroy(struct moved **slot)
{
    struct moved *moved = *slot;
    if (moved == NULL) return;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(moved->places, &at, &key, &value)) {
        struct places *places = value;
        buf_fini(&places->after);
        mem_free(&places);
    }
    map_destroy(&moved->places);
    arena_destroy(&moved->arena);
    mem_free(slot);
}
