// SPDX-License-Identifier: MIT
//
// Items: what is put is what is read, in tree order, and the questions about parts of the tree.
#include "tests/unit/proto/make.h"
#include "tests/unit/store/store_test.h"

static struct local random_local(struct chance *c, struct arena *arena, const struct item *item)
{
    struct local local = {.state = (enum local_state)chance_below(c, LOCAL_OBSOLETE + 1)};
    if (local.state == LOCAL_NONE) return local;
    bool as_head = item->head_count > 0 && chance_below(c, 2);
    local.version = as_head ? item->heads[0] : make_version(c, arena);
    local.racy = chance_below(c, 2);
    if (chance_below(c, 2)) local.disk_name = slice_text("Cafe\xcc\x81");
    local.print = (struct fingerprint){
        .present = chance_below(c, 2),
        .kind = (enum kind)chance_below(c, KIND_SYMLINK + 1),
        .mode = chance_below(c, 010000),
        .device = make_number(c),
        .ino = make_number(c),
        .size = make_number(c),
        .links = make_number(c),
        .mtime_ns = (int64_t)make_number(c),
        .ctime_ns = -(int64_t)(make_number(c) >> 1),
    };
    return local;
}

static struct item random_item(struct chance *c, struct arena *arena)
{
    struct item item = {.path = make_path(c, arena), .head_count = chance_below(c, 4)};
    item.heads = arena_alloc(arena, item.head_count, sizeof *item.heads);
    for (uint32_t i = 0; i < item.head_count; i++)
        item.heads[i] = make_version(c, arena);
    item.local = random_local(c, arena, &item);
    item.blocked = (enum blocked)chance_below(c, BLOCKED_COUNT);
    item.need = chance_below(c, 2);
    item.own_last = make_number(c) >> 1;
    return item;
}

static void assert_same_version(const struct version *a, const struct version *b)
{
    AUTO(buf_fini) struct buf left = {0};
    AUTO(buf_fini) struct buf right = {0};
    version_encode(a, &left);
    version_encode(b, &right);
    assert_true(slice_equal(buf_slice(&left), buf_slice(&right)));
}

static void assert_same_print(const struct fingerprint *a, const struct fingerprint *b)
{
    assert_int_equal(a->present, b->present);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->mode, b->mode);
    assert_true(a->device == b->device && a->ino == b->ino);
    assert_true(a->size == b->size && a->links == b->links);
    assert_true(a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns);
}

static void assert_same_item(const struct item *a, const struct item *b)
{
    assert_true(slice_equal(a->path, b->path));
    assert_int_equal(a->head_count, b->head_count);
    for (uint32_t i = 0; i < a->head_count; i++)
        assert_same_version(&a->heads[i], &b->heads[i]);
    assert_int_equal(a->local.state, b->local.state);
    if (a->local.state != LOCAL_NONE) {
        assert_same_version(&a->local.version, &b->local.version);
        assert_same_print(&a->local.print, &b->local.print);
        assert_int_equal(a->local.racy, b->local.racy);
        assert_true(slice_equal(a->local.disk_name, b->local.disk_name));
    }
    assert_int_equal(a->blocked, b->blocked);
    assert_int_equal(a->need, b->need);
    assert_true(a->own_last == b->own_last);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->row, b->row);
}

static void test_what_is_put_is_read(void **state)
{
    (void)state;
    struct chance c = {1};
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    for (int i = 0; i < 500; i++) {
        struct item item = random_item(&c, arena);
        struct item got;
        store_item_put(store, folder, &item, true);
        store_item_get(store, arena, folder, item.path, &got);
        assert_int_equal(store_error(store), ERR_OK);
        if (item.head_count == 0 && item.local.state == LOCAL_NONE) {
            assert_int_equal(got.row, 0);
            continue;
        }
        assert_same_item(&item, &got);
        got.own_last++;
        got.local.racy = !got.local.racy;
        store_item_put(store, folder, &got, false);
        assert_int_equal(got.seq, item.seq);
        store_item_get(store, arena, folder, item.path, &item);
        assert_same_item(&got, &item);
        arena_reset(arena);
    }
    assert_true(check_counts(store, folder) > 300);
}

static void test_absent_item_is_filled(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item;
    memset(&item, 0xff, sizeof item);
    store_item_get(store, arena, 1, slice_text("x/y"), &item);
    assert_true(slice_is(item.path, "x/y"));
    assert_int_equal(item.head_count, 0);
    assert_int_equal(item.local.state, LOCAL_NONE);
    assert_int_equal(item.row, 0);
}

static const char *const tree[] = {"a", "a/b", "a/b/c", "a\x01", "a b", "a!", "a-b", "a0", "b"};
enum { TREE = sizeof tree / sizeof tree[0] };

static uint32_t plant(struct store *store, struct arena *arena)
{
    uint32_t folder = add_folder(store, "tree");
    for (uint32_t i = 0; i < TREE; i++) {
        uint32_t at = i * 4 % TREE; // every one, in another order
        struct item item = simple_item(arena, tree[at], KIND_FILE, 5, at + 1, at % 2 == 0);
        store_item_put(store, folder, &item, true);
    }
    return folder;
}

