// SPDX-License-Identifier: MIT
//
// The schema, in one place: step N takes a database from schema version N to N + 1. A step that has
// been released is never changed, only followed by another. docs/STORAGE.md explains the tables.
#include <assert.h>
#include <stdio.h>

#include "agent/base/log.h"
#include "agent/store/store_priv.h"

// "cfgs": tells our file from another program's.
#define APPLICATION_ID 0x63666773

// In two parts: a string has its limits.
static const char *const steps[][2] = {
    {
        "CREATE TABLE meta("
        "  key TEXT PRIMARY KEY,"
        "  value BLOB NOT NULL"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE folder("
        "  folder INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  name BLOB NOT NULL UNIQUE,"
        "  id BLOB NOT NULL,"
        "  inc INTEGER NOT NULL,"
        "  nonce BLOB NOT NULL,"
        "  counter INTEGER NOT NULL,"
        "  seq INTEGER NOT NULL DEFAULT 0,"
        "  first INTEGER NOT NULL,"
        "  scanned INTEGER NOT NULL,"
        "  ever_had_items INTEGER NOT NULL,"
        "  base INTEGER NOT NULL,"
        "  met INTEGER NOT NULL,"
        "  renew INTEGER NOT NULL,"
        "  doubt INTEGER NOT NULL,"
        "  witness_current BLOB NOT NULL,"
        "  witness_next BLOB NOT NULL,"
        "  items INTEGER NOT NULL DEFAULT 0,"
        "  bytes INTEGER NOT NULL DEFAULT 0,"
        "  needs INTEGER NOT NULL DEFAULT 0,"
        "  need_bytes INTEGER NOT NULL DEFAULT 0,"
        "  blocked INTEGER NOT NULL DEFAULT 0"
        ") STRICT;"
        "CREATE TABLE item("
        "  row INTEGER PRIMARY KEY,"
        "  folder INTEGER NOT NULL,"
        "  key BLOB NOT NULL,"
        "  seq INTEGER NOT NULL,"
        "  live INTEGER NOT NULL,"
        "  need INTEGER NOT NULL,"
        "  blocked INTEGER NOT NULL,"
        "  here INTEGER NOT NULL,"
        "  own_last INTEGER NOT NULL,"
        "  since INTEGER NOT NULL DEFAULT 0,"
        "  dots INTEGER NOT NULL,"
        "  bytes INTEGER NOT NULL,"
        "  first_bytes INTEGER NOT NULL,"
        "  content INTEGER,"
        "  origin BLOB,"
        "  heads BLOB NOT NULL,"
        "  local BLOB NOT NULL"
        ") STRICT;"
        "CREATE UNIQUE INDEX item_key ON item(folder, key);"
        "CREATE INDEX item_seq ON item(folder, seq);"
        "CREATE INDEX item_need ON item(folder, key) WHERE need = 1 AND blocked = 0;"
        "CREATE INDEX item_blocked ON item(folder, live, key) WHERE need = 1 AND blocked <> 0;"
        "CREATE INDEX item_content ON item(folder, content) WHERE content IS NOT NULL;"
        "CREATE INDEX item_origin ON item(folder, origin) WHERE origin IS NOT NULL;"
        "CREATE INDEX item_tomb ON item(folder, row, since) WHERE live = 0 AND dots > 0;"
        "CREATE TABLE dot("
        "  folder INTEGER NOT NULL,"
        "  inc INTEGER NOT NULL,"
        "  counter INTEGER NOT NULL,"
        "  row INTEGER NOT NULL,"
        "  need INTEGER NOT NULL,"
        "  PRIMARY KEY(folder, inc, counter, row)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE INDEX dot_need ON dot(folder, inc, counter) WHERE need = 1;"
        "CREATE TABLE k("
        "  folder INTEGER NOT NULL,"
        "  inc INTEGER NOT NULL,"
        "  counter INTEGER NOT NULL,"
        "  PRIMARY KEY(folder, inc)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE gcfloor("
        "  folder INTEGER NOT NULL,"
        "  inc INTEGER NOT NULL,"
        "  counter INTEGER NOT NULL,"
        "  PRIMARY KEY(folder, inc)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE owner("
        "  folder INTEGER NOT NULL,"
        "  inc INTEGER NOT NULL,"
        "  device BLOB NOT NULL,"
        "  nonce BLOB NOT NULL,"
        "  name BLOB NOT NULL,"
        "  PRIMARY KEY(folder, inc)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE mark("
        "  folder INTEGER NOT NULL,"
        "  inc INTEGER NOT NULL,"
        "  counter INTEGER NOT NULL,"
        "  signature BLOB NOT NULL,"
        "  PRIMARY KEY(folder, inc)"
        ") STRICT, WITHOUT ROWID;",
        "CREATE TABLE approval("
        "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  folder INTEGER NOT NULL,"
        "  signer BLOB NOT NULL,"
        "  inc INTEGER NOT NULL,"
        "  first INTEGER NOT NULL,"
        "  last INTEGER NOT NULL,"
        "  signature BLOB NOT NULL,"
        "  vouched INTEGER NOT NULL,"
        "  UNIQUE(folder, signer, inc, first)"
        ") STRICT;"
        "CREATE TABLE rollback("
        "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  folder INTEGER NOT NULL,"
        "  old INTEGER NOT NULL,"
        "  fresh INTEGER NOT NULL,"
        "  counter INTEGER NOT NULL,"
        "  signature BLOB NOT NULL"
        ") STRICT;"
        "CREATE UNIQUE INDEX rollback_old ON rollback(folder, old, fresh);"
        "CREATE TABLE peer("
        "  folder INTEGER NOT NULL,"
        "  device BLOB NOT NULL,"
        "  k BLOB NOT NULL,"
        "  a BLOB NOT NULL,"
        "  need_changes INTEGER NOT NULL,"
        "  need_bytes INTEGER NOT NULL,"
        "  blocked_total INTEGER NOT NULL,"
        "  blocked BLOB NOT NULL,"
        "  seen_ms INTEGER NOT NULL,"
        "  told INTEGER NOT NULL,"
        "  audit_ms INTEGER NOT NULL,"
        "  audit_due INTEGER NOT NULL,"
        "  PRIMARY KEY(folder, device)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE journal("
        "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  folder INTEGER NOT NULL,"
        "  record BLOB NOT NULL"
        ") STRICT;"
        "CREATE TABLE kept("
        "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  folder INTEGER NOT NULL,"
        "  key BLOB NOT NULL,"
        "  when_ms INTEGER NOT NULL,"
        "  by BLOB NOT NULL,"
        "  content BLOB,"
        "  version BLOB NOT NULL,"
        "  file BLOB NOT NULL,"
        "  bytes INTEGER NOT NULL,"
        "  batch INTEGER NOT NULL,"
        "  after_inc INTEGER NOT NULL,"
        "  after_counter INTEGER NOT NULL"
        ") STRICT;"
        "CREATE INDEX kept_key ON kept(folder, key) WHERE file <> x'';"
        "CREATE INDEX kept_file ON kept(folder, file) WHERE file <> x'';"
        "CREATE INDEX kept_content ON kept(folder, content) WHERE content IS NOT NULL;"
        "CREATE TABLE leaves("
        "  folder INTEGER NOT NULL,"
        "  content BLOB NOT NULL,"
        "  size INTEGER NOT NULL,"
        "  leaves BLOB NOT NULL,"
        "  PRIMARY KEY(folder, content, size)"
        ") STRICT;",
    },
    {
        "CREATE INDEX IF NOT EXISTS item_sought ON item(folder, key) WHERE live = 1 AND since > 0;",
        "",
    },
    {
        "ALTER TABLE mark RENAME TO mark_before;"
        "CREATE TABLE mark("
        "  folder INTEGER NOT NULL,"
        "  inc INTEGER NOT NULL,"
        "  epoch INTEGER NOT NULL,"
        "  first INTEGER NOT NULL,"
        "  counter INTEGER NOT NULL,"
        "  signature BLOB NOT NULL,"
        "  PRIMARY KEY(folder, inc, epoch)"
        ") STRICT, WITHOUT ROWID;"
        "INSERT INTO mark SELECT folder, inc, 0, counter, counter, signature FROM mark_before;"
        "DROP TABLE mark_before;",
        "ALTER TABLE rollback ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE rollback ADD COLUMN first INTEGER NOT NULL DEFAULT 0;"
        "UPDATE rollback SET first = counter;",
    },
    {
        "CREATE INDEX IF NOT EXISTS item_reason ON item(folder, blocked, live, key)"
        " WHERE need = 1 AND blocked <> 0;",
        "",
    },
    {
        // By its length: for a condition like that of a query, file = ?, SQLite would look at what
        // is bound there, and compile the query anew for each value.
        "CREATE INDEX IF NOT EXISTS kept_order ON kept(folder) WHERE file <> x'';"
        "CREATE INDEX IF NOT EXISTS kept_bare ON kept(folder) WHERE length(file) = 0;",
        "",
    },
};

static_assert(sizeof steps / sizeof steps[0] == STORE_SCHEMA_VERSION, "one step for each version");

static enum err read_int(sqlite3 *db, const char *sql, int *out)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(stmt);
    bool found = code == SQLITE_ROW;
    if (found) *out = sqlite3_column_int(stmt, 0);
    enum err err = found ? ERR_OK : store_sqlite_error(db, code, sql);
    (void)sqlite3_finalize(stmt);
    return err;
}

