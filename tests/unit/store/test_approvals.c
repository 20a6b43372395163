// SPDX-License-Identifier: MIT
//
// Approvals: kept once, widened, the newest of them, gone with the folder.
#include "tests/unit/store/store_test.h"

static struct approval_row row_of(uint8_t signer, uint64_t inc, uint64_t from, uint64_t to)
{
    struct approval_row row = {.approval = {.span = {inc, from, to}}};
    row.approval.signer.bytes[0] = signer;
    row.approval.signature.bytes[0] = (uint8_t)to;
    return row;
}

static void test_kept_once(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(store_close) struct store *store = open_store(NULL);
    uint32_t folder = add_folder(store, "f");
    struct approval_row rows[8];
    struct approval_row one = row_of(1, UINT64_MAX - 3, 5, 9);
    assert_true(store_approval_put(store, folder, &one));
    assert_false(store_approval_put(store, folder, &one));
    one.vouched = true; // heard from somebody who is believed
    assert_true(store_approval_put(store, folder, &one));
    struct approval_row narrow = row_of(1, UINT64_MAX - 3, 5, 7);
    assert_false(store_approval_put(store, folder, &narrow));
    struct approval_row wide = row_of(1, UINT64_MAX - 3, 5, 20);
    wide.vouched = true;
    assert_true(store_approval_put(store, folder, &wide));
    struct approval_row other = row_of(2, 7, 1, INT64_MAX);
    assert_true(store_approval_put(store, folder, &other));
    assert_int_equal(store_approvals(store, arena, folder, 0, 8, rows), 2);
    assert_true(rows[0].number < rows[1].number && rows[0].vouched && !rows[1].vouched);
    assert_true(rows[0].approval.span.inc == UINT64_MAX - 3 && rows[0].approval.span.to == 20);
    assert_int_equal(rows[0].approval.signature.bytes[0], 20);
    assert_true(rows[1].approval.span.to == INT64_MAX && rows[1].approval.signer.bytes[0] == 2);
    assert_int_equal(store_approvals(store, arena, folder, rows[0].number, 8, rows), 1);
    store_folder_clear(store, folder, true);
    assert_int_equal(store_approvals(store, arena, folder, 0, 8, rows), 0);
}

static void test_newest(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(store_close) struct store *store = open_store(NULL);
    uint32_t folder = add_folder(store, "f"), other = add_folder(store, "g");
    struct approval_row *rows = arena_alloc(arena, 1000, sizeof *rows);
    struct approval_row kept = row_of(1, 1, 1, 1);
    assert_true(store_approval_put(store, other, &kept));
    for (uint64_t i = 1; i <= PROTO_APPROVALS_MAX + 50; i++) {
        struct approval_row row = row_of(1, 2, i, i);
        assert_true(store_approval_put(store, folder, &row));
    }
    assert_int_equal(store_approvals(store, arena, folder, 0, 1000, rows), PROTO_APPROVALS_MAX);
    assert_int_equal(rows[0].approval.span.from, 51);
    assert_int_equal(store_approvals(store, arena, other, 0, 1000, rows), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_once),
        cmocka_unit_test(test_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
