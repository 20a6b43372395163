// SPDX-License-Identifier: MIT
//
// Opening and closing, and transactions. The page cache is small because the system's own cache has
// the file anyway, and because memory is promised by the megabyte (docs/STORAGE.md).
#include "agent/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/planted.h"
#include "agent/store/store_priv.h"

static const char *const settings = "PRAGMA journal_mode=WAL;"
                                    "PRAGMA synchronous=FULL;"
                                    "PRAGMA fullfsync=1;"
                                    "PRAGMA temp_store=MEMORY;"
                                    "PRAGMA mmap_size=0;"
                                    "PRAGMA cache_size=-2048;"
                                    "PRAGMA wal_autocheckpoint=1000;"
                                    "PRAGMA journal_size_limit=8388608;"
                                    "PRAGMA trusted_schema=0;"
                                    "PRAGMA cell_size_check=1;";

enum { BUSY_WAIT_MS = 1000 }; // somebody looks into the file with another program

static enum err refuse(struct fault *fault, enum err code, const char *what)
{
    *fault = (struct fault){.code = code, .what = what};
    return code;
}

// SQLite gives -wal and -shm the mode of the database, so that one is made private before SQLite
// sees it. fchmod, because the umask may have taken bits away that we need.
static enum err make_private(const char *path, struct fault *fault)
{
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    AUTO(fd_close) int fd = open(path, flags | O_CREAT | O_EXCL, 0600);
    if (fd < 0 && errno == EEXIST) fd = open(path, flags);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        enum err err = log_errno(LOG_STORE, "open", slice_text(path));
        return refuse(fault,
                      err == ERR_NO_SPACE ? err
                      : err == ERR_IO     ? err
                                          : ERR_ACCESS,
                      "the index cannot be opened");
    }
    if (!S_ISREG(st.st_mode)) return refuse(fault, ERR_CORRUPT, "the index is not a file");
    if ((st.st_mode & 07777) == 0600 || fchmod(fd, 0600) == 0) return ERR_OK;
    (void)log_errno(LOG_STORE, "fchmod", slice_text(path));
    return refuse(fault, ERR_ACCESS, "the index cannot be made private");
}

static enum err connect_db(struct store *store, const char *path, struct fault *fault)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (!path) flags |= SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY;
    int code = sqlite3_open_v2(path ? path : ":memory:", &store->db, flags, NULL);
    CHECK(store->db != NULL);
    if (code != SQLITE_OK) {
        return refuse(fault, store_sqlite_error(store->db, code, "open"),
                      "the index cannot be opened");
    }
    (void)sqlite3_busy_timeout(store->db, BUSY_WAIT_MS);
    // Else what asks a partial index by a value is prepared anew for each value.
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
    code = sqlite3_exec(store->db, settings, NULL, NULL, NULL);
    if (PLANTED(commit_not_full))
        (void)sqlite3_exec(store->db, "PRAGMA synchronous=NORMAL", 0, 0, 0);
    if (code != SQLITE_OK) {
        return refuse(fault, store_sqlite_error(store->db, code, "settings"),
                      "the index cannot be read");
    }
    return ERR_OK;
}

enum err store_connect(const char *path, struct store **out, struct fault *fault)
{
    *out = NULL;
    *fault = (struct fault){0};
    enum err err = path ? make_private(path, fault) : ERR_OK;
    if (err) return err;
    AUTO(store_close) struct store *store = mem_zalloc(1, sizeof *store);
    store->scratch = arena_new();
    err = connect_db(store, path, fault);
    if (!err) *out = TAKE(store);
    return err;
}

enum err store_open(const char *path, struct store **out, struct fault *fault)
{
    *out = NULL;
    AUTO(store_close) struct store *store = NULL;
    enum err err = store_connect(path, &store, fault);
    if (!err) err = schema_migrate(store->db, fault);
    if (!err) *out = TAKE(store);
    return err;
}

void store_close(struct store **store)
{
    struct store *s = *store;
    if (!s) return;
    if (s->in_txn) store_rollback(s);
    for (int i = 0; i < SQL_COUNT; i++)
        (void)sqlite3_finalize(s->statements[i]);
    (void)sqlite3_close(s->db);
    arena_destroy(&s->scratch);
    free(s->counts);
    buf_fini(&s->key);
    buf_fini(&s->key_end);
    buf_fini(&s->heads);
    buf_fini(&s->local);
    free(s);
    *store = NULL;
}

static void run(struct store *store, enum statement which)
{
    AUTO(query_end) struct query query = query_new(store, which);
    query_run(&query);
}

void store_begin(struct store *store)
{
    CHECK(!store->in_txn);
    store->in_txn = true;
    store->txn_error = ERR_OK;
    store->changes = sqlite3_total_changes64(store->db);
    run(store, SQL_BEGIN);
}

static void write_counts(struct store *store)
{
    for (uint32_t i = 0; i < store->counts_count; i++) {
        struct counts *counts = &store->counts[i];
        if (!counts->dirty) continue;
        AUTO(query_end) struct query query = query_new(store, SQL_FOLDER_COUNTS);
        query_u64(&query, counts->seq);
        query_bits(&query, counts->items);
        query_bits(&query, counts->bytes);
        query_bits(&query, counts->needs);
        query_bits(&query, counts->need_bytes);
        query_bits(&query, counts->blocked);
        query_int(&query, counts->folder);
        query_run(&query);
        counts->dirty = false;
    }
}

enum err store_commit(struct store *store)
{
    CHECK(store->in_txn);
    write_counts(store);
    run(store, SQL_COMMIT);
    enum err err = store->txn_error;
    if (err) {
        store_rollback(store);
        return err;
    }
    store->in_txn = false;
    if (sqlite3_total_changes64(store->db) != store->changes) store->said = SQLITE_OK;
    return ERR_OK;
}

// SQLite may have rolled back by itself (a full disk, an I/O error).
void store_rollback(struct store *store)
{
    CHECK(store->in_txn);
    store->in_txn = false;
    store->txn_error = ERR_OK;
    store_counts_forget(store);
    if (!sqlite3_get_autocommit(store->db)) run(store, SQL_ROLLBACK);
}

enum err store_error(struct store *store)
{
    enum err err = store->outside_error;
    store->outside_error = ERR_OK;
    return err;
}

bool store_unread(struct store *store)
{
    bool unread = store->unread;
    store->unread = false;
    return unread;
}

bool store_enter(struct store *store)
{
    if (store->in_txn) return false;
    store_begin(store);
    return true;
}

void store_leave(struct store *store, bool entered)
{
    if (!entered) return;
    enum err err = store_commit(store);
    if (err) store_fail(store, err);
}

void store_counts_forget(struct store *store)
{
    store->counts_count = 0;
}
