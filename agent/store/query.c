// SPDX-License-Identifier: MIT
//
// One use of SQLite after another: prepared statements, bound values, and errors that are logged
// here once, remembered, and reported by whoever ends the transaction.
#include <errno.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/store/store_priv.h"

// SQLite names a full quota an I/O error; only the errno behind it tells.
static enum err io_error(sqlite3 *db)
{
    int number = sqlite3_system_errno(db);
    return number == ENOSPC || number == EDQUOT ? ERR_NO_SPACE : ERR_IO;
}

// Whatever is not the outside world's doing (constraints, types, misuse) means that what we stored
// is not what we think it is.
static enum err code_of(sqlite3 *db, int code)
{
    if ((code & 0xff) == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM) mem_exhausted();
    switch (code & 0xff) {
    case SQLITE_FULL: return ERR_NO_SPACE;
    case SQLITE_IOERR: return io_error(db);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ERR_BUSY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: return ERR_ACCESS;
    case SQLITE_CANTOPEN: return sqlite3_system_errno(db) == EACCES ? ERR_ACCESS : ERR_IO;
    default: return ERR_CORRUPT;
    }
}

enum err store_sqlite_error(sqlite3 *db, int code, const char *call)
{
    enum err err = code_of(db, code);
    char text[LOG_ESCAPED_MAX];
    log_error(LOG_STORE, "index call failed", "call=\"%.60s\" sqlite=%d errno=%d text=\"%s\"", call,
              code, sqlite3_system_errno(db), log_escape(slice_text(sqlite3_errmsg(db)), text));
    return err;
}

void store_fail(struct store *store, enum err err)
{
    enum err *place = store->in_txn ? &store->txn_error : &store->outside_error;
    if (*place == ERR_OK) *place = err;
}

void store_fail_corrupt(struct store *store, const char *what)
{
    log_error(LOG_STORE, "index row unreadable", "what=\"%s\"", what);
    store_fail(store, ERR_CORRUPT);
    store->unread |= !store->in_txn;
}

bool store_quiet(const struct store *store)
{
    return store->in_txn && store->txn_error != ERR_OK;
}

static void query_failed(struct query *query, int code)
{
    const char *sql = query->stmt ? sqlite3_sql(query->stmt) : NULL;
    struct store *store = query->store;
    // A full disk is met again every second.
    bool again = store->said == code;
    store->said = code;
    store_fail(store, again ? code_of(store->db, code)
                            : store_sqlite_error(store->db, code, sql ? sql : "prepare"));
    bool reads = query->stmt == NULL || sqlite3_stmt_readonly(query->stmt);
    store->unread |= reads && !store->in_txn;
    query_end(query);
}

struct query query_new(struct store *store, enum statement which)
{
    struct query query = {.store = store};
    if (store_quiet(store)) return query;
    sqlite3_stmt **cached = &store->statements[which];
    if (*cached == NULL) {
        int code = sqlite3_prepare_v3(store->db, statement_texts[which], -1,
                                      SQLITE_PREPARE_PERSISTENT, cached, NULL);
        if (code != SQLITE_OK) query_failed(&query, code);
    }
    query.stmt = *cached;
    return query;
}

// The result of a reset only repeats what the step before it said.
void query_end(struct query *query)
{
    if (query->stmt) (void)sqlite3_reset(query->stmt);
    query->stmt = NULL;
}

static void check_bound(const struct query *query, int code)
{
    CHECK(code == SQLITE_OK);
    CHECK(query->bound <= sqlite3_bind_parameter_count(query->stmt));
}

void query_int(struct query *query, int64_t value)
{
    if (!query->stmt) return;
    query->bound++;
    check_bound(query, sqlite3_bind_int64(query->stmt, query->bound, value));
}

void query_u64(struct query *query, uint64_t value)
{
    query_int(query, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void query_bits(struct query *query, uint64_t value)
{
    query_int(query, (int64_t)value);
}

void query_inc(struct query *query, uint64_t inc)
{
    query_int(query, (int64_t)(inc ^ (UINT64_C(1) << 63)));
}

void query_slice(struct query *query, struct slice bytes)
{
    if (!query->stmt) return;
    const void *data = bytes.size > 0 ? (const void *)bytes.data : "";
    query->bound++;
    check_bound(query, sqlite3_bind_blob64(query->stmt, query->bound, data, bytes.size, NULL));
}

void query_null(struct query *query)
{
    if (!query->stmt) return;
    query->bound++;
    check_bound(query, sqlite3_bind_null(query->stmt, query->bound));
}

bool query_row(struct query *query)
{
    if (!query->stmt) return false;
    int code = sqlite3_step(query->stmt);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE)
        query_end(query);
    else
        query_failed(query, code);
    return false;
}

void query_run(struct query *query)
{
    while (query_row(query))
        continue;
}

int64_t column_int(const struct query *query, int column)
{
    return sqlite3_column_int64(query->stmt, column);
}

uint64_t column_u64(const struct query *query, int column)
{
    return (uint64_t)column_int(query, column);
}

uint64_t column_inc(const struct query *query, int column)
{
    return column_u64(query, column) ^ (UINT64_C(1) << 63);
}

struct slice column_slice(const struct query *query, int column)
{
    const void *data = sqlite3_column_blob(query->stmt, column);
    return slice_of(data, (size_t)sqlite3_column_bytes(query->stmt, column));
}

void column_bytes(const struct query *query, int column, void *out, size_t size)
{
    struct slice bytes = column_slice(query, column);
    if (bytes.size != size) {
        store_fail_corrupt(query->store, "a value of the wrong size");
        return;
    }
    memcpy(out, bytes.data, size);
}
