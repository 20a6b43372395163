// SPDX-License-Identifier: MIT
//
// Folders and what hangs on them: knowledge, owners, marks, peers, journal, kept versions, leaves.
#include "tests/unit/proto/make.h"
#include "tests/unit/store/store_test.h"

static void test_folder_row(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct folder_row row = {.name = slice_text("etc"), .inc = UINT64_MAX - 5, .first = true};
    struct folder_row got;
    memset(row.id.bytes, 1, 16);
    memset(row.nonce, 2, 16);
    memset(row.witness_current, 3, 16);
    memset(row.witness_next, 4, 16);
    assert_false(store_folder_get(store, arena, row.name, &got));
    store_folder_put(store, &row);
    row.counter = 9;
    row.first = false;
    row.scanned = true;
    row.ever_had_items = true;
    row.base = 7;
    row.met = row.renew = row.doubt = true;
    row.needs = 1234; // is not the caller's
    store_folder_put(store, &row);
    assert_true(store_folder_get(store, arena, slice_text("etc"), &got));
    assert_int_equal(got.folder, row.folder);
    assert_true(slice_is(got.name, "etc"));
    assert_memory_equal(got.id.bytes, row.id.bytes, 16);
    assert_memory_equal(got.nonce, row.nonce, 16);
    assert_memory_equal(got.witness_current, row.witness_current, 16);
    assert_memory_equal(got.witness_next, row.witness_next, 16);
    assert_true(got.inc == row.inc && got.counter == 9);
    assert_true(!got.first && got.scanned && got.ever_had_items);
    assert_true(got.base == 7 && got.met && got.renew && got.doubt);
    assert_int_equal(got.needs, 0);
    assert_false(store_folder_reload(store, arena, row.folder + 1, &got));
    assert_int_equal(store_error(store), ERR_OK);
}

// A number once given is not given to another folder: jobs under way may still carry it.
static void test_folder_numbers_are_not_reused(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    uint32_t first = add_folder(store, "a");
    store_folder_remove(store, first);
    assert_true(add_folder(store, "a") > first);
}

static void fill(struct store *store, struct arena *arena, uint32_t folder)
{
    struct item item = simple_item(arena, "x", KIND_FILE, 5, 1, false);
    struct peer_row peer = {.need_changes = 1};
    struct mark mark = {.inc = 5, .counter = 1, .first = 1};
    struct owner owner = {.inc = 5, .name = slice_text("laptop")};
    struct content content = {.size = 9};
    store_begin(store);
    store_item_put(store, folder, &item, true);
    store_k_set(store, folder, (struct dot){5, 1});
    store_gcfloor_put(store, folder, (struct vv){&(struct dot){5, 1}, 1});
    store_peer_put(store, folder, (struct device_id){{1}}, &peer);
    store_mark_put(store, folder, &mark);
    store_owner_put(store, folder, &owner);
    assert_true(store_journal_add(store, folder, slice_text("r")) > 0);
    const struct kept_row kept = {.version = item.heads[0], .file = slice_text("k1"), .batch = 3};
    store_kept_add(store, folder, &kept);
    store_leaves_put(store, folder, &content, (struct digest[1]){{{7}}}, 1);
    commit(store);
}

enum { HAS_ALL = 0x1ff, HAS_MARKS = 0x30, HAS_KEPT = 0x80 };

// One bit for each thing that is there.
static unsigned filled(struct store *store, struct arena *arena, uint32_t folder)
{
    struct item item;
    struct peer_row peer;
    struct mark mark;
    struct owner owner;
    struct journal_row row;
    struct slice file;
    struct digest *leaves;
    uint32_t count;
    uint64_t *incs;
    struct content content = {.size = 9};
    struct digest id = digest_of(1);
    store_item_get(store, arena, folder, slice_text("x"), &item);
    unsigned bits = item.head_count > 0 && store_dot_incs(store, arena, folder, &incs) == 1;
    bits |= (store_k(store, arena, folder).count > 0 ? 1u : 0u) << 1;
    bits |= (store_gcfloor(store, arena, folder).count > 0 ? 1u : 0u) << 2;
    bits |= (unsigned)store_peer_get(store, arena, folder, (struct device_id){{1}}, &peer) << 3;
    bits |= (unsigned)store_mark_get(store, folder, 5, &mark) << 4;
    bits |= (unsigned)store_owner_get(store, arena, folder, 5, &owner) << 5;
    bits |= (unsigned)store_journal_list(store, arena, folder, 1, &row) << 6;
    bits |= (unsigned)store_kept_by_content(store, arena, folder, &id, &file) << 7;
    bits |= (unsigned)store_leaves_get(store, arena, folder, &content, &leaves, &count) << 8;
    return bits;
}

