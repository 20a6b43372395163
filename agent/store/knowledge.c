// SPDX-License-Identifier: MIT
//
// K, the floor of collected deletions, owners, marks, and what peers said of themselves.
#include "agent/base/own.h"
#include "agent/store/store_priv.h"

static struct vv read_vector(struct store *store, struct arena *arena, enum statement which,
                             uint32_t folder)
{
    AUTO(query_end) struct query query = query_new(store, which);
    query_int(&query, folder);
    struct buf entries = {0};
    while (query_row(&query)) {
        struct dot entry = {.inc = column_inc(&query, 0), .counter = column_u64(&query, 1)};
        buf_append(&entries, &entry, sizeof entry);
    }
    uint32_t count = (uint32_t)(entries.size / sizeof(struct dot));
    struct vv v = {.entries = arena_alloc(arena, count, sizeof(struct dot)), .count = count};
    for (uint32_t i = 0; i < count; i++) {
        v.entries[i] = ((const struct dot *)(void *)entries.data)[i];
    }
    buf_fini(&entries);
    return v;
}

struct vv store_k(struct store *store, struct arena *arena, uint32_t folder)
{
    return read_vector(store, arena, SQL_K_GET, folder);
}

void store_k_set(struct store *store, uint32_t folder, struct dot entry)
{
    AUTO(query_end)
    struct query query = query_new(store, entry.counter > 0 ? SQL_K_PUT : SQL_K_DELETE);
    query_int(&query, folder);
    query_inc(&query, entry.inc);
    if (entry.counter > 0) query_u64(&query, entry.counter);
    query_run(&query);
}

struct vv store_gcfloor(struct store *store, struct arena *arena, uint32_t folder)
{
    return read_vector(store, arena, SQL_GCFLOOR_GET, folder);
}

static void clear_gcfloor(struct store *store, uint32_t folder)
{
    AUTO(query_end) struct query query = query_new(store, SQL_CLEAR_GCFLOOR);
    query_int(&query, folder);
    query_run(&query);
}

void store_gcfloor_put(struct store *store, uint32_t folder, struct vv floor)
{
    bool entered = store_enter(store);
    clear_gcfloor(store, folder);
    for (uint32_t i = 0; i < floor.count; i++) {
        AUTO(query_end) struct query query = query_new(store, SQL_GCFLOOR_PUT);
        query_int(&query, folder);
        query_inc(&query, floor.entries[i].inc);
        query_u64(&query, floor.entries[i].counter);
        query_run(&query);
    }
    store_leave(store, entered);
}

bool store_owner_get(struct store *store, struct arena *arena, uint32_t folder, uint64_t inc,
                     struct owner *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_OWNER_GET);
    query_int(&query, folder);
    query_inc(&query, inc);
    *out = (struct owner){.inc = inc};
    if (!query_row(&query)) return false;
    column_bytes(&query, 0, out->device.bytes, sizeof out->device.bytes);
    column_bytes(&query, 1, out->nonce, sizeof out->nonce);
    out->name = arena_copy(arena, column_slice(&query, 2));
    return true;
}

void store_owner_put(struct store *store, uint32_t folder, const struct owner *owner)
{
    AUTO(query_end) struct query query = query_new(store, SQL_OWNER_PUT);
    query_int(&query, folder);
    query_inc(&query, owner->inc);
    query_slice(&query, slice_of(owner->device.bytes, sizeof owner->device.bytes));
    query_slice(&query, slice_of(owner->nonce, sizeof owner->nonce));
    query_slice(&query, owner->name);
    query_run(&query);
}

uint32_t store_owner_count(struct store *store, uint32_t folder)
{
    AUTO(query_end) struct query query = query_new(store, SQL_OWNER_COUNT);
    query_int(&query, folder);
    return query_row(&query) ? (uint32_t)column_u64(&query, 0) : 0;
}

uint32_t store_owner_count_of(struct store *store, uint32_t folder, struct device_id device)
{
    AUTO(query_end) struct query query = query_new(store, SQL_OWNER_COUNT_OF);
    query_int(&query, folder);
    query_slice(&query, slice_of(device.bytes, sizeof device.bytes));
    return query_row(&query) ? (uint32_t)column_u64(&query, 0) : 0;
}

static void mark_read(const struct query *query, int column, struct mark *out)
{
    out->counter = column_u64(query, column);
    out->first = column_u64(query, column + 1);
    out->epoch = column_u64(query, column + 2);
    column_bytes(query, column + 3, out->signature.bytes, sizeof out->signature.bytes);
}

static void query_mark(struct query *query, const struct mark *mark)
{
    query_u64(query, mark->counter);
    query_u64(query, mark->first);
    query_bits(query, mark->epoch);
    query_slice(query, slice_of(mark->signature.bytes, sizeof mark->signature.bytes));
}

uint32_t store_marks(struct store *store, uint32_t folder, uint64_t inc, uint32_t max,
                     struct mark *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_MARKS);
    query_int(&query, folder);
    query_inc(&query, inc);
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query)) {
        out[count] = (struct mark){.inc = inc};
        mark_read(&query, 0, &out[count++]);
    }
    return count;
}

