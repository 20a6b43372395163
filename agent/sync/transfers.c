// SPDX-License-Identifier: MIT
//
// What is wanted and not here yet: the transfers of a folder, and those nobody was asked for yet,
// in order. fetch.c gets them.
#include <string.h>

#include "agent/sync/fetch_priv.h"

enum { PATHS_MAX = 64 };

static struct transfer_list *new_list(struct folder *folder, const struct transfer *t)
{
    return t->large ? &folder->large_new : &folder->small_new;
}

void transfer_list_new(struct folder *folder, struct transfer *t)
{
    struct transfer_list *list = new_list(folder, t);
    t->state = TRANSFER_NEW;
    if (t->listed) return;
    t->listed = true;
    t->next = NULL;
    t->prev = list->last;
    if (list->last != NULL)
        list->last->next = t;
    else
        list->first = t;
    list->last = t;
}

void transfer_unlist(struct folder *folder, struct transfer *t)
{
    struct transfer_list *list = new_list(folder, t);
    if (!t->listed) return;
    t->listed = false;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        list->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    else
        list->last = t->prev;
    t->prev = t->next = NULL;
}

struct transfer *transfer_find(struct folder *folder, const struct content *content)
{
    uint8_t key[40];
    return map_get(folder->transfers, content_key(content, key));
}

uint32_t leaf_size(const struct transfer *t, uint32_t leaf)
{
    uint64_t left = t->content.size - (uint64_t)leaf * PROTO_LEAF_BYTES;
    return left < PROTO_LEAF_BYTES ? (uint32_t)left : PROTO_LEAF_BYTES;
}

static void transfer_add_path(struct transfer *t, struct slice path)
{
    for (uint32_t i = 0; i < t->path_count; i++) {
        if (slice_equal(t->paths[i], path)) return;
    }
    if (t->path_count == PATHS_MAX) {
        t->more_paths = true;
        return;
    }
    if (t->path_count == t->path_capacity) {
        uint32_t grown = t->path_capacity == 0 ? 2 : 2 * t->path_capacity;
        struct slice *fresh = arena_alloc(t->arena, grown, sizeof *fresh);
        if (t->path_count > 0) memcpy(fresh, t->paths, t->path_count * sizeof *fresh);
        t->paths = fresh;
        t->path_capacity = grown;
    }
    t->paths[t->path_count++] = arena_copy(t->arena, path);
}

void content_want(struct folder *folder, const struct content *content, struct slice path)
{
    uint8_t key[40];
    struct transfer *t = transfer_find(folder, content);
    if (t == NULL) {
        if (map_count(folder->transfers) >= TRANSFERS_MAX) {
            work_again(folder);
            return;
        }
        t = mem_zalloc(1, sizeof *t);
        t->folder = folder;
        t->content = *content;
        t->arena = arena_new();
        t->large = content->size > PROTO_PACK_CONTENT_BYTES_MAX;
        (void)map_put(folder->transfers, content_key(content, key), t);
        transfer_list_new(folder, t);
    }
    transfer_add_path(t, path);
}

void transfer_free(struct folder *folder, struct transfer *t)
{
    uint8_t key[40];
    transfer_unlist(folder, t);
    parts_free(t);
    (void)map_remove(folder->transfers, content_key(&t->content, key));
    arena_destroy(&t->arena);
    mem_free(&t);
}

void fetch_clear(struct folder *folder)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value))
        transfer_free(folder, value);
    folder->large_count = 0;
}
