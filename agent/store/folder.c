// SPDX-License-Identifier: MIT
//
// Rows of folders. What item_put counts is kept in memory and written by the commit, so that a
// transaction of ten thousand items writes it once; readers in between are shown the memory.
#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/store/store_priv.h"

static struct counts *find_counts(struct store *store, uint32_t folder)
{
    for (uint32_t i = 0; i < store->counts_count; i++) {
        if (store->counts[i].folder == folder) return &store->counts[i];
    }
    return NULL;
}

static void read_row(struct store *store, struct arena *arena, const struct query *query,
                     struct folder_row *out)
{
    *out = (struct folder_row){
        .folder = (uint32_t)column_u64(query, 0),
        .name = arena_copy(arena, column_slice(query, 1)),
        .inc = column_inc(query, 3),
        .counter = column_u64(query, 5),
        .seq = column_u64(query, 6),
        .first = column_int(query, 7) != 0,
        .scanned = column_int(query, 8) != 0,
        .ever_had_items = column_int(query, 9) != 0,
        .items = column_u64(query, 12),
        .bytes = column_u64(query, 13),
        .needs = column_u64(query, 14),
        .need_bytes = column_u64(query, 15),
        .blocked = column_u64(query, 16),
        .base = column_u64(query, 17),
        .met = column_int(query, 18) != 0,
        .renew = column_int(query, 19) != 0,
        .doubt = column_int(query, 20) != 0,
    };
    column_bytes(query, 2, out->id.bytes, sizeof out->id.bytes);
    column_bytes(query, 4, out->nonce, sizeof out->nonce);
    column_bytes(query, 10, out->witness_current, sizeof out->witness_current);
    column_bytes(query, 11, out->witness_next, sizeof out->witness_next);
    const struct counts *counts = find_counts(store, out->folder);
    if (!counts) return;
    out->seq = counts->seq;
    out->items = counts->items;
    out->bytes = counts->bytes;
    out->needs = counts->needs;
    out->need_bytes = counts->need_bytes;
    out->blocked = counts->blocked;
}

bool store_folder_get(struct store *store, struct arena *arena, struct slice name,
                      struct folder_row *out)
{
    *out = (struct folder_row){0};
    AUTO(query_end) struct query query = query_new(store, SQL_FOLDER_BY_NAME);
    query_slice(&query, name);
    bool found = query_row(&query);
    if (found) read_row(store, arena, &query, out);
    return found;
}

bool store_folder_reload(struct store *store, struct arena *arena, uint32_t folder,
                         struct folder_row *out)
{
    *out = (struct folder_row){0};
    AUTO(query_end) struct query query = query_new(store, SQL_FOLDER_BY_NUMBER);
    query_int(&query, folder);
    bool found = query_row(&query);
    if (found) read_row(store, arena, &query, out);
    return found;
}

void store_folder_put(struct store *store, struct folder_row *row)
{
    bool insert = row->folder == 0;
    AUTO(query_end)
    struct query query = query_new(store, insert ? SQL_FOLDER_INSERT : SQL_FOLDER_UPDATE);
    query_slice(&query, slice_of(row->id.bytes, sizeof row->id.bytes));
    query_inc(&query, row->inc);
    query_slice(&query, slice_of(row->nonce, sizeof row->nonce));
    query_u64(&query, row->counter);
    query_int(&query, row->first);
    query_int(&query, row->scanned);
    query_int(&query, row->ever_had_items);
    query_slice(&query, slice_of(row->witness_current, sizeof row->witness_current));
    query_slice(&query, slice_of(row->witness_next, sizeof row->witness_next));
    query_u64(&query, row->base);
    query_int(&query, row->met);
    query_int(&query, row->renew);
    query_int(&query, row->doubt);
    if (insert)
        query_slice(&query, row->name);
    else
        query_int(&query, row->folder);
    bool ready = query.stmt != NULL;
    enum err before = store->outside_error;
    query_run(&query);
    bool done = ready && !store_quiet(store) && store->outside_error == before;
    if (insert && done) row->folder = (uint32_t)sqlite3_last_insert_rowid(store->db);
}

void store_folders_renew(struct store *store)
{
    AUTO(query_end) struct query query = query_new(store, SQL_FOLDERS_RENEW);
    query_run(&query);
}

static void clear(struct store *store, uint32_t folder, const enum statement *which, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(query_end) struct query query = query_new(store, which[i]);
        query_int(&query, folder);
        query_run(&query);
    }
}

// What was kept is of the disk, and stays; there is nothing of it to undo any more.
// seq goes on: peers may hold tokens that carry it.
void store_folder_clear(struct store *store, uint32_t folder, bool with_marks)
{
    static const enum statement tables[] = {
        SQL_CLEAR_ITEMS,     SQL_CLEAR_DOTS,      SQL_CLEAR_K,           SQL_CLEAR_GCFLOOR,
        SQL_CLEAR_PEERS,     SQL_CLEAR_JOURNAL,   SQL_KEPT_BATCH_FORGET, SQL_KEPT_PAST,
        SQL_CLEAR_LEAVES,    SQL_CLEAR_APPROVALS, SQL_CLEAR_OWNERS,      SQL_CLEAR_MARKS,
        SQL_CLEAR_ROLLBACKS,
    };
    size_t count = sizeof tables / sizeof tables[0];
    bool entered = store_enter(store);
    clear(store, folder, tables, with_marks ? count : count - 3);
    struct counts *counts = folder_counts(store, folder);
    if (counts) *counts = (struct counts){.folder = folder, .dirty = true, .seq = counts->seq};
    store_leave(store, entered);
}

void store_folder_remove(struct store *store, uint32_t folder)
{
    static const enum statement rows[] = {SQL_CLEAR_KEPT, SQL_FOLDER_DELETE};
    bool entered = store_enter(store);
    store_folder_clear(store, folder, true);
    clear(store, folder, rows, 2);
    struct counts *counts = find_counts(store, folder);
    if (counts) *counts = store->counts[--store->counts_count];
    store_leave(store, entered);
}

struct counts *folder_counts(struct store *store, uint32_t folder)
{
    struct counts *counts = find_counts(store, folder);
    if (counts) return counts;
    AUTO(query_end) struct query query = query_new(store, SQL_FOLDER_BY_NUMBER);
    query_int(&query, folder);
    if (!query_row(&query)) return NULL;
    size_t size = (store->counts_count + 1) * sizeof *store->counts;
    store->counts = mem_realloc(store->counts, size);
    counts = &store->counts[store->counts_count++];
    *counts = (struct counts){
        .folder = folder,
        .seq = column_u64(&query, 6),
        .items = column_u64(&query, 12),
        .bytes = column_u64(&query, 13),
        .needs = column_u64(&query, 14),
        .need_bytes = column_u64(&query, 15),
        .blocked = column_u64(&query, 16),
    };
    return counts;
}