static void test_clear_and_remove(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "a");
    uint32_t other = add_folder(store, "b");
    struct folder_row row;
    fill(store, arena, other);
    fill(store, arena, folder);
    assert_int_equal(filled(store, arena, folder), HAS_ALL);
    store_folder_clear(store, folder, false);
    assert_int_equal(filled(store, arena, folder), HAS_MARKS | HAS_KEPT);
    assert_true(store_folder_reload(store, arena, folder, &row));
    assert_int_equal(row.items + row.bytes + row.needs + row.need_bytes + row.blocked, 0);
    assert_int_equal(row.seq, 1);
    store_folder_clear(store, folder, true);
    assert_int_equal(filled(store, arena, folder), HAS_KEPT);
    assert_int_equal(store_kept_batch_last(store, folder), 0); // of another life: not undone
    fill(store, arena, folder);
    assert_int_equal(check_counts(store, folder), 1);
    store_folder_remove(store, folder);
    assert_int_equal(filled(store, arena, folder), 0);
    assert_false(store_folder_get(store, arena, slice_text("a"), &row));
    assert_int_equal(filled(store, arena, other), HAS_ALL);
    assert_int_equal(check_counts(store, other), 1);
    assert_int_equal(store_error(store), ERR_OK);
}

static void test_clear_can_be_taken_back(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "a");
    fill(store, arena, folder);
    store_begin(store);
    store_folder_remove(store, folder);
    assert_int_equal(filled(store, arena, folder), 0);
    store_rollback(store);
    assert_int_equal(filled(store, arena, folder), HAS_ALL);
    assert_int_equal(check_counts(store, folder), 1);
}

static void test_knowledge(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint64_t incs[] = {UINT64_MAX, 0, UINT64_C(1) << 63, 7, INT64_MAX};
    for (size_t i = 0; i < 5; i++)
        store_k_set(store, 1, (struct dot){incs[i], i + 1});
    struct vv k = store_k(store, arena, 1);
    assert_int_equal(k.count, 5);
    for (uint32_t i = 1; i < k.count; i++) {
        assert_true(k.entries[i - 1].inc < k.entries[i].inc); // the order of vectors
    }
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(vv_get(k, incs[i]), i + 1);
    store_k_set(store, 1, (struct dot){7, 2});
    store_k_set(store, 1, (struct dot){0, 0});
    k = store_k(store, arena, 1);
    assert_int_equal(k.count, 4);
    assert_int_equal(vv_get(k, 7), 2);
    store_gcfloor_put(store, 2, k);
    assert_true(vv_equal(store_gcfloor(store, arena, 2), k));
    store_gcfloor_put(store, 2, (struct vv){&(struct dot){3, INT64_MAX}, 1});
    struct vv floor = store_gcfloor(store, arena, 2);
    assert_int_equal(floor.count, 1);
    assert_true(floor.entries[0].inc == 3 && floor.entries[0].counter == INT64_MAX);
    assert_int_equal(store_error(store), ERR_OK);
}

static void test_highest_mark_is_kept(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    struct mark mark = {.inc = UINT64_MAX, .counter = 10, .first = 4, .epoch = UINT64_MAX};
    mark.signature.bytes[0] = 1;
    struct mark lower = {.inc = UINT64_MAX, .counter = 9, .signature = {{2}}};
    struct mark equal = {.inc = UINT64_MAX, .counter = 10, .signature = {{3}}};
    struct mark higher = {.inc = UINT64_MAX, .counter = 11, .first = 11, .signature = {{4}}};
    struct mark got;
    assert_false(store_mark_get(store, 1, UINT64_MAX, &got));
    store_mark_put(store, 1, &mark);
    store_mark_put(store, 1, &lower);
    store_mark_put(store, 1, &equal);
    assert_true(store_mark_get(store, 1, UINT64_MAX, &got));
    assert_int_equal(got.counter, 10);
    assert_memory_equal(&got, &mark, sizeof got);
    store_mark_put(store, 1, &higher);
    assert_true(store_mark_get(store, 1, UINT64_MAX, &got));
    assert_int_equal(got.counter, 11);
    assert_memory_equal(&got.signature, &higher.signature, sizeof got.signature);
    assert_false(store_mark_get(store, 2, UINT64_MAX, &got));
}

static void test_owner(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct owner owner = {.inc = 8, .device = {{9}}, .nonce = {3}, .name = slice_text("box")};
    struct owner got;
    assert_false(store_owner_get(store, arena, 1, 8, &got));
    store_owner_put(store, 1, &owner);
    owner.name = slice_text("box two");
    store_owner_put(store, 1, &owner);
    assert_true(store_owner_get(store, arena, 1, 8, &got));
    assert_true(slice_is(got.name, "box two"));
    assert_true(got.inc == 8 && got.device.bytes[0] == 9 && got.nonce[0] == 3);
}

