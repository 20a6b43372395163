// SPDX-License-Identifier: MIT
//
// Writing an item: the row, the dots of its heads, and what the folder counts. The old row says
// what was counted before, so the caller's idea of it does not matter.
#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/store/store_priv.h"

struct old_row {
    uint64_t row; // 0: there is none
    uint64_t seq;
    bool live;
    bool need; // unblocked
    bool blocked;
    uint64_t bytes;
    uint64_t first_bytes;
    struct slice heads; // encoded, on the scratch arena
};

static struct old_row read_old(struct store *store, uint32_t folder, struct slice key)
{
    AUTO(query_end) struct query query = query_new(store, SQL_ITEM_OLD);
    query_int(&query, folder);
    query_slice(&query, key);
    if (!query_row(&query)) return (struct old_row){0};
    bool need = column_int(&query, 3) != 0;
    bool blocked = column_int(&query, 4) != BLOCKED_NONE;
    return (struct old_row){
        .row = column_u64(&query, 0),
        .seq = column_u64(&query, 1),
        .live = column_int(&query, 2) != 0,
        .need = need && !blocked,
        .blocked = need && blocked,
        .bytes = column_u64(&query, 5),
        .first_bytes = column_u64(&query, 6),
        .heads = arena_copy(store->scratch, column_slice(&query, 7)),
    };
}

static void count_old(struct counts *counts, const struct old_row *old)
{
    counts->items -= old->live;
    counts->bytes -= old->bytes;
    counts->needs -= old->need;
    counts->need_bytes -= old->need ? old->first_bytes : 0;
    counts->blocked -= old->blocked;
}

static void count_new(struct counts *counts, const struct item *item,
                      const struct heads_summary *heads)
{
    bool need = item->need && item->blocked == BLOCKED_NONE;
    counts->items += heads->live;
    counts->bytes += heads->bytes;
    counts->needs += need;
    counts->need_bytes += need ? heads->first_bytes : 0;
    counts->blocked += item->need && item->blocked != BLOCKED_NONE;
}

static void dot_put(struct store *store, uint32_t folder, struct dot dot, uint64_t row, bool need)
{
    AUTO(query_end) struct query query = query_new(store, SQL_DOT_PUT);
    query_int(&query, folder);
    query_inc(&query, dot.inc);
    query_u64(&query, dot.counter);
    query_u64(&query, row);
    query_int(&query, need);
    query_run(&query);
}

static void dot_delete(struct store *store, uint32_t folder, struct dot dot, uint64_t row)
{
    AUTO(query_end) struct query query = query_new(store, SQL_DOT_DELETE);
    query_int(&query, folder);
    query_inc(&query, dot.inc);
    query_u64(&query, dot.counter);
    query_u64(&query, row);
    query_run(&query);
}

