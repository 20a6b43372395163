// SPDX-License-Identifier: MIT
//
// Reading items: one by its path, ranges of the tree, and by the content on this disk.
#include <string.h>

#include "agent/base/own.h"
#include "agent/store/store_priv.h"
#include "proto/path.h"

// Columns as in statement.c. The blobs are copied, because versions point into them.
static void read_item(struct store *store, struct arena *arena, const struct query *query,
                      struct item *out)
{
    *out = (struct item){
        .path = key_path(arena, column_slice(query, 1)),
        .seq = column_u64(query, 2),
        .need = column_int(query, 3) != 0,
        .blocked = (enum blocked)column_int(query, 4),
        .own_last = column_u64(query, 5),
        .row = column_u64(query, 0),
    };
    struct slice heads = arena_copy(arena, column_slice(query, 6));
    struct slice local = arena_copy(arena, column_slice(query, 7));
    bool good = heads_decode(arena, heads, &out->heads, &out->head_count) &&
                local_decode(arena, local, out) && (unsigned)out->blocked < BLOCKED_COUNT;
    if (good) return;
    *out = (struct item){.path = out->path};
    store_fail_corrupt(store, "item");
}

void store_item_get(struct store *store, struct arena *arena, uint32_t folder, struct slice path,
                    struct item *out)
{
    *out = (struct item){.path = arena_copy(arena, path)};
    AUTO(query_end) struct query query = query_new(store, SQL_ITEM_GET);
    query_int(&query, folder);
    query_slice(&query, key_of(&store->key, path));
    if (query_row(&query)) read_item(store, arena, &query, out);
}

// The range of a prefix begins with the prefix itself.
uint32_t store_items_after(struct store *store, struct arena *arena, uint32_t folder,
                           struct slice prefix, struct slice after, bool from_start, uint32_t max,
                           struct item *out)
{
    struct slice end = key_below_end(&store->key_end, prefix);
    struct slice first = key_of(&store->key, prefix);
    if (!from_start && path_compare(after, prefix) >= 0) first = key_after(&store->key, after);
    AUTO(query_end) struct query query = query_new(store, SQL_ITEMS_RANGE);
    query_int(&query, folder);
    query_slice(&query, first);
    query_slice(&query, end);
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query))
        read_item(store, arena, &query, &out[count++]);
    return count;
}

static struct query below(struct store *store, enum statement which, uint32_t folder,
                          struct slice path)
{
    struct query query = query_new(store, which);
    query_int(&query, folder);
    query_slice(&query, key_below_first(&store->key, path));
    query_slice(&query, key_below_end(&store->key_end, path));
    return query;
}

bool store_live_below(struct store *store, uint32_t folder, struct slice path)
{
    AUTO(query_end) struct query query = below(store, SQL_LIVE_BELOW, folder, path);
    return query_row(&query);
}

bool store_local_below(struct store *store, uint32_t folder, struct slice path)
{
    AUTO(query_end) struct query query = below(store, SQL_LOCAL_BELOW, folder, path);
    return query_row(&query);
}

uint32_t store_live_paths_below(struct store *store, struct arena *arena, uint32_t folder,
                                struct slice path, uint32_t max, struct slice *out)
{
    AUTO(query_end) struct query query = below(store, SQL_LIVE_PATHS, folder, path);
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query))
        out[count++] = key_path(arena, column_slice(&query, 0));
    return count;
}

uint32_t store_conflicts_of(struct store *store, struct arena *arena, uint32_t folder,
                            struct slice path, uint32_t max, struct slice *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_CONFLICTS_OF);
    query_int(&query, folder);
    query_slice(&query, path);
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query))
        out[count++] = key_path(arena, column_slice(&query, 0));
    return count;
}

// 0 before the first; -1 when the item to go on from is gone.
static int64_t row_of(struct store *store, uint32_t folder, struct slice path)
{
    if (path.size == 0) return 0;
    AUTO(query_end) struct query query = query_new(store, SQL_ITEM_ROW);
    query_int(&query, folder);
    query_slice(&query, key_of(&store->key, path));
    return query_row(&query) ? column_int(&query, 0) : -1;
}

// The index has eight bytes of the content; the rest is compared here.
bool store_local_by_content(struct store *store, struct arena *arena, uint32_t folder,
                            const struct digest *content, struct slice after, struct item *out)
{
    int64_t row = row_of(store, folder, after);
    if (row < 0) return false;
    AUTO(query_end) struct query query = query_new(store, SQL_ITEM_BY_CONTENT);
    query_int(&query, folder);
    query_int(&query, content_hint(content));
    query_int(&query, row);
    while (query_row(&query)) {
        read_item(store, arena, &query, out);
        if (local_has_content(&out->local) &&
            memcmp(&out->local.version.value.content, content, sizeof *content) == 0) {
            return true;
        }
    }
    return false;
}

// ---- deletions that grow old, and the own chains of a life that ended

void store_own_forget(struct store *store, uint32_t folder)
{
    AUTO(query_end) struct query query = query_new(store, SQL_OWN_FORGET);
    query_int(&query, folder);
    query_run(&query);
}

void store_tombs_note(struct store *store, uint32_t folder, int64_t now_ms)
{
    AUTO(query_end) struct query query = query_new(store, SQL_TOMBS_NOTE);
    query_int(&query, folder);
    query_int(&query, now_ms);
    query_run(&query);
}

uint32_t store_tombs_after(struct store *store, struct arena *arena, uint32_t folder,
                           int64_t noted_ms, uint64_t after, uint32_t max, struct path_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_TOMBS);
    query_int(&query, folder);
    query_int(&query, noted_ms);
    query_u64(&query, after);
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query)) {
        out[count++] = (struct path_row){.path = key_path(arena, column_slice(&query, 0)),
                                         .counter = column_u64(&query, 1)};
    }
    return count;
}

void store_sought_note(struct store *store, uint32_t folder, struct slice path, int64_t since_ms)
{
    AUTO(query_end) struct query query = query_new(store, SQL_SOUGHT_NOTE);
    query_int(&query, folder);
    query_slice(&query, key_of(&store->key, path));
    query_int(&query, since_ms);
    query_run(&query);
}

int64_t store_sought_since(struct store *store, uint32_t folder, struct slice path)
{
    AUTO(query_end) struct query query = query_new(store, SQL_SOUGHT_SINCE);
    query_int(&query, folder);
    query_slice(&query, key_of(&store->key, path));
    return query_row(&query) ? column_int(&query, 0) : 0;
}

uint32_t store_sought(struct store *store, struct arena *arena, uint32_t folder, struct slice after,
                      uint32_t max, struct path_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_SOUGHT);
    query_int(&query, folder);
    query_slice(&query, after.size > 0 ? key_of(&store->key, after) : slice_text(""));
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query)) {
        out[count++] = (struct path_row){.path = key_path(arena, column_slice(&query, 0)),
                                         .counter = column_u64(&query, 1)};
    }
    return count;
}
