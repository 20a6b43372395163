// SPDX-License-Identifier: MIT
//
// The laws of vectors and dot sets, over seeded values of few incarnations so that they overlap.
#include "make.h"

static struct vv random_vv(struct chance *c, struct arena *arena)
{
    return make_vv(c, arena, 0, 5);
}

static struct dots random_dots(struct chance *c, struct arena *arena)
{
    struct dots s = {0};
    for (uint32_t i = chance_below(c, 6); i > 0; i--) {
        struct dot d = {chance_below(c, 3), 1 + chance_below(c, 3)};
        s = dots_union(arena, s, (struct dots){&d, 1});
    }
    return s;
}

static void vv_assert_sorted(struct vv v)
{
    for (uint32_t i = 0; i < v.count; i++) {
        assert_true(v.entries[i].counter > 0);
        assert_true(i == 0 || v.entries[i - 1].inc < v.entries[i].inc);
    }
}

static void test_join_laws(void **state)
{
    (void)state;
    struct chance c = {1};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int i = 0; i < 20000; i++) {
        arena_reset(arena);
        struct vv x = random_vv(&c, arena);
        struct vv y = random_vv(&c, arena);
        struct vv z = random_vv(&c, arena);
        struct vv xy = vv_join(arena, x, y), meet = vv_meet(arena, x, y);
        vv_assert_sorted(xy);
        vv_assert_sorted(meet);
        assert_true(vv_equal(meet, vv_meet(arena, y, x)));
        assert_true(vv_equal(vv_join(arena, x, meet), x) && vv_equal(vv_meet(arena, x, xy), x));
        assert_true(vv_equal(xy, vv_join(arena, y, x)));
        assert_true(vv_equal(x, vv_join(arena, x, x)));
        assert_true(vv_equal(vv_join(arena, xy, z), vv_join(arena, x, vv_join(arena, y, z))));
        assert_true(vv_le(x, xy) && vv_le(y, xy));
        assert_int_equal(vv_le(x, y), vv_equal(xy, y));
        assert_int_equal(vv_le(x, y) && vv_le(y, x), vv_equal(x, y));
        for (uint64_t inc = 0; inc < 6; inc++) {
            uint64_t a = vv_get(x, inc);
            uint64_t b = vv_get(y, inc);
            assert_true(vv_get(xy, inc) == (a > b ? a : b));
            assert_true(vv_get(meet, inc) == (a > b ? b : a));
        }
    }
}

static void test_single_entries(void **state)
{
    (void)state;
    struct chance c = {2};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int i = 0; i < 20000; i++) {
        arena_reset(arena);
        struct vv x = random_vv(&c, arena);
        struct vv y = random_vv(&c, arena);
        struct dot d = {chance_below(&c, 6), chance_below(&c, 4)};
        struct vv with = vv_with(arena, x, d);
        struct vv set = vv_set(arena, x, d);
        struct vv above = vv_above(arena, x, y);
        vv_assert_sorted(with);
        vv_assert_sorted(set);
        vv_assert_sorted(above);
        assert_true(vv_get(set, d.inc) == d.counter);
        assert_true(vv_covers(with, d) && vv_le(x, with));
        assert_int_equal(vv_covers(x, d), vv_equal(with, x));
        assert_true(vv_equal(vv_join(arena, y, above), vv_join(arena, y, x)));
        for (uint64_t inc = 0; inc < 6; inc++) {
            assert_true(inc == d.inc || vv_get(set, inc) == vv_get(x, inc));
            bool higher = vv_get(x, inc) > vv_get(y, inc);
            assert_true(vv_get(above, inc) == (higher ? vv_get(x, inc) : 0));
        }
    }
}

