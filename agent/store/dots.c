// SPDX-License-Identifier: MIT
//
// What the dot table answers: what a peer is owed, what holds A back. Distinct incarnations are
// found by jumping from one to the next, so every answer costs what it says, not what is stored.
#include "agent/base/own.h"
#include "agent/store/store_priv.h"
#include "proto/vv.h"

static uint32_t path_rows(struct arena *arena, struct query *query, uint32_t max,
                          struct path_row *out)
{
    uint32_t count = 0;
    while (count < max && query_row(query)) {
        out[count++] = (struct path_row){
            .path = key_path(arena, column_slice(query, 0)),
            .counter = column_u64(query, 1),
        };
    }
    return count;
}

uint32_t store_dots_after(struct store *store, struct arena *arena, uint32_t folder, uint64_t inc,
                          uint64_t after, uint64_t upto, uint32_t max, struct path_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_DOTS_AFTER);
    query_int(&query, folder);
    query_inc(&query, inc);
    query_u64(&query, after);
    query_u64(&query, upto);
    query_int(&query, max);
    return path_rows(arena, &query, max, out);
}

uint32_t store_seq_after(struct store *store, struct arena *arena, uint32_t folder, uint64_t after,
                         uint32_t max, struct path_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_SEQ_AFTER);
    query_int(&query, folder);
    query_u64(&query, after);
    query_int(&query, max);
    return path_rows(arena, &query, max, out);
}

uint32_t store_seq_before(struct store *store, struct arena *arena, uint32_t folder,
                          uint64_t before, uint32_t max, struct path_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_SEQ_BEFORE);
    query_int(&query, folder);
    query_u64(&query, before);
    query_int(&query, max);
    return path_rows(arena, &query, max, out);
}

static uint32_t paths(struct arena *arena, struct query *query, uint32_t max, struct slice *out)
{
    uint32_t count = 0;
    while (count < max && query_row(query))
        out[count++] = key_path(arena, column_slice(query, 0));
    return count;
}

uint32_t store_needs_after(struct store *store, struct arena *arena, uint32_t folder,
                           struct slice after, bool from_start, uint32_t max, struct slice *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_NEEDS);
    query_int(&query, folder);
    query_slice(&query, from_start ? (struct slice){0} : key_after(&store->key, after));
    query_int(&query, max);
    return paths(arena, &query, max, out);
}

uint32_t store_blocked(struct store *store, struct arena *arena, uint32_t folder,
                       enum blocked reason, uint32_t skip, uint32_t max, struct slice *out)
{
    bool any = reason == BLOCKED_NONE;
    AUTO(query_end) struct query query = query_new(store, any ? SQL_BLOCKED : SQL_BLOCKED_REASON);
    query_int(&query, folder);
    if (!any) query_int(&query, (int64_t)reason);
    query_int(&query, max);
    query_int(&query, skip);
    return paths(arena, &query, max, out);
}

bool store_need_min(struct store *store, uint32_t folder, uint64_t inc, uint64_t *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_NEED_MIN);
    query_int(&query, folder);
    query_inc(&query, inc);
    bool found = query_row(&query);
    if (found) *out = column_u64(&query, 0);
    return found;
}

// The smallest incarnation that is not below *inc.
static bool next_inc(struct store *store, enum statement which, uint32_t folder, uint64_t *inc)
{
    AUTO(query_end) struct query query = query_new(store, which);
    query_int(&query, folder);
    query_inc(&query, *inc);
    bool found = query_row(&query);
    if (found) *inc = column_inc(&query, 0);
    return found;
}

uint32_t store_need_incs(struct store *store, uint32_t folder, uint32_t max, uint64_t *out)
{
    uint32_t count = 0;
    uint64_t inc = 0;
    while (count < max && next_inc(store, SQL_NEED_INC, folder, &inc)) {
        out[count++] = inc;
        if (inc++ == UINT64_MAX) break;
    }
    return count;
}

uint32_t store_dot_incs(struct store *store, struct arena *arena, uint32_t folder, uint64_t **out)
{
    struct buf found = {0};
    uint64_t inc = 0;
    while (next_inc(store, SQL_DOT_INC, folder, &inc)) {
        buf_append(&found, &inc, sizeof inc);
        if (inc++ == UINT64_MAX) break;
    }
    uint32_t count = (uint32_t)(found.size / sizeof inc);
    *out = arena_alloc(arena, count, sizeof inc);
    for (uint32_t i = 0; i < count; i++)
        (*out)[i] = ((const uint64_t *)(void *)found.data)[i];
    buf_fini(&found);
    return count;
}

// An item with several dots stands in the table several times; it counts at the first dot, in the
// table's order, that k does not cover. Items with one dot, nearly all, need not be read.
static bool counts_here(struct store *store, struct vv k, struct dot dot, uint64_t row)
{
    AUTO(query_end) struct query query = query_new(store, SQL_ITEM_HEADS);
    query_u64(&query, row);
    if (!query_row(&query)) return false;
    struct version *heads = NULL;
    uint32_t count = 0;
    arena_reset(store->scratch);
    if (!heads_decode(store->scratch, column_slice(&query, 0), &heads, &count)) {
        store_fail_corrupt(store, "heads");
        return false;
    }
    struct dots dots = heads_dots(store->scratch, heads, count);
    for (uint32_t i = 0; i < dots.count; i++) {
        struct dot at = dots.entries[i];
        if (!vv_covers(k, at)) return at.inc == dot.inc && at.counter == dot.counter;
    }
    return false;
}

struct owed {
    uint64_t changes;
    uint64_t bytes;
};

static void owed_of(struct store *store, uint32_t folder, struct vv k, uint64_t inc, uint64_t max,
                    struct owed *owed)
{
    AUTO(query_end) struct query query = query_new(store, SQL_OWED);
    query_int(&query, folder);
    query_inc(&query, inc);
    query_u64(&query, vv_get(k, inc));
    while (owed->changes < max && query_row(&query)) {
        struct dot dot = {.inc = inc, .counter = column_u64(&query, 0)};
        bool several = column_int(&query, 2) > 1;
        if (several && !counts_here(store, k, dot, column_u64(&query, 1))) continue;
        owed->changes++;
        owed->bytes += column_u64(&query, 3);
    }
}

void store_owed(struct store *store, uint32_t folder, struct vv k, uint64_t max,
                uint64_t *out_changes, uint64_t *out_bytes)
{
    struct owed owed = {0};
    if (max == 0) max = UINT64_MAX;
    uint64_t inc = 0;
    while (owed.changes < max && next_inc(store, SQL_DOT_INC, folder, &inc)) {
        owed_of(store, folder, k, inc, max, &owed);
        if (inc++ == UINT64_MAX) break;
    }
    *out_changes = owed.changes;
    *out_bytes = owed.bytes;
}
