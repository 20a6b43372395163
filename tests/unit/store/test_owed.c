// SPDX-License-Identifier: MIT
//
// A random walk of puts against a plain list: every number and every answer of the dot table must
// be what filtering everything gives.
#include "tests/unit/proto/make.h"
#include "tests/unit/store/store_test.h"

enum { PATHS = 40, INCS = 4, COUNTERS = 60, ROWS = 400 };

// Two of them with the top bit, where signed and unsigned order differ.
static const uint64_t incs[INCS] = {0, 12, UINT64_C(1) << 63, UINT64_MAX};

struct world {
    struct chance chance;
    struct store *store;
    struct arena *arena;
    uint32_t folder;
    struct item items[PATHS]; // head_count 0 and LOCAL_NONE: not there
    char names[PATHS][24];
};

static struct dot random_dot(struct chance *c)
{
    return (struct dot){incs[chance_below(c, INCS)], 1 + chance_below(c, COUNTERS)};
}

static struct version random_head(struct world *w, const char *path)
{
    struct chance *c = &w->chance;
    struct version version = {.path = slice_text(path), .value = {.kind = KIND_TOMB}};
    for (uint32_t i = 1 + chance_below(c, 3); i > 0; i--) {
        struct dot dot = random_dot(c);
        version.dots = dots_union(w->arena, version.dots, (struct dots){&dot, 1});
        version.vv = vv_with(w->arena, version.vv, dot);
    }
    if (chance_below(c, 3) > 0) version.value.kind = KIND_FILE;
    if (version.value.kind == KIND_FILE) version.value.size = chance_next(c) >> 1;
    return version;
}

static void random_put(struct world *w)
{
    struct chance *c = &w->chance;
    uint32_t at = chance_below(c, PATHS);
    struct item *item = &w->items[at];
    item->path = slice_text(w->names[at]);
    item->need = chance_below(c, 2);
    item->blocked = chance_below(c, 3) ? BLOCKED_NONE : (enum blocked)(1 + chance_below(c, 3));
    bool heads = chance_below(c, 3) > 0;
    if (heads) {
        item->head_count = chance_below(c, 4);
        item->heads = arena_alloc(w->arena, item->head_count, sizeof *item->heads);
        for (uint32_t i = 0; i < item->head_count; i++)
            item->heads[i] = random_head(w, w->names[at]);
    }
    item->local = (struct local){0};
    if (item->head_count > 0 && chance_below(c, 2)) {
        item->local = (struct local){.state = LOCAL_OK, .version = item->heads[0]};
    }
    if (item->head_count == 0) item->need = false;
    store_item_put(w->store, w->folder, item, heads);
}

static bool has_dot(const struct item *item, struct dot dot)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (dots_contain(item->heads[i].dots, dot)) return true;
    }
    return false;
}

static bool is_need(const struct item *item)
{
    return item->need && item->blocked == BLOCKED_NONE;
}

static void check_owed(struct world *w)
{
    struct vv k = make_vv(&w->chance, w->arena, 0, 1);
    for (uint32_t i = chance_below(&w->chance, 6); i > 0; i--) {
        k = vv_set(w->arena, k, random_dot(&w->chance));
    }
    uint64_t changes = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < PATHS; i++) {
        const struct item *item = &w->items[i];
        uint64_t size = 0;
        bool owed = false;
        for (uint32_t j = 0; j < item->head_count; j++) {
            owed = owed || !dots_covered(item->heads[j].dots, k);
            size += item->heads[j].value.size;
        }
        changes += owed;
        bytes += owed ? size : 0;
    }
    uint64_t got_changes = 0;
    uint64_t got_bytes = 0;
    store_owed(w->store, w->folder, k, 0, &got_changes, &got_bytes);
    assert_int_equal(got_changes, changes);
    assert_true(got_bytes == bytes);
    store_owed(w->store, w->folder, k, 3, &got_changes, &got_bytes);
    assert_int_equal(got_changes, changes < 3 ? changes : 3);
}

static void check_inc(struct world *w, uint64_t inc, bool *out_any, bool *out_need)
{
    uint64_t after = chance_below(&w->chance, COUNTERS);
    uint64_t upto = chance_below(&w->chance, 2) ? UINT64_MAX : after + 20;
    uint32_t expected = 0;
    uint64_t min = 0;
    for (uint64_t n = 1; n <= COUNTERS; n++) {
        for (uint32_t i = 0; i < PATHS; i++) {
            if (!has_dot(&w->items[i], (struct dot){inc, n})) continue;
            *out_any = true;
            expected += n > after && n <= upto;
            if (min == 0 && is_need(&w->items[i])) min = n;
        }
    }
    *out_need = min > 0;
    static struct path_row rows[ROWS];
    uint32_t got = store_dots_after(w->store, w->arena, w->folder, inc, after, upto, ROWS, rows);
    assert_int_equal(got, expected);
    for (uint32_t i = 0; i < got; i++) {
        assert_true(rows[i].counter > after && rows[i].counter <= upto);
        assert_true(i == 0 || rows[i - 1].counter <= rows[i].counter);
    }
    uint64_t got_min = 0;
    assert_int_equal(store_need_min(w->store, w->folder, inc, &got_min), min > 0);
    assert_int_equal(got_min, min);
}

