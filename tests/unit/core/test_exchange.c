// SPDX-License-Identifier: MIT
//
// Laws of the exchange. Small worlds are gone through as a whole: every sequence of what users and
// messages can do, to a depth, and each ends in the same state everywhere with nothing lost. What
// is concurrent comes to the same in whatever order it was heard of.
#include "agent/core/resolve.h"
#include "core_test.h"
#include "world.h"

// ---- small worlds

struct small {
    uint32_t devices, paths, depth;
    bool parts; // cut rounds, too
};

// One of the things that can happen, by number. False: there is no such number.
static bool act(struct world *world, const struct small *small, uint32_t number)
{
    uint32_t n = small->devices, p = small->paths, each = n * p;
    if (number < each) return world_save(world, number / p, number % p), true;
    number -= each;
    if (number < each) return (void)world_delete(world, number / p, number % p), true;
    number -= each;
    if (number < each) return (void)world_resolve(world, number / p, number % p), true;
    number -= each;
    uint32_t pairs = n * (n - 1);
    uint32_t to = number % pairs / (n - 1), from = number % (n - 1);
    if (from >= to) from++;
    if (number < pairs) return (void)world_pull(world, to, from), true;
    number -= pairs;
    if (small->parts && number < 2 * pairs)
        return (void)world_pull_part(world, to, from, number / pairs, 1), true;
    return false;
}

static uint32_t acts(const struct small *small)
{
    uint32_t pairs = small->devices * (small->devices - 1);
    return 3 * small->devices * small->paths + pairs * (small->parts ? 3 : 1);
}

static void go_through(const struct small *small)
{
    static struct world world;
    uint64_t end = 1;
    uint32_t choices = acts(small);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (uint32_t i = 0; i < small->depth; i++)
        end *= choices;
    for (uint64_t n = 0; n < end; n++) {
        arena_reset(arena);
        world_init(&world, arena, small->devices);
        const char *fault = NULL;
        uint64_t rest = n;
        for (uint32_t i = 0; i < small->depth && fault == NULL; i++, rest /= choices) {
            assert_true(act(&world, small, (uint32_t)(rest % choices)));
            fault = world_fault(&world);
        }
        if (fault == NULL) fault = world_settle(&world);
        if (fault != NULL) fail_msg("sequence %llu: %s", (unsigned long long)n, fault);
    }
    assert_false(act(&world, small, choices));
}

static void test_two_devices(void **state)
{
    (void)state;
    go_through(&(struct small){.devices = 2, .paths = 1, .depth = 5});
}

static void test_three_devices(void **state)
{
    (void)state;
    go_through(&(struct small){.devices = 3, .paths = 1, .depth = 4});
}

// A file over another, and rounds that are cut.
static void test_two_paths(void **state)
{
    (void)state;
    go_through(&(struct small){.devices = 2, .paths = 2, .depth = 3, .parts = true});
}

// ---- concurrent versions in any order

enum { MENU = 9, AT_ONCE = 4, ORDERS = 24 };

static struct version from_menu(struct arena *arena, uint32_t choice, struct dot dot,
                                const struct version *base)
{
    struct version v = edit(arena, dot, base, (uint8_t)(10 + dot.inc));
    v.path = slice_text("p");
    switch (choice) {
    case 0: break; // an edit
    case 1: v = tomb(arena, dot, base); break;
    case 2: v.value = (struct value){.kind = KIND_DIR, .mode = 0755}; break;
    case 3:
        v.value = (struct value){.kind = KIND_SYMLINK, .target = slice_text("x")};
        v.value.content = digest_of((uint8_t)(20 + dot.inc));
        break;
    case 4: v.flags = VERSION_FIRST; break;
    case 5: v = edit(arena, dot, NULL, 77); break;          // equal on all, made of nothing
    case 6: v = mint(arena, dot, base, base->value); break; // put back
    case 7: v.value.mode = 0600; break;
    case 8: v.flags = VERSION_AUTO; break;
    default: break;
    }
    v.birth.wall_ms = (int64_t)(dot.inc * 7 % 5);
    return v;
}

static void order_of(uint32_t number, uint32_t out[AT_ONCE])
{
    uint32_t left[AT_ONCE] = {0, 1, 2, 3};
    for (uint32_t i = 0, size = AT_ONCE; i < AT_ONCE; i++, size--) {
        uint32_t at = number % size;
        number /= size;
        out[i] = left[at];
        memmove(&left[at], &left[at + 1], (size - at - 1) * sizeof left[0]);
    }
}

static void assert_same_heads(const struct item *a, const struct item *b)
{
    assert_int_equal(a->head_count, b->head_count);
    for (uint32_t i = 0; i < a->head_count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < b->head_count; j++) {
            const struct version *x = &a->heads[i], *y = &b->heads[j];
            found = found || (version_same(x, y) && x->flags == y->flags &&
                              birth_compare(x->birth, y->birth) == 0);
        }
        assert_true(found);
    }
}

