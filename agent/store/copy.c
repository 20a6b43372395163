// SPDX-License-Identifier: MIT
//
// An index in memory, for tests: a copy of it, which is what a backup would hold, and none of it.
#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/store/store_priv.h"

struct store *store_copy(const struct store *store)
{
    struct store *copy = NULL;
    struct fault fault;
    CHECK(store_connect(NULL, &copy, &fault) == ERR_OK);
    sqlite3_backup *backup = sqlite3_backup_init(copy->db, "main", store->db, "main");
    CHECK(backup != NULL && sqlite3_backup_step(backup, -1) == SQLITE_DONE);
    CHECK(sqlite3_backup_finish(backup) == SQLITE_OK);
    return copy;
}

void store_clear(struct store *store)
{
    static const char all[] = "SELECT group_concat('DELETE FROM \"' || name || '\"', ';') "
                              "FROM sqlite_master WHERE type = 'table'";
    sqlite3_stmt *tables = NULL;
    if (store->in_txn) store_rollback(store);
    CHECK(sqlite3_prepare_v2(store->db, all, -1, &tables, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(tables) == SQLITE_ROW);
    AUTO(mem_free) char *text = mem_strdup((const char *)sqlite3_column_text(tables, 0));
    CHECK(sqlite3_finalize(tables) == SQLITE_OK);
    CHECK(sqlite3_exec(store->db, text, NULL, NULL, NULL) == SQLITE_OK);
    store_counts_forget(store);
    store->txn_error = store->outside_error = ERR_OK;
    store->unread = false;
    store->said = 0;
}
