// SPDX-License-Identifier: MIT
//
// What is stored and perhaps no file has any more: whether it is still of use. What a power cut has
// emptied is made of what no file shows.
#include <string.h>

#include "agent/sync/base_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PER_STEP = 256, USES_MAX = 64, NEEDS_MAX = 1024, LATER_MS = 10 * 1000 };

void base_doubt_entry(struct base *b, struct base_entry *entry)
{
    b->doubted += !entry->doubted;
    entry->doubted = true;
}

void base_doubt(struct folder *folder, const struct value *was)
{
    struct content content = value_content(was);
    struct base_entry *entry = base_find(folder->base, &content);
    if (was->kind != KIND_FILE || entry == NULL) return;
    base_doubt_entry(folder->base, entry);
    base_quiet(folder);
}

bool base_doubts(const struct folder *folder)
{
    const struct base *b = folder->base;
    return b->doubted > 0 && folder->engine->now_ms >= b->doubts_ms;
}

bool base_shows(const struct item *item)
{
    bool known = item->local.state == LOCAL_OK || item->local.state == LOCAL_DIRTY;
    return known && item->local.version.value.kind == KIND_FILE;
}

static bool in_use(struct folder *folder, const struct content *content)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct item item;
    struct slice after = {0};
    uint8_t key[40];
    if (map_get(folder->transfers, content_key(content, key)) != NULL) return true;
    for (int i = 0; i < USES_MAX; i++) {
        if (!index->local_by_content(index->self, arena, folder->number, &content->id, after,
                                     &item))
            return false;
        if (base_shows(&item)) return true;
        after = item.path;
    }
    return true;
}

static void wanted_add(struct folder *folder, struct arena *arena, const struct slice *paths,
                       uint32_t count, struct buf *wanted)
{
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        struct content content;
        INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, paths[i], &item);
        if (emptied_wants(&item, &content)) buf_append(wanted, &content, sizeof content);
    }
}

// Contents to be put back: also where that is blocked, by a full disk, say. False: too many are
// needed to look at each, which passes.
static bool wanted_list(struct folder *folder, struct buf *wanted)
{
    const struct index_port *index = INDEX(folder);
    if (folder->row.needs >= NEEDS_MAX) return false;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice *paths = arena_alloc(arena, NEEDS_MAX, sizeof *paths);
    uint32_t count = 0;
    if (folder->row.needs > 0)
        count = index->needs_after(index->self, arena, folder->number, (struct slice){0}, true,
                                   NEEDS_MAX, paths);
    wanted_add(folder, arena, paths, count, wanted);
    for (int reason = BLOCKED_NONE + 1; folder->row.blocked > 0 && reason < BLOCKED_COUNT;
         reason++) {
        count = index->blocked(index->self, arena, folder->number, (enum blocked)reason, 0,
                               NEEDS_MAX, paths);
        wanted_add(folder, arena, paths, count, wanted);
    }
    return true;
}

static bool is_wanted(const struct buf *wanted, const struct content *content)
{
    for (size_t at = 0; at < wanted->size; at += sizeof *content) {
        struct content other;
        memcpy(&other, wanted->data + at, sizeof other);
        if (content_equal(&other, content)) return true;
    }
    return false;
}

static void settle(struct folder *folder, struct base_entry *entry)
{
    struct base *b = folder->base;
    entry->doubted = false;
    b->doubted--;
    if (!in_use(folder, &entry->content)) base_drop(b, entry);
}

void base_doubts_settle(struct folder *folder)
{
    struct base *b = folder->base;
    if (!base_doubts(folder)) return;
    AUTO(buf_fini) struct buf wanted = {0};
    if (!wanted_list(folder, &wanted)) {
        b->doubts_ms = folder->engine->now_ms + LATER_MS;
        return;
    }
    // Dropping one moves others: who is missed by it is found with the next step.
    uint32_t count = 0;
    for (uint32_t i = b->count; i > 0 && count < PER_STEP; i--) {
        if (i > b->count) continue;
        struct base_entry *entry = b->heap[i - 1];
        if (!entry->doubted || entry->keeps > 0 || is_wanted(&wanted, &entry->content)) continue;
        settle(folder, entry);
        count++;
    }
    if (count == 0 && wanted.size > 0) b->doubts_ms = folder->engine->now_ms + LATER_MS;
}