static void test_peers(void **state)
{
    (void)state;
    struct chance c = {5};
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct device_id one = {{1}};
    struct device_id two = {{2}};
    struct peer_row row = {.k = make_vv(&c, arena, 3, 0), .a = make_vv(&c, arena, 0, 0)};
    struct peer_row got;
    row.need_changes = 3;
    row.need_bytes = 4;
    row.blocked_total = 5;
    row.blocked = slice_of("\0\1", 2);
    row.seen_ms = -6;
    assert_false(store_peer_get(store, arena, 1, one, &got));
    store_peer_put(store, 1, one, &row);
    store_peer_put(store, 2, one, &row);
    store_peer_put(store, 1, two, &(struct peer_row){0});
    assert_true(store_peer_get(store, arena, 1, one, &got));
    assert_true(vv_equal(got.k, row.k) && vv_equal(got.a, row.a));
    assert_true(got.need_changes == 3 && got.need_bytes == 4 && got.blocked_total == 5);
    assert_true(slice_equal(got.blocked, row.blocked));
    assert_int_equal(got.seen_ms, -6);
    store_peer_remove(store, one);
    assert_false(store_peer_get(store, arena, 1, one, &got));
    assert_false(store_peer_get(store, arena, 2, one, &got));
    assert_true(store_peer_get(store, arena, 1, two, &got));
    assert_int_equal(got.k.count, 0);
    assert_int_equal(store_error(store), ERR_OK);
}

static void test_journal_rows(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint64_t first = store_journal_add(store, 1, slice_text("one"));
    uint64_t second = store_journal_add(store, 1, slice_text("two"));
    uint64_t other = store_journal_add(store, 2, slice_text("other"));
    struct journal_row rows[4];
    assert_true(first < second && second < other);
    assert_int_equal(store_journal_list(store, arena, 1, 4, rows), 2);
    assert_true(rows[0].number == first && slice_is(rows[0].record, "one"));
    assert_true(rows[1].number == second && slice_is(rows[1].record, "two"));
    assert_int_equal(store_journal_list(store, arena, 1, 1, rows), 1);
    store_journal_remove(store, 2, first); // another folder's
    store_journal_remove(store, 1, second);
    store_journal_remove(store, 2, other);
    assert_int_equal(store_journal_list(store, arena, 1, 4, rows), 1);
    // Names on disk carry the number, so that it must never come back.
    assert_true(store_journal_add(store, 1, slice_text("three")) > other);
}

static void test_kept(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct version version = simple_version(arena, "d/x", KIND_FILE, 1, 6);
    struct version tomb = simple_version(arena, "d/x", KIND_TOMB, 1, 7);
    struct digest id = digest_of(6);
    struct slice file;
    assert_false(store_kept_by_content(store, arena, 1, &id, &file));
    struct kept_row row = {.version = version,
                           .file = slice_text("old"),
                           .when_ms = 1,
                           .by = {{1}},
                           .batch = 1,
                           .after = {.inc = 9, .counter = 4}};
    store_kept_add(store, 1, &row);
    row.file = slice_text("new");
    row.batch = 2;
    store_kept_add(store, 1, &row);
    row.version = tomb;
    row.file = slice_text("");
    store_kept_add(store, 1, &row);
    assert_true(store_kept_by_content(store, arena, 1, &id, &file));
    assert_true(slice_is(file, "new"));
    assert_false(store_kept_by_content(store, arena, 2, &id, &file));
    id = (struct digest){{0}};
    assert_false(store_kept_by_content(store, arena, 1, &id, &file));
}

