// SPDX-License-Identifier: MIT
//
// Every statement that is prepared, so that what the indexes of schema.c are for can be seen in one
// place. Parameters are numbered in the order in which they are bound.
#include "agent/store/store_priv.h"

#define KEPT_COLUMNS "number, version, file, when_ms, by, batch, after_inc, after_counter"
#define ITEM_COLUMNS "row, key, seq, need, blocked, own_last, heads, local"
#define FOLDER_COLUMNS                                                                             \
    "folder, name, id, inc, nonce, counter, seq, first, scanned, ever_had_items, "                 \
    "witness_current, witness_next, items, bytes, needs, need_bytes, blocked, base, met, renew, "  \
    "doubt"

const char *const statement_texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_META_GET] = "SELECT value FROM meta WHERE key = CAST(?1 AS TEXT)",
    [SQL_META_PUT] = "INSERT OR REPLACE INTO meta(key, value) VALUES (CAST(?1 AS TEXT), ?2)",
    [SQL_FOLDER_BY_NAME] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE name = ?1",
    [SQL_FOLDER_BY_NUMBER] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE folder = ?1",
    [SQL_FOLDER_INSERT] =
        "INSERT INTO folder(id, inc, nonce, counter, first, scanned, ever_had_items,"
        " witness_current, witness_next, base, met, renew, doubt, name)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [SQL_FOLDER_UPDATE] =
        "UPDATE folder SET id = ?1, inc = ?2, nonce = ?3, counter = ?4, first = ?5, scanned = ?6,"
        " ever_had_items = ?7, witness_current = ?8, witness_next = ?9, base = ?10, met = ?11,"
        " renew = ?12, doubt = ?13 WHERE folder = ?14",
    [SQL_FOLDERS_RENEW] = "UPDATE folder SET renew = 1",
    [SQL_FOLDER_COUNTS] =
        "UPDATE folder SET seq = ?1, items = ?2, bytes = ?3, needs = ?4, need_bytes = ?5,"
        " blocked = ?6 WHERE folder = ?7",
    [SQL_FOLDER_DELETE] = "DELETE FROM folder WHERE folder = ?1",
    [SQL_CLEAR_ITEMS] = "DELETE FROM item WHERE folder = ?1",
    [SQL_CLEAR_DOTS] = "DELETE FROM dot WHERE folder = ?1",
    [SQL_CLEAR_K] = "DELETE FROM k WHERE folder = ?1",
    [SQL_CLEAR_GCFLOOR] = "DELETE FROM gcfloor WHERE folder = ?1",
    [SQL_CLEAR_PEERS] = "DELETE FROM peer WHERE folder = ?1",
    [SQL_CLEAR_JOURNAL] = "DELETE FROM journal WHERE folder = ?1",
    [SQL_CLEAR_KEPT] = "DELETE FROM kept WHERE folder = ?1",
    [SQL_CLEAR_LEAVES] = "DELETE FROM leaves WHERE folder = ?1",
    [SQL_CLEAR_OWNERS] = "DELETE FROM owner WHERE folder = ?1",
    [SQL_CLEAR_MARKS] = "DELETE FROM mark WHERE folder = ?1",
    [SQL_CLEAR_APPROVALS] = "DELETE FROM approval WHERE folder = ?1",
    [SQL_CLEAR_ROLLBACKS] = "DELETE FROM rollback WHERE folder = ?1",
    [SQL_ITEM_GET] = "SELECT " ITEM_COLUMNS " FROM item WHERE folder = ?1 AND key = ?2",
    [SQL_ITEM_OLD] = "SELECT row, seq, live, need, blocked, bytes, first_bytes, heads"
                     " FROM item WHERE folder = ?1 AND key = ?2",
    [SQL_ITEM_INSERT] =
        "INSERT INTO item(need, blocked, here, own_last, content, local, seq, live, dots, bytes,"
        " first_bytes, origin, heads, folder, key)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [SQL_ITEM_UPDATE] =
        "UPDATE item SET need = ?1, blocked = ?2, here = ?3, own_last = ?4, content = ?5,"
        " local = ?6, seq = ?7, live = ?8, dots = ?9, bytes = ?10, first_bytes = ?11,"
        " origin = ?12, heads = ?13, since = 0 WHERE row = ?14",
    [SQL_ITEM_UPDATE_LOCAL] =
        "UPDATE item SET need = ?1, blocked = ?2, here = ?3, own_last = ?4, content = ?5,"
        " local = ?6, since = CASE WHEN live = 1 AND ?1 = 0 THEN 0 ELSE since END WHERE row = ?7",
    [SQL_ITEM_DELETE] = "DELETE FROM item WHERE row = ?1",
    [SQL_ITEMS_RANGE] = "SELECT " ITEM_COLUMNS " FROM item"
                        " WHERE folder = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
    [SQL_LIVE_BELOW] = "SELECT 1 FROM item WHERE folder = ?1 AND key >= ?2 AND key < ?3"
                       " AND live = 1 LIMIT 1",
    [SQL_LOCAL_BELOW] = "SELECT 1 FROM item WHERE folder = ?1 AND key >= ?2 AND key < ?3"
                        " AND here = 1 LIMIT 1",
    [SQL_LIVE_PATHS] = "SELECT key FROM item WHERE folder = ?1 AND key >= ?2 AND key < ?3"
                       " AND live = 1 ORDER BY key LIMIT ?4",
    // With a bare key SQLite would walk all items in order rather than sort the few of an origin.
    [SQL_CONFLICTS_OF] = "SELECT key FROM item WHERE folder = ?1 AND origin = ?2"
                         " ORDER BY +key LIMIT ?3",
    [SQL_ITEM_ROW] = "SELECT row FROM item WHERE folder = ?1 AND key = ?2",
    [SQL_ITEM_BY_CONTENT] = "SELECT " ITEM_COLUMNS " FROM item"
                            " WHERE folder = ?1 AND content = ?2 AND row > ?3 ORDER BY row",
    [SQL_OWN_FORGET] = "UPDATE item SET own_last = 0 WHERE folder = ?1 AND own_last <> 0",
    [SQL_TOMBS_NOTE] = "UPDATE item SET since = ?2"
                       " WHERE folder = ?1 AND live = 0 AND dots > 0 AND since = 0",
    [SQL_TOMBS] = "SELECT key, row FROM item WHERE folder = ?1 AND live = 0 AND dots > 0"
                  " AND since > 0 AND since <= ?2 AND row > ?3 ORDER BY row LIMIT ?4",
    [SQL_SOUGHT_NOTE] = "UPDATE item SET since = ?3 WHERE folder = ?1 AND key = ?2 AND live = 1"
                        " AND need = 1 AND (since = 0) <> (?3 = 0)",
    [SQL_SOUGHT] = "SELECT key, since FROM item WHERE folder = ?1 AND live = 1 AND since > 0"
                   " AND key > ?2 ORDER BY key LIMIT ?3",
    [SQL_SOUGHT_SINCE] = "SELECT since FROM item WHERE folder = ?1 AND key = ?2 AND live = 1",
    [SQL_DOT_PUT] = "INSERT OR REPLACE INTO dot(folder, inc, counter, row, need)"
                    " VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_DOT_DELETE] = "DELETE FROM dot WHERE folder = ?1 AND inc = ?2 AND counter = ?3"
                       " AND row = ?4",
    [SQL_DOTS_AFTER] = "SELECT item.key, dot.counter FROM dot CROSS JOIN item ON item.row = dot.row"
                       " WHERE dot.folder = ?1 AND dot.inc = ?2 AND dot.counter > ?3"
                       " AND dot.counter <= ?4 ORDER BY dot.counter, dot.row LIMIT ?5",
    [SQL_SEQ_AFTER] = "SELECT key, seq FROM item WHERE folder = ?1 AND seq > ?2"
                      " ORDER BY seq LIMIT ?3",
    [SQL_SEQ_BEFORE] = "SELECT key, seq FROM item WHERE folder = ?1 AND seq < ?2"
                       " ORDER BY seq DESC LIMIT ?3",
    [SQL_NEEDS] = "SELECT key FROM item WHERE folder = ?1 AND need = 1 AND blocked = 0"
                  " AND key >= ?2 ORDER BY key LIMIT ?3",
    [SQL_BLOCKED] = "SELECT key FROM item WHERE folder = ?1 AND need = 1 AND blocked <> 0"
                    " ORDER BY live, key LIMIT ?2 OFFSET ?3",
    [SQL_BLOCKED_REASON] = "SELECT key FROM item WHERE folder = ?1 AND need = 1 AND blocked <> 0"
                           " AND blocked = ?2 ORDER BY live, key LIMIT ?3 OFFSET ?4",
    // Without a hint SQLite takes the primary key for these, and goes through every dot.
    [SQL_NEED_MIN] =
        "SELECT counter FROM dot INDEXED BY dot_need WHERE folder = ?1 AND inc = ?2 AND need = 1"
        " ORDER BY counter LIMIT 1",
    [SQL_NEED_INC] =
        "SELECT inc FROM dot INDEXED BY dot_need WHERE folder = ?1 AND inc >= ?2 AND need = 1"
        " ORDER BY inc LIMIT 1",
    [SQL_DOT_INC] = "SELECT inc FROM dot WHERE folder = ?1 AND inc >= ?2 ORDER BY inc LIMIT 1",
    [SQL_OWED] = "SELECT dot.counter, item.row, item.dots, item.bytes"
                 " FROM dot CROSS JOIN item ON item.row = dot.row"
                 " WHERE dot.folder = ?1 AND dot.inc = ?2 AND dot.counter > ?3",
    [SQL_ITEM_HEADS] = "SELECT heads FROM item WHERE row = ?1",
    [SQL_K_GET] = "SELECT inc, counter FROM k WHERE folder = ?1 ORDER BY inc",
    [SQL_K_PUT] = "INSERT OR REPLACE INTO k(folder, inc, counter) VALUES (?1, ?2, ?3)",
    [SQL_K_DELETE] = "DELETE FROM k WHERE folder = ?1 AND inc = ?2",
    [SQL_GCFLOOR_GET] = "SELECT inc, counter FROM gcfloor WHERE folder = ?1 ORDER BY inc",
    [SQL_GCFLOOR_PUT] = "INSERT INTO gcfloor(folder, inc, counter) VALUES (?1, ?2, ?3)",
    [SQL_OWNER_GET] = "SELECT device, nonce, name FROM owner WHERE folder = ?1 AND inc = ?2",
    [SQL_OWNER_PUT] = "INSERT OR REPLACE INTO owner(folder, inc, device, nonce, name)"
                      " VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_OWNER_COUNT] = "SELECT count(*) FROM owner WHERE folder = ?1",
    [SQL_OWNER_COUNT_OF] = "SELECT count(*) FROM owner WHERE folder = ?1 AND device = ?2",
    [SQL_APPROVAL_PUT] =
        "INSERT OR REPLACE INTO approval(folder, signer, inc, first, last, signature, vouched)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM approval WHERE"
        " folder = ?1 AND signer = ?2 AND inc = ?3 AND first = ?4 AND last >= ?5 AND"
        " vouched >= ?7)",
    [SQL_APPROVAL_TRIM] = "DELETE FROM approval WHERE folder = ?1 AND number <="
                          " (SELECT number FROM approval WHERE folder = ?1"
                          " ORDER BY number DESC LIMIT 1 OFFSET ?2)",
    [SQL_APPROVAL_LIST] = "SELECT number, signer, inc, first, last, signature, vouched FROM"
                          " approval WHERE folder = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    [SQL_MARKS] = "SELECT counter, first, epoch, signature FROM mark"
                  " WHERE folder = ?1 AND inc = ?2 ORDER BY counter DESC LIMIT ?3",
    [SQL_MARKS_OF] = "SELECT mark.inc, counter, first, epoch, signature FROM owner JOIN mark"
                     " ON mark.folder = owner.folder AND mark.inc = owner.inc"
                     " WHERE owner.folder = ?1 AND device = ?2 ORDER BY counter DESC LIMIT ?3",
    [SQL_MARK_PUT] = "INSERT INTO mark(folder, inc, counter, first, epoch, signature)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                     " ON CONFLICT(folder, inc, epoch) DO UPDATE SET counter = excluded.counter,"
                     " first = excluded.first, signature = excluded.signature"
                     " WHERE excluded.counter > mark.counter",
    [SQL_MARK_TRIM] = "DELETE FROM mark WHERE folder = ?1 AND inc = ?2 AND epoch NOT IN"
                      " (SELECT epoch FROM mark WHERE folder = ?1 AND inc = ?2"
                      " ORDER BY counter DESC LIMIT ?3)",
    [SQL_ROLLBACK_PUT] = "INSERT OR IGNORE INTO rollback(folder, old, fresh, counter, first, epoch,"
                         " signature) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_ROLLBACK_HAS] = "SELECT 1 FROM rollback WHERE folder = ?1 AND old = ?2"
                         " AND fresh BETWEEN ?3 AND ?4 LIMIT 1",
    [SQL_ROLLBACKS] = "SELECT number, old, fresh, counter, first, epoch, signature FROM rollback"
                      " WHERE folder = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    [SQL_PEER_GET] = "SELECT k, a, need_changes, need_bytes, blocked_total, blocked, seen_ms,"
                     " told, audit_ms, audit_due FROM peer WHERE folder = ?1 AND device = ?2",
    [SQL_PEER_PUT] = "INSERT OR REPLACE INTO peer(folder, device, k, a, need_changes, need_bytes,"
                     " blocked_total, blocked, seen_ms, told, audit_ms, audit_due)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [SQL_PEER_REMOVE] = "DELETE FROM peer WHERE device = ?1",
    [SQL_JOURNAL_ADD] = "INSERT INTO journal(folder, record) VALUES (?1, ?2)",
    [SQL_JOURNAL_REMOVE] = "DELETE FROM journal WHERE number = ?1 AND folder = ?2",
    [SQL_JOURNAL_LIST] = "SELECT number, record FROM journal WHERE folder = ?1"
                         " ORDER BY number LIMIT ?2",
    [SQL_KEPT_ADD] = "INSERT INTO kept(folder, key, when_ms, by, content, version, file, bytes,"
                     " batch, after_inc, after_counter)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [SQL_KEPT_BY_CONTENT] = "SELECT file FROM kept WHERE folder = ?1 AND content = ?2"
                            " ORDER BY number DESC LIMIT 1",
    [SQL_KEPT_GET] = "SELECT " KEPT_COLUMNS " FROM kept WHERE folder = ?1 AND number = ?2",
    [SQL_KEPT_BY_FILE] = "SELECT " KEPT_COLUMNS " FROM kept WHERE folder = ?1 AND file = ?2"
                         " AND file <> x'' ORDER BY number DESC LIMIT 1",
    [SQL_KEPT_PUT] = "UPDATE kept SET content = ?3, version = ?4, bytes = ?5"
                     " WHERE folder = ?1 AND number = ?2",
    [SQL_KEPT_REMOVE] = "DELETE FROM kept WHERE folder = ?1 AND number = ?2",
    [SQL_KEPT_LIST] = "SELECT " KEPT_COLUMNS " FROM kept WHERE folder = ?1 AND number < ?2"
                      " AND file <> x'' ORDER BY number DESC LIMIT ?3",
    [SQL_KEPT_OF] = "SELECT " KEPT_COLUMNS " FROM kept INDEXED BY kept_key WHERE folder = ?1"
                    " AND number < ?2 AND key = ?4 AND file <> x'' ORDER BY number DESC LIMIT ?3",
    // By the key, although the rows are sorted then: what is below is seldom all there is.
    [SQL_KEPT_BELOW] = "SELECT " KEPT_COLUMNS " FROM kept INDEXED BY kept_key WHERE folder = ?1"
                       " AND number < ?2 AND key >= ?4 AND key < ?5 AND file <> x''"
                       " ORDER BY number DESC LIMIT ?3",
    [SQL_KEPT_OLDEST] = "SELECT " KEPT_COLUMNS " FROM kept WHERE folder = ?1 AND number > ?2"
                        " AND file <> x'' ORDER BY number LIMIT ?3",
    // Batches rise with the numbers, so that the rows of the last one are the newest. What own
    // edits replaced stands between them, with -1 less the number.
    [SQL_KEPT_BATCH] = "SELECT " KEPT_COLUMNS " FROM kept WHERE number < ?1 AND folder = ?2"
                       " AND batch = ?3 ORDER BY number DESC LIMIT ?4",
    [SQL_KEPT_BATCH_LAST] =
        "SELECT CASE WHEN batch < 0 THEN -1 - batch ELSE batch END FROM kept WHERE number = max("
        "coalesce((SELECT number FROM kept WHERE folder = ?1 AND file <> x''"
        " ORDER BY number DESC LIMIT 1), 0), "
        "coalesce((SELECT number FROM kept WHERE folder = ?1 AND length(file) = 0"
        " ORDER BY number DESC LIMIT 1), 0))",
    // Their numbers first: the index that finds them loses them one by one.
    [SQL_KEPT_BATCH_FORGET] = "DELETE FROM kept WHERE number IN"
                              " (SELECT number FROM kept WHERE folder = ?1 AND length(file) = 0)",
    [SQL_KEPT_PAST] = "UPDATE kept SET batch = CASE WHEN batch < 0 THEN -1 ELSE 0 END"
                      " WHERE folder = ?1",
    [SQL_KEPT_BYTES] = "SELECT coalesce(sum(bytes), 0) FROM kept WHERE folder = ?1",
    [SQL_LEAVES_PUT] = "INSERT OR REPLACE INTO leaves(folder, content, size, leaves)"
                       " VALUES (?1, ?2, ?3, ?4)",
    [SQL_LEAVES_GET] = "SELECT leaves FROM leaves WHERE folder = ?1 AND content = ?2 AND size = ?3",
};