uint32_t store_marks_of(struct store *store, uint32_t folder, struct device_id device, uint32_t max,
                        struct mark *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_MARKS_OF);
    query_int(&query, folder);
    query_slice(&query, slice_of(device.bytes, sizeof device.bytes));
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query)) {
        out[count] = (struct mark){.inc = column_inc(&query, 0)};
        mark_read(&query, 1, &out[count++]);
    }
    return count;
}

bool store_mark_get(struct store *store, uint32_t folder, uint64_t inc, struct mark *out)
{
    return store_marks(store, folder, inc, 1, out) == 1;
}

static void marks_trim(struct store *store, uint32_t folder, uint64_t inc)
{
    AUTO(query_end) struct query query = query_new(store, SQL_MARK_TRIM);
    query_int(&query, folder);
    query_inc(&query, inc);
    query_int(&query, INDEX_MARK_EPOCHS);
    query_run(&query);
}

void store_mark_put(struct store *store, uint32_t folder, const struct mark *mark)
{
    struct mark marks[INDEX_MARK_EPOCHS + 1];
    {
        AUTO(query_end) struct query query = query_new(store, SQL_MARK_PUT);
        query_int(&query, folder);
        query_inc(&query, mark->inc);
        query_mark(&query, mark);
        query_run(&query);
    }
    if (store_marks(store, folder, mark->inc, INDEX_MARK_EPOCHS + 1, marks) > INDEX_MARK_EPOCHS)
        marks_trim(store, folder, mark->inc);
}

// ---- lives that ended

void store_rollback_put(struct store *store, uint32_t folder, const struct rollback *rollback)
{
    AUTO(query_end) struct query query = query_new(store, SQL_ROLLBACK_PUT);
    query_int(&query, folder);
    query_inc(&query, rollback->old);
    query_inc(&query, rollback->fresh);
    query_mark(&query, &rollback->end);
    query_run(&query);
}

static void rollback_read(const struct query *query, struct rollback *out)
{
    *out = (struct rollback){
        .number = column_u64(query, 0),
        .old = column_inc(query, 1),
        .fresh = column_inc(query, 2),
        .end = {.inc = column_inc(query, 1)},
    };
    mark_read(query, 3, &out->end);
}

bool store_rollback_has(struct store *store, uint32_t folder, uint64_t old, uint64_t fresh)
{
    AUTO(query_end) struct query query = query_new(store, SQL_ROLLBACK_HAS);
    query_int(&query, folder);
    query_inc(&query, old);
    query_inc(&query, fresh);
    query_inc(&query, fresh == 0 ? UINT64_MAX : fresh);
    return query_row(&query);
}

uint32_t store_rollbacks_after(struct store *store, uint32_t folder, uint64_t after, uint32_t max,
                               struct rollback *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_ROLLBACKS);
    query_int(&query, folder);
    query_u64(&query, after);
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query))
        rollback_read(&query, &out[count++]);
    return count;
}

static struct vv decode_vector(struct store *store, struct arena *arena, struct slice bytes)
{
    struct vv v = {0};
    struct fault fault = {0};
    if (vv_decode(arena, arena_copy(arena, bytes), &v, &fault) == ERR_OK) return v;
    store_fail_corrupt(store, "vector of a peer");
    return (struct vv){0};
}

bool store_peer_get(struct store *store, struct arena *arena, uint32_t folder,
                    struct device_id device, struct peer_row *out)
{
    AUTO(query_end) struct query query = query_new(store, SQL_PEER_GET);
    query_int(&query, folder);
    query_slice(&query, slice_of(device.bytes, sizeof device.bytes));
    *out = (struct peer_row){0};
    if (!query_row(&query)) return false;
    *out = (struct peer_row){
        .k = decode_vector(store, arena, column_slice(&query, 0)),
        .a = decode_vector(store, arena, column_slice(&query, 1)),
        .need_changes = column_u64(&query, 2),
        .need_bytes = column_u64(&query, 3),
        .blocked_total = column_u64(&query, 4),
        .blocked = arena_copy(arena, column_slice(&query, 5)),
        .seen_ms = column_int(&query, 6),
        .told = column_u64(&query, 7),
        .audit_ms = column_int(&query, 8),
        .audit_due = column_int(&query, 9) != 0,
    };
    return true;
}

void store_peer_put(struct store *store, uint32_t folder, struct device_id device,
                    const struct peer_row *row)
{
    AUTO(buf_fini) struct buf k = {0};
    AUTO(buf_fini) struct buf a = {0};
    AUTO(query_end) struct query query = query_new(store, SQL_PEER_PUT);
    vv_encode(row->k, &k);
    vv_encode(row->a, &a);
    query_int(&query, folder);
    query_slice(&query, slice_of(device.bytes, sizeof device.bytes));
    query_slice(&query, buf_slice(&k));
    query_slice(&query, buf_slice(&a));
    query_u64(&query, row->need_changes);
    query_u64(&query, row->need_bytes);
    query_u64(&query, row->blocked_total);
    query_slice(&query, row->blocked);
    query_int(&query, row->seen_ms);
    query_u64(&query, row->told);
    query_int(&query, row->audit_ms);
    query_int(&query, row->audit_due);
    query_run(&query);
}

void store_peer_remove(struct store *store, struct device_id device)
{
    AUTO(query_end) struct query query = query_new(store, SQL_PEER_REMOVE);
    query_slice(&query, slice_of(device.bytes, sizeof device.bytes));
    query_run(&query);
}