static void test_kept_rows(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    const char *paths[] = {"d", "d/x", "d/x", "dx", "d/y"};
    struct kept_row rows[8];
    struct kept_row own = {.version = simple_version(arena, "e", KIND_FILE, 1, 9),
                           .file = slice_text("own"),
                           .own = true};
    store_kept_add(store, 2, &own); // before any batch
    assert_int_equal(store_kept_batch_last(store, 2), 0);
    assert_true(store_kept_list(store, arena, 2, own.version.path, INT64_MAX, 8, rows) == 1 &&
                rows[0].own);
    for (uint64_t i = 0; i < 5; i++) {
        struct kept_row row = {.version = simple_version(arena, paths[i], KIND_FILE, 1, 1 + i),
                               .file = slice_text(i == 4 ? "" : "file"),
                               .batch = 1 + i / 2,
                               .after = {.inc = UINT64_MAX, .counter = i}};
        store_kept_add(store, 1, &row);
    }
    assert_int_equal(store_kept_list(store, arena, 1, (struct slice){0}, INT64_MAX, 8, rows), 4);
    assert_true(slice_is(rows[0].version.path, "dx"));
    assert_true(rows[0].after.inc == UINT64_MAX && rows[0].after.counter == 3);
    assert_int_equal(store_kept_list(store, arena, 1, slice_text("d"), INT64_MAX, 8, rows), 3);
    assert_int_equal(store_kept_list(store, arena, 1, slice_text("d/x"), INT64_MAX, 8, rows), 2);
    uint64_t newest = rows[0].number;
    assert_int_equal(store_kept_list(store, arena, 1, slice_text("d/x"), newest, 8, rows), 1);
    assert_int_equal(store_kept_of(store, arena, 1, slice_text("d/x"), newest, 8, rows), 1);
    assert_int_equal(store_kept_of(store, arena, 1, slice_text("d/x"), INT64_MAX, 8, rows), 2);
    assert_int_equal(store_kept_of(store, arena, 1, slice_text("d"), INT64_MAX, 8, rows), 1);
    assert_int_equal(store_kept_batch_last(store, 1), 3);
    assert_int_equal(store_kept_batch(store, arena, 1, 2, INT64_MAX, 8, rows), 2);
    assert_int_equal(store_kept_batch(store, arena, 1, 3, INT64_MAX, 8, rows), 1);
    assert_int_equal(rows[0].file.size, 0);
    assert_false(rows[0].own);
    own.batch = 3; // comes after it and is not of it
    store_kept_add(store, 1, &own);
    assert_int_equal(store_kept_batch_last(store, 1), 3);
    assert_int_equal(store_kept_batch(store, arena, 1, 3, INT64_MAX, 8, rows), 1);
    assert_int_equal(store_kept_list(store, arena, 1, own.version.path, INT64_MAX, 8, rows), 1);
    assert_true(rows[0].own && rows[0].batch == 3);
    store_kept_remove(store, 1, rows[0].number);
    uint64_t bytes = store_kept_bytes(store, 1);
    store_kept_batch_begin(store, 1);
    assert_int_equal(store_kept_batch(store, arena, 1, 3, INT64_MAX, 8, rows), 0);
    assert_int_equal(store_kept_oldest(store, arena, 1, 0, 2, rows), 2);
    assert_true(slice_is(rows[0].version.path, "d"));
    store_kept_remove(store, 1, rows[0].number);
    assert_false(store_kept_get(store, arena, 1, rows[0].number, &rows[2]));
    assert_true(store_kept_get(store, arena, 1, rows[1].number, &rows[2]));
    assert_true(store_kept_bytes(store, 1) < bytes);
}

static void test_leaves(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct content content = {.id = digest_of(4), .size = 3 << 20};
    struct content longer = {.id = digest_of(4), .size = 4 << 20};
    struct digest leaves[3] = {{{1}}, {{2}}, {{3}}};
    struct digest *got = NULL;
    uint32_t count = 0;
    assert_false(store_leaves_get(store, arena, 1, &content, &got, &count));
    store_leaves_put(store, 1, &content, leaves, 3);
    store_leaves_put(store, 1, &content, leaves, 3);
    assert_true(store_leaves_get(store, arena, 1, &content, &got, &count));
    assert_int_equal(count, 3);
    assert_memory_equal(got, leaves, sizeof leaves);
    assert_false(store_leaves_get(store, arena, 1, &longer, &got, &count));
    assert_int_equal(store_error(store), ERR_OK);
}

static void test_meta(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    struct store *store = open_store(place.path);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice value;
    assert_false(store_meta_get(store, arena, "machine-id", &value));
    store_meta_put(store, "machine-id", slice_text("abc"));
    store_meta_put(store, "machine-id", slice_text("def"));
    store_meta_put(store, "empty", (struct slice){0});
    store_close(&store);
    store = open_store(place.path);
    assert_true(store_meta_get(store, arena, "machine-id", &value));
    assert_true(slice_is(value, "def"));
    assert_true(store_meta_get(store, arena, "empty", &value));
    assert_int_equal(value.size, 0);
    assert_int_equal(store_error(store), ERR_OK);
    store_close(&store);
    place_fini(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_row),
        cmocka_unit_test(test_folder_numbers_are_not_reused),
        cmocka_unit_test(test_clear_and_remove),
        cmocka_unit_test(test_clear_can_be_taken_back),
        cmocka_unit_test(test_knowledge),
        cmocka_unit_test(test_highest_mark_is_kept),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_journal_rows),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_kept_rows),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
