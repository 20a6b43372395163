// SPDX-License-Identifier: MIT
//
// Small contents just read, and patches that make them of what was there before, so that neither a
// push nor the base store reads them again.
#include <string.h>

#include "agent/sync/rides_priv.h"

static void oldest_drop(struct engine *engine)
{
    struct ride_entry *old = engine->ride_first;
    uint8_t key[40];
    engine->ride_first = old->next;
    if (old->next == NULL) engine->ride_last = NULL;
    engine->ride_bytes -= old->room;
    (void)map_remove(engine->rides, content_key(&old->content, key));
    mem_free(&old);
}

const struct ride_entry *ride_entry(const struct engine *engine, const struct content *content)
{
    uint8_t key[40];
    return map_get(engine->rides, content_key(content, key));
}

static bool is_elsewhere(struct folder *folder, const struct content *content)
{
    const struct index_port *index = &folder->engine->o.index;
    struct item item;
    return index->local_by_content(index->self, folder->engine->scratch, folder->number,
                                   &content->id, slice_of("", 0), &item);
}

void ride_remember(struct folder *folder, const struct look *look)
{
    struct engine *engine = folder->engine;
    struct content content = value_content(&look->value);
    struct slice patch = look->patch.size <= PROTO_RIDE_BYTES_MAX ? look->patch : slice_of("", 0);
    uint8_t key[40];
    if (look->bytes.size > PROTO_PATCH_CONTENT_BYTES_MAX) return;
    bool elsewhere = is_elsewhere(folder, &content);
    struct ride_entry *entry = map_get(engine->rides, content_key(&content, key));
    if (entry != NULL) {
        entry->elsewhere |= elsewhere;
        return;
    }
    size_t room = look->bytes.size + patch.size;
    entry = mem_alloc(sizeof *entry + room);
    *entry = (struct ride_entry){.content = content, .room = room, .elsewhere = elsewhere};
    memcpy(entry->bytes, look->bytes.data, look->bytes.size);
    if (patch.size > 0) {
        memcpy(entry->bytes + look->bytes.size, patch.data, patch.size);
        entry->patch = slice_of(entry->bytes + look->bytes.size, patch.size);
        entry->base = look->was;
    }
    (void)map_put(engine->rides, content_key(&content, key), entry);
    if (engine->ride_last != NULL)
        engine->ride_last->next = entry;
    else
        engine->ride_first = entry;
    engine->ride_last = entry;
    engine->ride_bytes += room;
    while (engine->ride_bytes > RIDE_CACHE_BYTES)
        oldest_drop(engine);
}

struct slice ride_find(const struct engine *engine, const struct content *content)
{
    const struct ride_entry *entry = ride_entry(engine, content);
    return entry != NULL ? slice_of(entry->bytes, (size_t)content->size) : slice_of(NULL, 0);
}

void rides_drop(struct engine *engine)
{
    while (engine->ride_first != NULL)
        oldest_drop(engine);
}
