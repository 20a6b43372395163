// SPDX-License-Identifier: MIT
//
// What is stored and perhaps no file has any more: whether it is still of use. It is dropped when
// nothing is needed, for what a power cut has emptied is made of what no file shows.
#include "agent/sync/base_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PER_STEP = 256, USES_MAX = 64 };

void base_doubt_entry(struct base *b, struct base_entry *entry)
{
    b->doubted += !entry->doubted;
    entry->doubted = true;
}

void base_doubt(struct folder *folder, const struct value *was)
{
    struct content content = {.id = was->content, .size = was->size};
    struct base_entry *entry = base_find(folder->base, &content);
    if (was->kind != KIND_FILE || entry == NULL) return;
    base_doubt_entry(folder->base, entry);
    base_quiet(folder);
}

bool base_doubts(const struct folder *folder)
{
    const struct base *b = folder->base;
    return b->doubted > 0 && folder->row.needs == 0 && folder->engine->now_ms >= b->doubts_ms;
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
    if (blocked_may_pass(folder)) {
        b->doubts_ms = folder->engine->now_ms + BLOCKED_RETRY_MS;
        return;
    }
    // Dropping one moves others: who is missed by it is found with the next step.
    uint32_t count = 0;
    for (uint32_t i = b->count; i > 0 && count < PER_STEP; i--) {
        if (i > b->count) continue;
        struct base_entry *entry = b->heap[i - 1];
        if (!entry->doubted || entry->keeps > 0) continue;
        settle(folder, entry);
        count++;
    }
}