static enum err run(sqlite3 *db, const char *sql, const char *call)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ERR_OK : store_sqlite_error(db, code, call);
}

static enum err migrate_one(sqlite3 *db, int version)
{
    char stamp[96];
    (void)snprintf(stamp, sizeof stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                   APPLICATION_ID, version + 1);
    enum err err = run(db, "BEGIN IMMEDIATE", "begin");
    for (int part = 0; part < 2 && !err; part++)
        err = run(db, steps[version][part], "migrate");
    if (!err) err = run(db, stamp, "stamp");
    if (err && !sqlite3_get_autocommit(db)) (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

static enum err refuse(struct fault *fault, enum err code, const char *what)
{
    *fault = (struct fault){.code = code, .what = what};
    return code;
}

enum err schema_migrate(sqlite3 *db, struct fault *fault)
{
    int version = 0;
    int application = 0;
    int tables = 0;
    enum err err = read_int(db, "PRAGMA user_version", &version);
    if (!err) err = read_int(db, "PRAGMA application_id", &application);
    if (!err) err = read_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (err) return refuse(fault, err, "the index cannot be read");
    bool fresh = version == 0 && tables == 0 && application == 0;
    if (!fresh && application != APPLICATION_ID) {
        return refuse(fault, ERR_CORRUPT, "the index is another program's database");
    }
    if (version > STORE_SCHEMA_VERSION) {
        return refuse(fault, ERR_CONFIG, "the index was made by a newer program");
    }
    if (version < (fresh ? 0 : 1)) return refuse(fault, ERR_CORRUPT, "the index has no schema");
    int before = version;
    for (; version < STORE_SCHEMA_VERSION; version++) {
        err = migrate_one(db, version);
        if (err) return refuse(fault, err, "the index cannot be brought up to date");
    }
    if (!fresh && before < version)
        log_info(LOG_STORE, "index migrated", "from=%d to=%d", before, version);
    return ERR_OK;
}
