// SPDX-License-Identifier: MIT
//
// Approvals: who has said of which changes that they are meant.
#include <string.h>

#include "agent/base/own.h"
#include "agent/store/store_priv.h"

// False: it was known. One that reaches further takes the place of what it contains.
bool store_approval_put(struct store *store, uint32_t folder, const struct approval_row *row)
{
    const struct approval *a = &row->approval;
    bool entered = store_enter(store);
    bool added = false;
    {
        AUTO(query_end) struct query query = query_new(store, SQL_APPROVAL_PUT);
        query_int(&query, folder);
        query_slice(&query, slice_of(a->signer.bytes, sizeof a->signer.bytes));
        query_inc(&query, a->span.inc);
        query_u64(&query, a->span.from);
        query_u64(&query, a->span.to);
        query_slice(&query, slice_of(a->signature.bytes, sizeof a->signature.bytes));
        query_int(&query, row->vouched);
        query_run(&query);
        added = !store_quiet(store) && sqlite3_changes(store->db) > 0;
    }
    if (added) {
        AUTO(query_end) struct query trim = query_new(store, SQL_APPROVAL_TRIM);
        query_int(&trim, folder);
        query_int(&trim, PROTO_APPROVALS_MAX);
        query_run(&trim);
    }
    store_leave(store, entered);
    return added;
}

uint32_t store_approvals(struct store *store, struct arena *arena, uint32_t folder, uint64_t after,
                         uint32_t max, struct approval_row *out)
{
    (void)arena;
    AUTO(query_end) struct query query = query_new(store, SQL_APPROVAL_LIST);
    query_int(&query, folder);
    query_u64(&query, after);
    query_int(&query, max);
    uint32_t count = 0;
    while (count < max && query_row(&query)) {
        struct approval_row *row = &out[count++];
        *row = (struct approval_row){.number = column_u64(&query, 0)};
        struct approval *a = &row->approval;
        column_bytes(&query, 1, a->signer.bytes, sizeof a->signer.bytes);
        a->span.inc = column_inc(&query, 2);
        a->span.from = column_u64(&query, 3);
        a->span.to = column_u64(&query, 4);
        column_bytes(&query, 5, a->signature.bytes, sizeof a->signature.bytes);
        row->vouched = column_int(&query, 6) != 0;
    }
    return count;
}