static void test_tree_order(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = plant(store, arena);
    struct item items[TREE + 1];
    struct slice none = {0};
    assert_int_equal(store_items_after(store, arena, folder, none, none, true, TREE + 1, items),
                     TREE);
    for (uint32_t i = 0; i < TREE; i++)
        assert_true(slice_is(items[i].path, tree[i]));
    for (uint32_t i = 0; i < TREE; i++) {
        struct slice after = slice_text(tree[i]);
        uint32_t got = store_items_after(store, arena, folder, none, after, false, 1, items);
        assert_int_equal(got, i + 1 < TREE);
        if (got) assert_true(slice_is(items[0].path, tree[i + 1]));
    }
    // A path that is not stored is a place, too.
    assert_int_equal(
        store_items_after(store, arena, folder, none, slice_text("a/zz"), false, 1, items), 1);
    assert_true(slice_is(items[0].path, "a\x01"));
}

static void test_prefix(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = plant(store, arena);
    struct item items[TREE];
    struct slice a = slice_text("a");
    struct slice none = {0};
    assert_int_equal(store_items_after(store, arena, folder, a, none, true, TREE, items), 3);
    assert_true(slice_is(items[0].path, "a"));
    assert_true(slice_is(items[2].path, "a/b/c"));
    assert_int_equal(store_items_after(store, arena, folder, a, a, false, TREE, items), 2);
    assert_int_equal(
        store_items_after(store, arena, folder, a, slice_text("a/b/c"), false, TREE, items), 0);
    assert_int_equal(
        store_items_after(store, arena, folder, a, slice_text("0"), false, TREE, items), 3);
    assert_int_equal(store_items_after(store, arena, folder + 1, none, none, true, TREE, items), 0);
}

static void test_below(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    assert_false(store_live_below(store, folder, (struct slice){0}));
    struct item sibling = simple_item(arena, "d-x", KIND_FILE, 1, 1, true);
    struct item tomb = simple_item(arena, "d/t", KIND_TOMB, 1, 2, true);
    struct item live = simple_item(arena, "d/l", KIND_FILE, 1, 3, false);
    store_item_put(store, folder, &sibling, true);
    store_item_put(store, folder, &tomb, true);
    assert_false(store_live_below(store, folder, slice_text("d")));
    assert_false(store_local_below(store, folder, slice_text("d")));
    assert_true(store_live_below(store, folder, (struct slice){0}));
    store_item_put(store, folder, &live, true);
    assert_true(store_live_below(store, folder, slice_text("d")));
    assert_false(store_local_below(store, folder, slice_text("d")));
    assert_false(store_live_below(store, folder, slice_text("d/l")));
    struct slice paths[4];
    assert_int_equal(store_live_paths_below(store, arena, folder, slice_text("d"), 4, paths), 1);
    assert_true(slice_is(paths[0], "d/l"));
    assert_int_equal(store_live_paths_below(store, arena, folder, (struct slice){0}, 4, paths), 2);
    live.local = (struct local){.state = LOCAL_DIRTY, .version = live.heads[0]};
    store_item_put(store, folder, &live, false);
    assert_true(store_local_below(store, folder, slice_text("d")));
}

static void test_conflicts_of(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    struct slice paths[4];
    const char *names[] = {".cfgsync/conflicts/b-x", ".cfgsync/conflicts/a-x"};
    for (uint64_t i = 0; i < 2; i++) {
        struct item copy = simple_item(arena, names[i], KIND_FILE, 1, 1 + i, true);
        copy.heads[0].origin = slice_text("x");
        store_item_put(store, folder, &copy, true);
    }
    struct item other = simple_item(arena, ".cfgsync/conflicts/c-y", KIND_FILE, 1, 3, true);
    other.heads[0].origin = slice_text("y");
    store_item_put(store, folder, &other, true);
    assert_int_equal(store_conflicts_of(store, arena, folder, slice_text("x"), 4, paths), 2);
    assert_true(slice_is(paths[0], names[1]));
    assert_true(slice_is(paths[1], names[0]));
    assert_int_equal(store_conflicts_of(store, arena, folder, slice_text("x"), 1, paths), 1);
    assert_int_equal(store_conflicts_of(store, arena, folder, slice_text("z"), 4, paths), 0);
    struct item gone = simple_item(arena, names[0], KIND_TOMB, 1, 4, true);
    gone.heads[0].origin = slice_text("x");
    store_item_put(store, folder, &gone, true);
    assert_int_equal(store_conflicts_of(store, arena, folder, slice_text("x"), 4, paths), 1);
}