static bool has_dot(struct dots dots, struct dot dot)
{
    uint32_t low = 0;
    uint32_t high = dots.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct dot at = dots.entries[middle];
        if (at.inc == dot.inc && at.counter == dot.counter) return true;
        bool smaller = at.inc < dot.inc || (at.inc == dot.inc && at.counter < dot.counter);
        if (smaller)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static struct dots old_dots(struct store *store, const struct old_row *old)
{
    struct version *heads = NULL;
    uint32_t count = 0;
    if (heads_decode(store->scratch, old->heads, &heads, &count)) {
        return heads_dots(store->scratch, heads, count);
    }
    store_fail_corrupt(store, "heads");
    return (struct dots){0};
}

// What both have is written again only when its flag has changed.
static void replace_dots(struct store *store, uint32_t folder, const struct old_row *old,
                         struct dots dots, uint64_t row, bool need)
{
    struct dots gone = old_dots(store, old);
    for (uint32_t i = 0; i < gone.count; i++) {
        if (!has_dot(dots, gone.entries[i])) dot_delete(store, folder, gone.entries[i], row);
    }
    for (uint32_t i = 0; i < dots.count; i++) {
        if (old->row && old->need == need && has_dot(gone, dots.entries[i])) continue;
        dot_put(store, folder, dots.entries[i], row, need);
    }
}

static void bind_local(struct query *query, const struct item *item, struct slice local)
{
    query_int(query, item->need);
    query_int(query, (int64_t)item->blocked);
    query_int(query, local_here(&item->local));
    query_u64(query, item->own_last);
    if (local_has_content(&item->local))
        query_int(query, content_hint(&item->local.version.value.content));
    else
        query_null(query);
    query_slice(query, local);
}

static void bind_heads(struct query *query, const struct item *item,
                       const struct heads_summary *summary, struct slice heads)
{
    query_u64(query, item->seq);
    query_int(query, summary->live);
    query_int(query, summary->dots.count);
    query_bits(query, summary->bytes);
    query_bits(query, summary->first_bytes);
    if (summary->origin.size > 0)
        query_slice(query, summary->origin);
    else
        query_null(query);
    query_slice(query, heads);
}

static void insert(struct store *store, uint32_t folder, struct item *item, struct slice key,
                   const struct heads_summary *summary)
{
    AUTO(query_end) struct query query = query_new(store, SQL_ITEM_INSERT);
    bind_local(&query, item, buf_slice(&store->local));
    bind_heads(&query, item, summary, buf_slice(&store->heads));
    query_int(&query, folder);
    query_slice(&query, key);
    query_run(&query);
    if (!store_quiet(store)) item->row = (uint64_t)sqlite3_last_insert_rowid(store->db);
}

static void update(struct store *store, struct item *item, const struct heads_summary *summary,
                   bool heads_too)
{
    AUTO(query_end)
    struct query query = query_new(store, heads_too ? SQL_ITEM_UPDATE : SQL_ITEM_UPDATE_LOCAL);
    bind_local(&query, item, buf_slice(&store->local));
    if (heads_too) bind_heads(&query, item, summary, buf_slice(&store->heads));
    query_u64(&query, item->row);
    query_run(&query);
}

static void delete_row(struct store *store, uint64_t row)
{
    AUTO(query_end) struct query query = query_new(store, SQL_ITEM_DELETE);
    query_u64(&query, row);
    query_run(&query);
}

static void write_item(struct store *store, uint32_t folder, struct item *item, struct slice key,
                       const struct old_row *old, const struct heads_summary *summary)
{
    heads_encode(item, &store->heads);
    local_encode(item, &store->local);
    bool need = item->need && item->blocked == BLOCKED_NONE;
    bool same_heads = old->row && slice_equal(old->heads, buf_slice(&store->heads));
    item->row = old->row;
    if (!old->row)
        insert(store, folder, item, key, summary);
    else
        update(store, item, summary, !same_heads || item->seq != old->seq);
    if (!same_heads || old->need != need) {
        replace_dots(store, folder, old, summary->dots, item->row, need);
    }
}

static void put(struct store *store, uint32_t folder, struct item *item, bool heads_changed)
{
    struct counts *counts = folder_counts(store, folder);
    if (store_quiet(store)) return;
    CHECK(counts != NULL); // the folder is there
    struct slice key = key_of(&store->key, item->path);
    struct old_row old = read_old(store, folder, key);
    if (store_quiet(store)) return;
    count_old(counts, &old);
    counts->dirty = true;
    bool gone = item->head_count == 0 && item->local.state == LOCAL_NONE;
    item->seq = heads_changed ? ++counts->seq : old.seq;
    if (!gone) {
        struct heads_summary summary =
            heads_summarise(store->scratch, item->heads, item->head_count);
        write_item(store, folder, item, key, &old, &summary);
        count_new(counts, item, &summary);
        return;
    }
    item->row = 0;
    if (!old.row) return;
    replace_dots(store, folder, &old, (struct dots){0}, old.row, false);
    delete_row(store, old.row);
}

void store_item_put(struct store *store, uint32_t folder, struct item *item, bool heads_changed)
{
    bool entered = store_enter(store);
    arena_reset(store->scratch);
    put(store, folder, item, heads_changed);
    store_leave(store, entered);
}
