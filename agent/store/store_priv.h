// SPDX-License-Identifier: MIT
//
// agent/store/store_priv — the inside of a store: its connection, its prepared statements, its
// errors.
//
// Counters go into the database as they are (they are below 2^63), incarnations with the top bit
// turned over, so that SQLite's order of signed integers is the order of version vectors.
#ifndef AGENT_STORE_STORE_PRIV_H
#define AGENT_STORE_STORE_PRIV_H

#include <sqlite3.h>

#include "agent/store/store.h"

// In the order of the texts in statement.c, one for each.
enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_META_GET,
    SQL_META_PUT,
    SQL_FOLDER_BY_NAME,
    SQL_FOLDER_BY_NUMBER,
    SQL_FOLDER_INSERT,
    SQL_FOLDER_UPDATE,
    SQL_FOLDERS_RENEW,
    SQL_FOLDER_COUNTS,
    SQL_FOLDER_DELETE,
    SQL_CLEAR_ITEMS,
    SQL_CLEAR_DOTS,
    SQL_CLEAR_K,
    SQL_CLEAR_GCFLOOR,
    SQL_CLEAR_PEERS,
    SQL_CLEAR_JOURNAL,
    SQL_CLEAR_KEPT,
    SQL_CLEAR_LEAVES,
    SQL_CLEAR_OWNERS,
    SQL_CLEAR_MARKS,
    SQL_CLEAR_APPROVALS,
    SQL_CLEAR_ROLLBACKS,
    SQL_ITEM_GET,
    SQL_ITEM_OLD,
    SQL_ITEM_INSERT,
    SQL_ITEM_UPDATE,
    SQL_ITEM_UPDATE_LOCAL,
    SQL_ITEM_DELETE,
    SQL_ITEMS_RANGE,
    SQL_LIVE_BELOW,
    SQL_LOCAL_BELOW,
    SQL_LIVE_PATHS,
    SQL_CONFLICTS_OF,
    SQL_ITEM_ROW,
    SQL_ITEM_BY_CONTENT,
    SQL_OWN_FORGET,
    SQL_TOMBS_NOTE,
    SQL_TOMBS,
    SQL_SOUGHT_NOTE,
    SQL_SOUGHT,
    SQL_SOUGHT_SINCE,
    SQL_DOT_PUT,
    SQL_DOT_DELETE,
    SQL_DOTS_AFTER,
    SQL_SEQ_AFTER,
    SQL_SEQ_BEFORE,
    SQL_NEEDS,
    SQL_BLOCKED,
    SQL_BLOCKED_REASON,
    SQL_NEED_MIN,
    SQL_NEED_INC,
    SQL_DOT_INC,
    SQL_OWED,
    SQL_ITEM_HEADS,
    SQL_K_GET,
    SQL_K_PUT,
    SQL_K_DELETE,
    SQL_GCFLOOR_GET,
    SQL_GCFLOOR_PUT,
    SQL_OWNER_GET,
    SQL_OWNER_PUT,
    SQL_OWNER_COUNT,
    SQL_OWNER_COUNT_OF,
    SQL_MARKS,
    SQL_MARKS_OF,
    SQL_MARK_PUT,
    SQL_MARK_TRIM,
    SQL_APPROVAL_PUT,
    SQL_APPROVAL_TRIM,
    SQL_APPROVAL_LIST,
    SQL_ROLLBACK_PUT,
    SQL_ROLLBACK_HAS,
    SQL_ROLLBACKS,
    SQL_PEER_GET,
    SQL_PEER_PUT,
    SQL_PEER_REMOVE,
    SQL_JOURNAL_ADD,
    SQL_JOURNAL_REMOVE,
    SQL_JOURNAL_LIST,
    SQL_KEPT_ADD,
    SQL_KEPT_BY_CONTENT,
    SQL_KEPT_GET,
    SQL_KEPT_BY_FILE,
    SQL_KEPT_PUT,
    SQL_KEPT_REMOVE,
    SQL_KEPT_LIST,
    SQL_KEPT_OF,
    SQL_KEPT_BELOW,
    SQL_KEPT_OLDEST,
    SQL_KEPT_BATCH,
    SQL_KEPT_BATCH_LAST,
    SQL_KEPT_BATCH_FORGET,
    SQL_KEPT_PAST,
    SQL_KEPT_BYTES,
    SQL_LEAVES_PUT,
    SQL_LEAVES_GET,
    SQL_COUNT
};

