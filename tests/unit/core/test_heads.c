// SPDX-License-Identifier: MIT
//
// Superseding and joining of heads, and what heads and disk together mean.
#include "core_test.h"

static void test_descendant_supersedes(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version v1 = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct version v2 = edit(arena, (struct dot){INC_B, 1}, &v1, 2);
    assert_true(ingest(arena, &item, &v1).changed);
    struct ingested did = ingest(arena, &item, &v2);
    assert_true(did.changed);
    assert_int_equal(did.lost_own, 1);
    assert_int_equal(item.head_count, 1);
    assert_true(version_same(&item.heads[0], &v2));
    assert_true(slice_equal(item.heads[0].path, slice_text("p")));

    assert_false(ingest(arena, &item, &v1).changed); // late: superseded already
    assert_false(ingest(arena, &item, &v2).changed); // twice
    assert_int_equal(item.head_count, 1);
}

static void test_concurrent_stay(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version v1 = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct version a = edit(arena, (struct dot){INC_A, 2}, &v1, 2);
    struct version b = edit(arena, (struct dot){INC_B, 1}, &v1, 3);
    ingest(arena, &item, &v1);
    ingest(arena, &item, &a);
    assert_int_equal(ingest(arena, &item, &b).lost_own, 0);
    assert_int_equal(item.head_count, 2);
    assert_true(heads_live(&item));
    struct vv both = vv_join(arena, a.vv, b.vv);
    assert_true(vv_equal(heads_join(arena, &item), both));
}

// A covered counter is not enough: a dot that the version itself has is not superseded by it.
static void test_own_dot_is_not_superseded(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version a = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct version joined = a;
    joined.dots = dots_union(arena, a.dots, one_dot(arena, (struct dot){INC_B, 1}));
    joined.vv = vv_with(arena, a.vv, (struct dot){INC_B, 1});
    ingest(arena, &item, &a);
    assert_true(ingest(arena, &item, &joined).changed);
    assert_int_equal(item.head_count, 1);
    assert_true(dots_equal(item.heads[0].dots, joined.dots));
}

static void test_equal_values_join(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version a = edit(arena, (struct dot){INC_A, 5}, NULL, 7);
    struct version b = edit(arena, (struct dot){INC_B, 3}, NULL, 7);
    a.flags = VERSION_AUTO | VERSION_FIRST;
    b.flags = VERSION_FIRST;
    ingest(arena, &item, &a);
    struct ingested did = ingest(arena, &item, &b);
    assert_true(did.changed);
    assert_int_equal(did.lost_own, 0);
    assert_int_equal(item.head_count, 1);
    const struct version *h = &item.heads[0];
    assert_true(dots_equal(h->dots, dots_union(arena, a.dots, b.dots)));
    assert_true(vv_equal(h->vv, vv_join(arena, a.vv, b.vv))); // no dot of its own
    assert_int_equal(birth_compare(h->birth, b.birth), 0);    // the older
    assert_int_equal(h->flags, VERSION_FIRST);                // what both have
}

// Whoever removes a head takes over its vector, also when it had not known all of it.
static void test_remover_takes_the_vector(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version a = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct version wider = a;
    wider.vv = vv_with(arena, a.vv, (struct dot){INC_C, 4});
    struct version b = edit(arena, (struct dot){INC_B, 1}, &a, 2);
    ingest(arena, &item, &wider);
    ingest(arena, &item, &b);
    assert_int_equal(item.head_count, 1);
    assert_true(dots_equal(item.heads[0].dots, b.dots));
    assert_int_equal(vv_get(item.heads[0].vv, INC_C), 4);
}

// ---- any order

static bool has_same(const struct item *item, const struct version *v)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (version_same(&item->heads[i], v)) return true;
    }
    return false;
}

static void assert_same_heads(const struct item *x, const struct item *y)
{
    assert_int_equal(x->head_count, y->head_count);
    for (uint32_t i = 0; i < x->head_count; i++)
        assert_true(has_same(y, &x->heads[i]));
}

static void ingest_order(struct arena *arena, const struct version *versions, const int order[3],
                         struct item *out)
{
    *out = item_of("p");
    for (int i = 0; i < 3; i++)
        ingest(arena, out, &versions[order[i]]);
}

static void assert_any_order(struct arena *arena, const struct version *versions, uint32_t heads)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct item first;
    ingest_order(arena, versions, orders[0], &first);
    assert_int_equal(first.head_count, heads);
    for (int i = 1; i < 6; i++) {
        struct item other;
        ingest_order(arena, versions, orders[i], &other);
        assert_same_heads(&first, &other);
        for (int k = 0; k < 3; k++)
            assert_false(ingest(arena, &other, &versions[k]).changed);
    }
}

// All choices of content for three concurrent versions, equal ones among them.
static void test_concurrent_any_order(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct version base = edit(arena, (struct dot){INC_A, 1}, NULL, 9);
    for (int n = 0; n < 27; n++) {
        uint8_t a = (uint8_t)(n % 3), b = (uint8_t)(n / 3 % 3), c = (uint8_t)(n / 9);
        const struct version versions[] = {edit(arena, (struct dot){INC_A, 2}, &base, a),
                                           edit(arena, (struct dot){INC_B, 1}, &base, b),
                                           edit(arena, (struct dot){INC_C, 1}, &base, c)};
        bool all_differ = a != b && b != c && a != c;
        bool all_equal = a == b && b == c;
        assert_any_order(arena, versions, all_equal ? 1 : all_differ ? 3 : 2);
    }
}