static void check_incs(struct world *w)
{
    uint64_t all[INCS];
    uint64_t needed[INCS];
    uint32_t all_count = 0;
    uint32_t needed_count = 0;
    for (uint32_t i = 0; i < INCS; i++) {
        bool any = false;
        bool need = false;
        check_inc(w, incs[i], &any, &need);
        if (any) all[all_count++] = incs[i];
        if (need) needed[needed_count++] = incs[i];
    }
    uint64_t *got = NULL;
    assert_int_equal(store_dot_incs(w->store, w->arena, w->folder, &got), all_count);
    for (uint32_t i = 0; i < all_count; i++)
        assert_true(got[i] == all[i]);
    uint64_t got_needed[INCS];
    assert_int_equal(store_need_incs(w->store, w->folder, INCS, got_needed), needed_count);
    for (uint32_t i = 0; i < needed_count; i++)
        assert_true(got_needed[i] == needed[i]);
}

static void check_lists(struct world *w)
{
    struct slice paths[PATHS];
    uint32_t needs = 0;
    uint32_t blocked = 0;
    uint32_t no_case = 0;
    for (uint32_t i = 0; i < PATHS; i++) {
        needs += is_need(&w->items[i]);
        blocked += w->items[i].need && w->items[i].blocked != BLOCKED_NONE;
        no_case += w->items[i].need && w->items[i].blocked == BLOCKED_CASE;
    }
    struct slice none = {0};
    uint32_t got = store_needs_after(w->store, w->arena, w->folder, none, true, PATHS, paths);
    assert_int_equal(got, needs);
    for (uint32_t i = 1; i < got; i++)
        assert_true(path_compare(paths[i - 1], paths[i]) < 0);
    if (got > 1) {
        struct slice middle = paths[got / 2];
        assert_int_equal(
            store_needs_after(w->store, w->arena, w->folder, middle, false, PATHS, paths),
            got - got / 2 - 1);
    }
    got = store_blocked(w->store, w->arena, w->folder, BLOCKED_NONE, 0, PATHS, paths);
    assert_int_equal(got, blocked);
    got = store_blocked(w->store, w->arena, w->folder, BLOCKED_CASE, 0, PATHS, paths);
    assert_int_equal(got, no_case);
}

static void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.chance = {seed}, .store = open_store(NULL), .arena = arena_new()};
    w->folder = add_folder(w->store, "f");
    for (uint32_t i = 0; i < PATHS; i++) {
        (void)snprintf(w->names[i], sizeof w->names[i], "dir%u/%u", i % 7, i);
    }
}

static void test_random_walk(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w;
        world_init(&w, seed);
        for (int round = 0; round < 12; round++) {
            bool grouped = chance_below(&w.chance, 2);
            struct item before[PATHS];
            memcpy(before, w.items, sizeof before);
            if (grouped) store_begin(w.store);
            for (uint32_t i = chance_below(&w.chance, 30); i > 0; i--)
                random_put(&w);
            bool back = grouped && chance_below(&w.chance, 4) == 0;
            if (back) memcpy(w.items, before, sizeof before);
            if (back)
                store_rollback(w.store);
            else if (grouped)
                commit(w.store);
            (void)check_counts(w.store, w.folder);
            check_owed(&w);
            check_incs(&w);
            check_lists(&w);
        }
        assert_int_equal(store_error(w.store), ERR_OK);
        store_close(&w.store);
        arena_destroy(&w.arena);
    }
}

static void test_blocked_tombstones_come_first(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    const char *names[] = {"a", "b", "c", "d"};
    for (uint64_t i = 0; i < 4; i++) {
        enum kind kind = i % 2 ? KIND_TOMB : KIND_FILE;
        struct item item = simple_item(arena, names[i], kind, 3, i + 1, false);
        item.blocked = i < 3 ? BLOCKED_NO_SPACE : BLOCKED_IO;
        store_item_put(store, folder, &item, true);
    }
    struct slice paths[4];
    assert_int_equal(store_blocked(store, arena, folder, BLOCKED_NONE, 0, 4, paths), 4);
    assert_true(slice_is(paths[0], "b") && slice_is(paths[1], "d"));
    assert_true(slice_is(paths[2], "a") && slice_is(paths[3], "c"));
    assert_int_equal(store_blocked(store, arena, folder, BLOCKED_NO_SPACE, 0, 4, paths), 3);
    assert_true(slice_is(paths[0], "b") && slice_is(paths[1], "a"));
    assert_int_equal(store_blocked(store, arena, folder, BLOCKED_NONE, 0, 1, paths), 1);
}

// A dot may stand in two heads after a collision: two contents, one change.
static void test_shared_dot(void **state)
{
    (void)state;
    AUTO(store_close) struct store *store = open_store(NULL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    struct item item = {.path = slice_text("x"), .head_count = 2};
    struct version heads[2] = {simple_version(arena, "x", KIND_FILE, 1, 1),
                               simple_version(arena, "x", KIND_FILE, 1, 1)};
    heads[1].value.size = 7;
    item.heads = heads;
    store_item_put(store, folder, &item, true);
    uint64_t changes = 0;
    uint64_t bytes = 0;
    store_owed(store, folder, (struct vv){0}, 0, &changes, &bytes);
    assert_int_equal(changes, 1);
    assert_int_equal(bytes, 101 + 7);
    item.head_count = 1;
    store_item_put(store, folder, &item, true);
    store_owed(store, folder, (struct vv){0}, 0, &changes, &bytes);
    assert_int_equal(changes, 1);
    assert_int_equal(bytes, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_walk),
        cmocka_unit_test(test_blocked_tombstones_come_first),
        cmocka_unit_test(test_shared_dot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