static void test_by_content(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    const char *names[] = {"z", "m", "a", "dirty", "needed", "other"};
    for (uint64_t i = 0; i < 6; i++) {
        struct item item = simple_item(arena, names[i], KIND_FILE, 1, i + 1, i != 4);
        item.heads[0].value.content = digest_of(42);
        // Equal in what the index holds of a content, different behind it.
        if (i == 5) item.heads[0].value.content.bytes[31] = 1;
        if (i != 4) item.local.version = item.heads[0];
        if (i == 3) item.local.state = LOCAL_DIRTY;
        store_item_put(store, folder, &item, true);
    }
    struct digest content = digest_of(42);
    struct slice after = {0};
    unsigned seen = 0;
    struct item found;
    for (int i = 0; i < 3; i++) {
        assert_true(store_local_by_content(store, arena, folder, &content, after, &found));
        seen |= 1u << (found.path.data[0] - 'a');
        after = found.path;
    }
    assert_int_equal(seen, 1u << ('z' - 'a') | 1u << ('m' - 'a') | 1u);
    assert_false(store_local_by_content(store, arena, folder, &content, after, &found));
    content = digest_of(43);
    assert_false(store_local_by_content(store, arena, folder, &content, (struct slice){0}, &found));
}

static void test_empty_item_is_deleted(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    struct item item = simple_item(arena, "x", KIND_FILE, 9, 1, false);
    store_item_put(store, folder, &item, true);
    item.head_count = 0;
    item.need = false;
    store_item_put(store, folder, &item, true);
    assert_int_equal(check_counts(store, folder), 0);
    uint64_t *incs = NULL;
    assert_int_equal(store_dot_incs(store, arena, folder, &incs), 0);
    uint64_t inc = 0;
    assert_int_equal(store_need_incs(store, folder, 1, &inc), 0);
}

static void test_seq_is_raised_by_heads_alone(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    struct item x = simple_item(arena, "x", KIND_FILE, 9, 1, false);
    struct item y = simple_item(arena, "y", KIND_FILE, 9, 2, false);
    store_begin(store);
    store_item_put(store, folder, &x, true);
    store_item_put(store, folder, &y, true);
    store_item_put(store, folder, &y, false);
    store_item_put(store, folder, &x, true);
    struct path_row rows[4];
    struct folder_row row;
    assert_true(store_folder_reload(store, arena, folder, &row)); // before the commit, too
    assert_int_equal(row.seq, 3);
    commit(store);
    assert_int_equal(store_seq_after(store, arena, folder, 0, 4, rows), 2);
    assert_true(slice_is(rows[0].path, "y") && rows[0].counter == 2);
    assert_true(slice_is(rows[1].path, "x") && rows[1].counter == 3);
    assert_int_equal(store_seq_after(store, arena, folder, 2, 4, rows), 1);
    assert_int_equal(store_seq_after(store, arena, folder, 3, 4, rows), 0);
}

// Since when a content is sought goes with what is known, and with the need.
static void test_sought(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    struct item x = simple_item(arena, "d/x", KIND_FILE, 9, 1, false);
    struct item y = simple_item(arena, "d/y", KIND_FILE, 9, 2, false);
    struct item z = simple_item(arena, "z", KIND_TOMB, 9, 3, false);
    struct path_row rows[4];
    x.need = y.need = z.need = true;
    store_item_put(store, folder, &x, true);
    store_item_put(store, folder, &y, true);
    store_item_put(store, folder, &z, true);
    assert_int_equal(store_sought(store, arena, folder, (struct slice){0}, 4, rows), 0);
    store_sought_note(store, folder, slice_text("d/y"), 70);
    store_sought_note(store, folder, slice_text("d/x"), 50);
    store_sought_note(store, folder, slice_text("d/x"), 60); // it is noted already
    store_sought_note(store, folder, slice_text("z"), 50);   // a deletion has no content
    store_sought_note(store, folder, slice_text("none"), 50);
    assert_int_equal(store_sought(store, arena, folder, (struct slice){0}, 4, rows), 2);
    assert_true(slice_is(rows[0].path, "d/x") && rows[0].counter == 50);
    assert_int_equal(store_sought(store, arena, folder, rows[0].path, 4, rows), 1);
    assert_true(slice_is(rows[0].path, "d/y") && rows[0].counter == 70);
    x.blocked = BLOCKED_BUSY;
    store_item_put(store, folder, &x, false);
    assert_int_equal(store_sought_since(store, folder, x.path), 50);
    x.need = false;
    store_item_put(store, folder, &x, false);
    assert_int_equal(store_sought_since(store, folder, x.path), 0);
    y.heads[0].value.size++;
    store_item_put(store, folder, &y, true);
    assert_int_equal(store_sought_since(store, folder, y.path), 0);
    store_sought_note(store, folder, y.path, 80);
    store_sought_note(store, folder, y.path, 0);
    assert_int_equal(store_sought_since(store, folder, y.path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_read),
        cmocka_unit_test(test_absent_item_is_filled),
        cmocka_unit_test(test_conflicts_of),
        cmocka_unit_test(test_tree_order),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_by_content),
        cmocka_unit_test(test_empty_item_is_deleted),
        cmocka_unit_test(test_seq_is_raised_by_heads_alone),
        cmocka_unit_test(test_sought),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
