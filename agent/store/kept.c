// SPDX-License-Identifier: MIT
//
// What was kept aside, and what was there before the last batch.
#include <string.h>

#include "agent/base/own.h"
#include "agent/store/store_priv.h"

// A link, or a row that stands for a batch alone, has no content of ours.
static void query_content(struct query *query, const struct value *value, bool holds)
{
    if (holds)
        query_slice(query, slice_of(value->content.bytes, sizeof(struct digest)));
    else
        query_null(query);
}

void store_kept_add(struct store *store, uint32_t folder, const struct kept_row *row)
{
    AUTO(buf_fini) struct buf encoded = {0};
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_ADD);
    const struct value *value = &row->version.value;
    bool holds = value->kind == KIND_FILE && row->file.size > 0;
    version_encode(&row->version, &encoded);
    query_int(&query, folder);
    query_slice(&query, key_of(&store->key, row->version.path));
    query_int(&query, row->when_ms);
    query_slice(&query, slice_of(row->by.bytes, sizeof row->by.bytes));
    query_content(&query, value, holds);
    query_slice(&query, buf_slice(&encoded));
    query_slice(&query, row->file.size > 0 ? row->file : slice_text(""));
    query_u64(&query, holds ? value->size : 0);
    query_int(&query, row->own ? -1 - (int64_t)row->batch : (int64_t)row->batch);
    query_inc(&query, row->after.inc);
    query_u64(&query, row->after.counter);
    query_run(&query);
}

static bool read_row(struct store *store, struct arena *arena, const struct query *query,
                     struct kept_row *out)
{
    struct fault fault;
    int64_t batch = column_int(query, 5);
    *out = (struct kept_row){
        .number = column_u64(query, 0),
        .file = arena_copy(arena, column_slice(query, 2)),
        .when_ms = column_int(query, 3),
        .own = batch < 0,
        .batch = (uint64_t)(batch < 0 ? -1 - batch : batch),
        .after = {.inc = column_inc(query, 6), .counter = column_u64(query, 7)},
    };
    column_bytes(query, 4, out->by.bytes, sizeof out->by.bytes);
    struct slice encoded = arena_copy(arena, column_slice(query, 1));
    if (version_decode(arena, encoded, &out->version, &fault) == ERR_OK) return true;
    store_fail_corrupt(store, "kept version");
    return false;
}

static uint32_t read_rows(struct store *store, struct arena *arena, struct query *query,
                          uint32_t max, struct kept_row *out)
{
    uint32_t count = 0;
    while (count < max && query_row(query)) {
        if (read_row(store, arena, query, &out[count])) count++;
    }
    return count;
}

bool store_kept_by_content(struct store *store, struct arena *arena, uint32_t folder,
                           const struct digest *content, struct slice *out_file)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_BY_CONTENT);
    query_int(&query, folder);
    query_slice(&query, slice_of(content->bytes, sizeof content->bytes));
    *out_file = (struct slice){0};
    bool found = query_row(&query);
    if (found) *out_file = arena_copy(arena, column_slice(&query, 0));
    return found;
}

bool store_kept_get(struct store *store, struct arena *arena, uint32_t folder, uint64_t number,
                    struct kept_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_GET);
    query_int(&query, folder);
    query_u64(&query, number);
    return read_rows(store, arena, &query, 1, out) == 1;
}

bool store_kept_by_file(struct store *store, struct arena *arena, uint32_t folder,
                        struct slice file, struct kept_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_BY_FILE);
    query_int(&query, folder);
    query_slice(&query, file);
    return read_rows(store, arena, &query, 1, out) == 1;
}

void store_kept_put(struct store *store, uint32_t folder, uint64_t number,
                    const struct version *version)
{
    AUTO(buf_fini) struct buf encoded = {0};
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_PUT);
    const struct value *value = &version->value;
    bool holds = value->kind == KIND_FILE;
    version_encode(version, &encoded);
    query_int(&query, folder);
    query_u64(&query, number);
    query_content(&query, value, holds);
    query_slice(&query, buf_slice(&encoded));
    query_u64(&query, holds ? value->size : 0);
    query_run(&query);
}

void store_kept_remove(struct store *store, uint32_t folder, uint64_t number)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_REMOVE);
    query_int(&query, folder);
    query_u64(&query, number);
    query_run(&query);
}

uint32_t store_kept_list(struct store *store, struct arena *arena, uint32_t folder,
                         struct slice path, uint64_t before, uint32_t max, struct kept_row *out)
{
    bool all = path.size == 0;
    AUTO(query_end) struct query query = query_new(store, all ? SQL_KEPT_LIST : SQL_KEPT_BELOW);
    query_int(&query, folder);
    query_u64(&query, before);
    query_int(&query, max);
    if (!all) {
        query_slice(&query, key_of(&store->key, path));
        query_slice(&query, key_below_end(&store->key_end, path));
    }
    return read_rows(store, arena, &query, max, out);
}

uint32_t store_kept_of(struct store *store, struct arena *arena, uint32_t folder, struct slice path,
                       uint64_t before, uint32_t max, struct kept_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_OF);
    query_int(&query, folder);
    query_u64(&query, before);
    query_int(&query, max);
    query_slice(&query, key_of(&store->key, path));
    return read_rows(store, arena, &query, max, out);
}

uint32_t store_kept_oldest(struct store *store, struct arena *arena, uint32_t folder,
                           uint64_t after, uint32_t max, struct kept_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_OLDEST);
    query_int(&query, folder);
    query_u64(&query, after);
    query_int(&query, max);
    return read_rows(store, arena, &query, max, out);
}

uint64_t store_kept_batch_last(struct store *store, uint32_t folder)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_BATCH_LAST);
    query_int(&query, folder);
    return query_row(&query) ? column_u64(&query, 0) : 0;
}

void store_kept_batch_begin(struct store *store, uint32_t folder)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_BATCH_FORGET);
    query_int(&query, folder);
    query_run(&query);
}

uint32_t store_kept_batch(struct store *store, struct arena *arena, uint32_t folder, uint64_t batch,
                          uint64_t before, uint32_t max, struct kept_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_BATCH);
    query_u64(&query, before);
    query_int(&query, folder);
    query_u64(&query, batch);
    query_int(&query, max);
    return read_rows(store, arena, &query, max, out);
}

uint64_t store_kept_bytes(struct store *store, uint32_t folder)
{
    AUTO(query_end) struct query query = query_new(store, SQL_KEPT_BYTES);
    query_int(&query, folder);
    return query_row(&query) ? column_u64(&query, 0) : 0;
}