// Two concurrent ones and one that descends from the first.
static void test_chain_any_order(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct version a = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    const struct version chain[] = {a, edit(arena, (struct dot){INC_B, 1}, NULL, 2),
                                    edit(arena, (struct dot){INC_C, 1}, &a, 3)};
    assert_any_order(arena, chain, 2);
    struct version all = edit(arena, (struct dot){INC_C, 1}, &a, 3);
    all.vv = vv_join(arena, all.vv, chain[1].vv);
    const struct version merged[] = {a, chain[1], all};
    assert_any_order(arena, merged, 1);
}

// ---- local

static void test_local_follows(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version a = edit(arena, (struct dot){INC_A, 1}, NULL, 7);
    struct version b = edit(arena, (struct dot){INC_B, 1}, NULL, 7);
    ingest(arena, &item, &a);
    item.local = (struct local){.state = LOCAL_OK, .version = item.heads[0]};
    assert_false(item_need(&item, false));
    ingest(arena, &item, &b);
    assert_true(version_same(&item.local.version, &item.heads[0]));
    assert_false(item_need(&item, false));

    // Another value does not: the disk does not show it.
    struct version c = edit(arena, (struct dot){INC_C, 1}, &item.heads[0], 8);
    ingest(arena, &item, &c);
    assert_true(item.local.version.value.content.bytes[0] == 7);
    assert_true(item_need(&item, false));
}

static void test_local_obsolete_becomes_ok(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version a = edit(arena, (struct dot){INC_A, 1}, NULL, 7);
    item.local = (struct local){.state = LOCAL_OBSOLETE, .version = a, .print.present = true};
    assert_true(item_need(&item, false)); // no heads: it has to go
    struct version b = edit(arena, (struct dot){INC_B, 1}, &a, 7);
    ingest(arena, &item, &b);
    assert_int_equal(item.local.state, LOCAL_OK);
    assert_false(item_need(&item, false));
}

// It had gone from the disk, which says nothing: it has to come again.
static void test_local_gone_stays_obsolete(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version a = edit(arena, (struct dot){INC_A, 1}, NULL, 7);
    item.local = (struct local){.state = LOCAL_OBSOLETE, .version = a};
    struct version b = edit(arena, (struct dot){INC_B, 1}, &a, 7);
    ingest(arena, &item, &b);
    assert_int_equal(item.local.state, LOCAL_OBSOLETE);
    assert_true(item_need(&item, false));
}

static void test_need(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("d");
    assert_false(item_need(&item, false)); // neither known nor here
    struct value dir = {.kind = KIND_DIR, .mode = 0755};
    struct version d = mint(arena, (struct dot){INC_A, 1}, NULL, dir);
    ingest(arena, &item, &d);
    assert_true(item_need(&item, false));
    item.local = (struct local){.state = LOCAL_OK, .version = item.heads[0]};
    assert_false(item_need(&item, false));
    item.local.state = LOCAL_OBSOLETE;
    assert_true(item_need(&item, false));
    item.local.state = LOCAL_OK;

    struct version gone = tomb(arena, (struct dot){INC_B, 1}, &d);
    ingest(arena, &item, &gone);
    assert_true(item_need(&item, false));
    assert_false(item_need(&item, true)); // exists by implication
    item.local.version.value.kind = KIND_FILE;
    assert_true(item_need(&item, true)); // a file in the place of that directory does not
}

// A tombstone of what was never here is a need until it has been noted.
static void test_need_of_tombstone_never_here(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    struct version gone = tomb(arena, (struct dot){INC_B, 1}, NULL);
    ingest(arena, &item, &gone);
    assert_false(heads_live(&item));
    assert_true(item_need(&item, false));
    assert_false(item_need(&item, true));
    item.local = (struct local){.state = LOCAL_OK, .version = item.heads[0]};
    assert_false(item_need(&item, false));
}

static void test_too_many_heads(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    // One incarnation that never knows of its own earlier versions: a liar.
    for (uint8_t i = 1; i <= PROTO_HEADS_SPARE + 2; i++) {
        assert_false(heads_too_many(&item));
        struct version v = edit(arena, (struct dot){INC_B, i}, NULL, i);
        v.vv = (struct vv){0};
        ingest(arena, &item, &v);
    }
    assert_int_equal(item.head_count, PROTO_HEADS_SPARE + 2);
    assert_true(heads_too_many(&item));

    struct item honest = item_of("p");
    for (uint8_t i = 1; i <= 3 * PROTO_HEADS_SPARE; i++) {
        struct version v = edit(arena, (struct dot){i, 1}, NULL, i);
        ingest(arena, &honest, &v);
    }
    assert_int_equal(honest.head_count, 3 * PROTO_HEADS_SPARE);
    assert_false(heads_too_many(&honest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descendant_supersedes),
        cmocka_unit_test(test_concurrent_stay),
        cmocka_unit_test(test_own_dot_is_not_superseded),
        cmocka_unit_test(test_equal_values_join),
        cmocka_unit_test(test_remover_takes_the_vector),
        cmocka_unit_test(test_concurrent_any_order),
        cmocka_unit_test(test_chain_any_order),
        cmocka_unit_test(test_local_follows),
        cmocka_unit_test(test_local_obsolete_becomes_ok),
        cmocka_unit_test(test_local_gone_stays_obsolete),
        cmocka_unit_test(test_need),
        cmocka_unit_test(test_need_of_tombstone_never_here),
        cmocka_unit_test(test_too_many_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