static void none_item(void *context, struct arena *arena, struct slice path, struct item *out)
{
    (void)context;
    (void)arena;
    *out = (struct item){.path = path};
}

static uint32_t none(void *context, struct arena *arena, struct slice path, uint32_t max,
                     struct item *out)
{
    (void)context;
    (void)arena;
    (void)path;
    (void)max;
    (void)out;
    return 0;
}

static void assert_same_plan(struct arena *arena, const struct item *a, const struct item *b)
{
    static const struct folder_id folder = {{1}};
    const struct index_view view = {NULL, none_item, none, none};
    struct resolution x, y;
    assert_true(resolve_heads(arena, &view, folder, a, &x));
    assert_true(resolve_heads(arena, &view, folder, b, &y));
    assert_int_equal(x.count, y.count);
    for (uint32_t i = 0; i < x.count; i++) {
        const struct version *v = &x.members[i].version, *w = &y.members[i].version;
        assert_true(slice_equal(x.members[i].path, y.members[i].path));
        assert_true(version_same(v, w) && v->flags == w->flags);
        assert_int_equal(birth_compare(v->birth, w->birth), 0);
        assert_int_equal(v->has_parent, w->has_parent);
    }
}

// Four devices do something at once to what all had.
static void in_any_order(struct arena *arena, uint32_t choices)
{
    struct version base = edit(arena, (struct dot){9, 1}, NULL, 1), all[AT_ONCE];
    struct item first = item_of("p");
    base.path = first.path;
    for (uint32_t i = 0; i < AT_ONCE; i++, choices /= MENU)
        all[i] = from_menu(arena, choices % MENU, (struct dot){i + 1, 1 + (i & 1)}, &base);
    for (uint32_t n = 0; n < ORDERS; n++) {
        uint32_t order[AT_ONCE];
        struct item item = item_of("p");
        if (n & 1) ingest(arena, &item, &base);
        order_of(n, order);
        for (uint32_t i = 0; i < AT_ONCE; i++)
            ingest(arena, &item, &all[order[i]]);
        if (!(n & 1)) ingest(arena, &item, &base);
        for (uint32_t i = 0; i < AT_ONCE; i++)
            assert_false(ingest(arena, &item, &all[order[i]]).changed);
        if (n == 0) first = item;
        assert_same_heads(&first, &item);
        if (item.head_count > 1) assert_same_plan(arena, &first, &item);
    }
}

static void test_any_order(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (uint32_t choices = 0; choices < MENU * MENU * MENU * MENU; choices++) {
        arena_reset(arena);
        in_any_order(arena, choices);
    }
}

// What was made of one event on several devices has one birth, and modes that differ: whoever sees
// them must choose the same, or each would choose its own, and again and again. `third`: a content
// that loses to them, wins over them, or is not there.
static void one_birth(struct arena *arena, int third)
{
    struct version base = edit(arena, (struct dot){9, 1}, NULL, 1), all[AT_ONCE];
    struct item first = item_of("p");
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        all[i] = mint(arena, (struct dot){i + 1, 1}, &base, file_value(2, 0600 + i));
        all[i].flags = VERSION_AUTO;
        all[i].birth = (struct birth){.wall_ms = 5, .inc = 8, .counter = 1};
    }
    if (third != 0) {
        all[0].value.content = digest_of(3);
        all[0].flags = 0;
        all[0].birth = (struct birth){.wall_ms = 5 + third, .inc = 1, .counter = 1};
    }
    for (uint32_t n = 0; n < ORDERS; n++) {
        uint32_t order[AT_ONCE];
        struct item item = item_of("p");
        order_of(n, order);
        for (uint32_t i = 0; i < AT_ONCE; i++)
            ingest(arena, &item, &all[order[i]]);
        if (n == 0) first = item;
        assert_int_equal(item.head_count, AT_ONCE);
        assert_same_plan(arena, &first, &item);
    }
}

static void test_one_birth(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int third = -1; third <= 1; third++)
        one_birth(arena, third);
}

// Versions of a peer that lies: made from themselves, by an event that they do not know.
static void test_made_from_itself(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = item_of("p");
    for (uint32_t i = 0; i < 2; i++) {
        struct version v = edit(arena, (struct dot){i + 1, 1}, NULL, (uint8_t)(i + 1));
        v.has_parent = true;
        v.parent = v.value.content;
        v.birth = (struct birth){.wall_ms = 5, .inc = 99, .counter = i + 1};
        ingest(arena, &item, &v);
    }
    assert_same_plan(arena, &item, &item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_devices), cmocka_unit_test(test_three_devices),
        cmocka_unit_test(test_two_paths),   cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_one_birth),   cmocka_unit_test(test_made_from_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
