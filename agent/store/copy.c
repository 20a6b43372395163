// SPDX-License-Identifier: MIT
//
// A copy of an index in memory: what a backup of it would hold.
#include "agent/base/check.h"
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
