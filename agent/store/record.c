// SPDX-License-Identifier: MIT
//
// Small records: words about the index as a whole, the journal of disk steps under way, and the
// leaf lists of large contents.
#include <string.h>

#include "agent/base/own.h"
#include "agent/store/store_priv.h"

bool store_meta_get(struct store *store, struct arena *arena, const char *key,
                    struct slice *out_value)
{
    AUTO(query_end) struct query query = query_new(store, SQL_META_GET);
    query_slice(&query, slice_text(key));
    *out_value = (struct slice){0};
    bool found = query_row(&query);
    if (found) *out_value = arena_copy(arena, column_slice(&query, 0));
    return found;
}

void store_meta_put(struct store *store, const char *key, struct slice value)
{
    AUTO(query_end) struct query query = query_new(store, SQL_META_PUT);
    query_slice(&query, slice_text(key));
    query_slice(&query, value);
    query_run(&query);
}

uint64_t store_journal_add(struct store *store, uint32_t folder, struct slice record)
{
    bool entered = store_enter(store);
    AUTO(query_end) struct query query = query_new(store, SQL_JOURNAL_ADD);
    query_int(&query, folder);
    query_slice(&query, record);
    query_run(&query);
    uint64_t number = 0;
    if (!store_quiet(store)) number = (uint64_t)sqlite3_last_insert_rowid(store->db);
    store_leave(store, entered);
    return number;
}

void store_journal_remove(struct store *store, uint32_t folder, uint64_t number)
{
    AUTO(query_end) struct query query = query_new(store, SQL_JOURNAL_REMOVE);
    query_u64(&query, number);
    query_int(&query, folder);
    query_run(&query);
}

uint32_t store_journal_list(struct store *store, struct arena *arena, uint32_t folder, uint32_t max,
                            struct journal_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_JOURNAL_LIST);
    query_int(&query, folder);
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query)) {
        out[count++] = (struct journal_row){
            .number = column_u64(&query, 0),
            .record = arena_copy(arena, column_slice(&query, 1)),
        };
    }
    return count;
}

void store_leaves_put(struct store *store, uint32_t folder, const struct content *content,
                      const struct digest *leaves, uint32_t count)
{
    AUTO(query_end) struct query query = query_new(store, SQL_LEAVES_PUT);
    query_int(&query, folder);
    query_slice(&query, slice_of(content->id.bytes, sizeof content->id.bytes));
    query_u64(&query, content->size);
    query_slice(&query, slice_of(leaves, (size_t)count * sizeof *leaves));
    query_run(&query);
}

bool store_leaves_get(struct store *store, struct arena *arena, uint32_t folder,
                      const struct content *content, struct digest **out, uint32_t *out_count)
{
    AUTO(query_end) struct query query = query_new(store, SQL_LEAVES_GET);
    query_int(&query, folder);
    query_slice(&query, slice_of(content->id.bytes, sizeof content->id.bytes));
    query_u64(&query, content->size);
    *out = NULL;
    *out_count = 0;
    if (!query_row(&query)) return false;
    struct slice bytes = column_slice(&query, 0);
    if (bytes.size % sizeof(struct digest) != 0) {
        store_fail_corrupt(store, "leaf list");
        return false;
    }
    *out_count = (uint32_t)(bytes.size / sizeof(struct digest));
    *out = arena_alloc(arena, *out_count, sizeof(struct digest));
    if (bytes.size > 0) memcpy(*out, bytes.data, bytes.size);
    return true;
}
