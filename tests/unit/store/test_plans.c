// SPDX-License-Identifier: MIT
//
// What is asked for often is found by an index, however many items there are: what SQLite makes of
// each statement, without statistics, as in an index of ours.
#include "agent/store/store_priv.h"
#include "tests/unit/store/store_test.h"

static bool plan_has(struct store *store, enum statement which, const char *text)
{
    AUTO(buf_fini) struct buf sql = {0};
    sqlite3_stmt *stmt = NULL;
    bool found = false;
    buf_printf(&sql, "EXPLAIN QUERY PLAN %s", statement_texts[which]);
    assert_int_equal(sqlite3_prepare_v2(store->db, buf_text(&sql), -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        found = found || strstr((const char *)sqlite3_column_text(stmt, 3), text) != NULL;
    sqlite3_finalize(stmt);
    return found;
}

static void test_items_by_index(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    assert_true(plan_has(store, SQL_CONFLICTS_OF, "item_origin"));
    assert_true(plan_has(store, SQL_ITEM_BY_CONTENT, "item_content"));
    assert_true(plan_has(store, SQL_NEEDS, "item_need"));
    assert_true(plan_has(store, SQL_NEED_MIN, "dot_need"));
    assert_true(plan_has(store, SQL_BLOCKED_REASON, "item_reason"));
    assert_true(plan_has(store, SQL_BLOCKED, "item_blocked"));
    for (int which = 0; which < SQL_COUNT; which++)
        assert_false(plan_has(store, (enum statement)which, "SCAN item"));
}

// Of all folders there may be many, and a page of them is asked for again and again.
static void test_kept_by_index(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    static const enum statement in_order[] = {SQL_KEPT_LIST, SQL_KEPT_OLDEST, SQL_KEPT_OF,
                                              SQL_KEPT_BATCH_LAST, SQL_KEPT_BATCH_FORGET};
    for (size_t i = 0; i < sizeof in_order / sizeof *in_order; i++) {
        assert_false(plan_has(store, in_order[i], "SCAN"));
        assert_false(plan_has(store, in_order[i], "TEMP B-TREE"));
    }
    assert_true(plan_has(store, SQL_KEPT_LIST, "kept_order (folder=? AND rowid<?)"));
    assert_true(plan_has(store, SQL_KEPT_OLDEST, "kept_order (folder=? AND rowid>?)"));
    assert_true(plan_has(store, SQL_KEPT_OF, "kept_key (folder=? AND key=? AND rowid<?)"));
    assert_true(plan_has(store, SQL_KEPT_BELOW, "kept_key (folder=? AND key>? AND key<?)"));
    assert_true(plan_has(store, SQL_KEPT_BATCH_FORGET, "kept_bare"));
    assert_true(plan_has(store, SQL_KEPT_BY_FILE, "kept_file"));
    assert_true(plan_has(store, SQL_KEPT_BY_CONTENT, "kept_content"));
}

static void test_prepared_once(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice paths[1];
    for (int reason = BLOCKED_NONE + 1; reason < BLOCKED_COUNT; reason++)
        (void)store_blocked(store, arena, 1, (enum blocked)reason, 0, 1, paths);
    sqlite3_stmt *asked = store->statements[SQL_BLOCKED_REASON];
    assert_int_equal(sqlite3_stmt_status(asked, SQLITE_STMTSTATUS_REPREPARE, 0), 0);
    assert_true(sqlite3_stmt_status(asked, SQLITE_STMTSTATUS_RUN, 0) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_by_index),
        cmocka_unit_test(test_kept_by_index),
        cmocka_unit_test(test_prepared_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