extern const char *const statement_texts[SQL_COUNT];

// What item_put changes of a folder's row; written by the commit.
struct counts {
    uint32_t folder;
    bool dirty;
    uint64_t seq;
    uint64_t items;
    uint64_t bytes;
    uint64_t needs;
    uint64_t need_bytes;
    uint64_t blocked;
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT];
    bool in_txn;
    enum err txn_error;     // of the transaction under way
    enum err outside_error; // of calls outside one, until store_error asks
    bool unread;            // of reads outside one, until store_unread asks
    int said;               // SQLite's code that was logged, until something was written again
    int64_t changes;        // of the connection, when the transaction began
    struct counts *counts;  // of the folders touched since the last failure
    uint32_t counts_count;
    struct arena *scratch; // valid inside one call
    struct buf key;        // as the three below: kept to save allocations
    struct buf key_end;
    struct buf heads;
    struct buf local;
};

// ---- store.c. Like store_open, without the tables.
enum err store_connect(const char *path, struct store **out, struct fault *fault) MUST_USE;

// ---- schema.c. Makes the tables or brings them to STORE_SCHEMA_VERSION.
enum err schema_migrate(sqlite3 *db, struct fault *fault) MUST_USE;

// ---- query.c
// Logs the failure of the connection's last call and says which reaction it deserves.
enum err store_sqlite_error(sqlite3 *db, int code, const char *call);
// Remembers an error of the call under way.
void store_fail(struct store *store, enum err err);
// The same for bytes of ours that cannot be read back.
void store_fail_corrupt(struct store *store, const char *what);
bool store_quiet(const struct store *store); // an error is remembered in this transaction
void store_counts_forget(struct store *store);
// Groups several statements when the caller has no transaction of its own.
bool store_enter(struct store *store);
void store_leave(struct store *store, bool entered);

// One use of a prepared statement: bind in order, step, read columns. Quiet after an error.
struct query {
    struct store *store;
    sqlite3_stmt *stmt; // NULL: nothing will be found
    int bound;
};

struct query query_new(struct store *store, enum statement which);
void query_end(struct query *query); // for AUTO
void query_int(struct query *query, int64_t value);
void query_u64(struct query *query, uint64_t value);  // what is above INT64_MAX is cut to it
void query_bits(struct query *query, uint64_t value); // as it is: for sums, which may wrap
void query_inc(struct query *query, uint64_t inc);
void query_slice(struct query *query, struct slice bytes); // must stay until query_end
void query_null(struct query *query);
bool query_row(struct query *query); // false at the end and on errors
void query_run(struct query *query);

int64_t column_int(const struct query *query, int column);
uint64_t column_u64(const struct query *query, int column);
uint64_t column_inc(const struct query *query, int column);
struct slice column_slice(const struct query *query, int column); // until the next step
// Copies exactly `size` bytes, or fails as corrupt.
void column_bytes(const struct query *query, int column, void *out, size_t size);

// ---- folder.c
struct counts *folder_counts(struct store *store,
                             uint32_t folder); // NULL: no such folder, or an error

// ---- item_code.c
// Keys: paths with '/' as byte 0, so that memcmp is tree order. On `out`, which is cleared first.
struct slice key_of(struct buf *out, struct slice path);
struct slice key_path(struct arena *arena, struct slice key);
// Where the keys strictly below `path` begin (inclusive) and end (exclusive).
struct slice key_below_first(struct buf *out, struct slice path);
struct slice key_below_end(struct buf *out, struct slice path);
// The smallest key after that of `path`.
struct slice key_after(struct buf *out, struct slice path);
int64_t content_hint(const struct digest *content);

// What item_put derives from the heads.
struct heads_summary {
    bool live;
    uint64_t bytes;       // of the live file heads
    uint64_t first_bytes; // of the first head
    struct slice origin;  // of a conflict item that lives
    struct dots dots;
};
void heads_encode(const struct item *item, struct buf *out);
bool heads_decode(struct arena *arena, struct slice bytes, struct version **out,
                  uint32_t *out_count);
struct heads_summary heads_summarise(struct arena *arena, const struct version *heads,
                                     uint32_t count);
struct dots heads_dots(struct arena *arena, const struct version *heads, uint32_t count);
void local_encode(const struct item *item, struct buf *out);
bool local_decode(struct arena *arena, struct slice bytes, struct item *item);
bool local_here(const struct local *local); // something other than a tombstone
bool local_has_content(const struct local *local);

#endif