static void test_dots(void **state)
{
    (void)state;
    struct chance c = {3};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int i = 0; i < 20000; i++) {
        arena_reset(arena);
        struct dots x = random_dots(&c, arena);
        struct dots y = random_dots(&c, arena);
        struct dots both = dots_union(arena, x, y);
        assert_true(dots_equal(both, dots_union(arena, y, x)));
        assert_true(dots_equal(x, dots_union(arena, x, x)));
        struct vv v = random_vv(&c, arena);
        bool covered = true;
        for (uint64_t inc = 0; inc < 3; inc++) {
            for (uint64_t n = 1; n < 4; n++) {
                struct dot d = {inc, n};
                bool in = dots_contain(x, d) || dots_contain(y, d);
                assert_int_equal(dots_contain(both, d), in);
                covered = covered && (!in || vv_covers(v, d));
            }
        }
        assert_int_equal(dots_covered(both, v), covered);
    }
}

static void test_empty(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct vv none = {0};
    struct dots no_dots = {0};
    assert_true(vv_equal(none, vv_join(arena, none, none)));
    assert_true(vv_le(none, none));
    assert_true(vv_get(none, 1) == 0);
    assert_int_equal(vv_copy(arena, none).count, 0);
    assert_int_equal(vv_set(arena, none, (struct dot){1, 0}).count, 0);
    assert_int_equal(vv_above(arena, none, none).count, 0);
    assert_int_equal(dots_union(arena, no_dots, no_dots).count, 0);
    assert_true(dots_covered(no_dots, none));
    assert_false(dots_contain(no_dots, (struct dot){1, 1}));
}

static void test_values(void **state)
{
    (void)state;
    struct value file = {.kind = KIND_FILE, .mode = 0644, .size = 5, .content = {{1}}};
    struct value other = file;
    assert_true(value_equal(&file, &other));
    other.mode = 0600;
    assert_false(value_equal(&file, &other));
    other = file;
    other.size = 6;
    assert_false(value_equal(&file, &other));
    other = file;
    other.content.bytes[31] = 9;
    assert_false(value_equal(&file, &other));
    other = file;
    other.kind = KIND_DIR;
    assert_false(value_equal(&file, &other));
    struct value link = {.kind = KIND_SYMLINK, .target = slice_text("a")};
    struct value same_link = {.kind = KIND_SYMLINK, .target = slice_text("a")};
    struct value other_link = {.kind = KIND_SYMLINK, .target = slice_text("b")};
    assert_true(value_equal(&link, &same_link));
    assert_false(value_equal(&link, &other_link));
    // a tombstone has no fields, whatever lies in them
    struct value tomb = {.kind = KIND_TOMB};
    struct value other_tomb = {.kind = KIND_TOMB, .mode = 7, .size = 3};
    assert_true(value_equal(&tomb, &other_tomb));
}

static void test_births(void **state)
{
    (void)state;
    struct birth old = {-5, 9, 9};
    struct birth young = {7, 1, 1};
    struct birth other_inc = {7, 2, 1};
    struct birth other_counter = {7, 2, 2};
    assert_true(birth_compare(old, young) < 0 && birth_compare(young, old) > 0);
    assert_true(birth_compare(young, other_inc) < 0);
    assert_true(birth_compare(other_counter, other_inc) > 0);
    assert_int_equal(birth_compare(other_inc, other_inc), 0);
}

static void test_copy_is_deep(void **state)
{
    (void)state;
    struct chance c = {4};
    AUTO(arena_destroy) struct arena *kept = arena_new();
    for (int i = 0; i < 200; i++) {
        AUTO(arena_destroy) struct arena *arena = arena_new();
        struct version v = make_version(&c, arena);
        AUTO(buf_fini) struct buf before = {0};
        AUTO(buf_fini) struct buf after = {0};
        version_encode(&v, &before);
        struct version copy = version_copy(kept, &v);
        assert_true(version_same(&v, &copy));
        arena_destroy(&arena); // under AddressSanitizer a borrowed part would be caught here
        version_encode(&copy, &after);
        assert_true(slice_equal(buf_slice(&before), buf_slice(&after)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_laws),    cmocka_unit_test(test_single_entries),
        cmocka_unit_test(test_dots),         cmocka_unit_test(test_empty),
        cmocka_unit_test(test_values),       cmocka_unit_test(test_births),
        cmocka_unit_test(test_copy_is_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
