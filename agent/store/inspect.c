// SPDX-License-Identifier: MIT
//
// A look into the index beside the agent that has it open.
#include <string.h>

#include "agent/base/own.h"
#include "agent/store/store_priv.h"

static void close_db(sqlite3 **db)
{
    (void)sqlite3_close(*db);
    *db = NULL;
}

enum err store_inspect(const char *path, struct buf *out_problem)
{
    AUTO(close_db) sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    sqlite3_stmt *check = NULL;
    int code = sqlite3_open_v2(path, &db, flags, NULL);
    if (code == SQLITE_OK) (void)sqlite3_busy_timeout(db, 5000);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &check, NULL);
    if (code == SQLITE_OK && sqlite3_step(check) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(check, 0);
        if (text != NULL && strcmp(text, "ok") != 0) buf_append_text(out_problem, text);
    } else {
        buf_append_text(out_problem, sqlite3_errmsg(db));
    }
    (void)sqlite3_finalize(check);
    return out_problem->size == 0 ? ERR_OK : ERR_CORRUPT;
}

const char *store_library(void)
{
    return sqlite3_libversion();
}
