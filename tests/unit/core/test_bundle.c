// SPDX-License-Identifier: MIT
//
// A resolution is a bundle: it must fit into one page, whatever is in the index; and it must end.
#include "agent/core/resolve.h"
#include "core_test.h"

static const struct folder_id the_folder = {{1, 2, 3}};

struct below { // what lives below a clash; nothing else is in the index
    struct item items[RESOLVE_LEAVING_MAX + 1];
    uint32_t count;
};

static void no_item(void *context, struct arena *arena, struct slice path, struct item *out)
{
    (void)context;
    (void)arena;
    *out = (struct item){.path = path};
}

static uint32_t no_conflicts(void *context, struct arena *arena, struct slice path, uint32_t max,
                             struct item *out)
{
    (void)context;
    (void)arena;
    (void)path;
    (void)max;
    (void)out;
    return 0;
}

static uint32_t all_below(void *context, struct arena *arena, struct slice path, uint32_t max,
                          struct item *out)
{
    (void)arena;
    (void)path;
    const struct below *below = context;
    uint32_t count = below->count < max ? below->count : max;
    memcpy(out, below->items, count * sizeof *out);
    return count;
}

static struct below *below_of(struct arena *arena, uint32_t count, int name_bytes)
{
    struct below *below = arena_alloc(arena, 1, sizeof *below);
    for (uint32_t i = 0; i < count; i++) {
        struct version child = edit(arena, (struct dot){INC_B, i + 1}, NULL, 2);
        child.flags = VERSION_FIRST;
        below->items[i] = item_of(arena_printf(arena, "p/%0*u", name_bytes, i));
        ingest(arena, &below->items[i], &child);
    }
    below->count = count;
    return below;
}

// What would leave is too much for one resolution: then the file leaves, established or not.
static void test_clash_over_too_much(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        int name_bytes;
    } cases[] = {{RESOLVE_LEAVING_MAX + 1, 1}, {20, 4000}, {RESOLVE_LEAVING_MAX, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(arena_destroy) struct arena *arena = arena_new();
        struct version file = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
        struct item item = item_of("p");
        ingest(arena, &item, &file);
        struct index_view view = {.context = below_of(arena, cases[i].count, cases[i].name_bytes),
                                  .item = no_item,
                                  .conflicts_of = no_conflicts,
                                  .live_below = all_below};
        struct resolution plan;
        assert_true(resolve_clash(arena, &view, the_folder, &item, &plan));
        assert_int_equal(plan.count, i < 2 ? 2 : 2 * RESOLVE_LEAVING_MAX);
        bool file_goes = slice_equal(plan.members[plan.count - 1].path, slice_text("p"));
        assert_int_equal(file_goes, i < 2);
    }
}

// A conflict over a conflict item makes one more; a conflict over that one makes none.
static void test_conflict_items_end(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    static const char *const origins[] = {"etc/p", ".cfgsync/conflicts/aaaaaaaaaaaa-p"};
    for (uint32_t depth = 0; depth < 2; depth++) {
        struct version a = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
        struct version b = edit(arena, (struct dot){INC_B, 1}, NULL, 2);
        a.origin = b.origin = slice_text(origins[depth]);
        struct item item = item_of(".cfgsync/conflicts/bbbbbbbbbbbb-p");
        ingest(arena, &item, &a);
        ingest(arena, &item, &b);
        struct index_view view = {.context = below_of(arena, 0, 1),
                                  .item = no_item,
                                  .conflicts_of = no_conflicts,
                                  .live_below = all_below};
        struct resolution plan;
        assert_int_equal(item.head_count, 2);
        assert_true(resolve_heads(arena, &view, the_folder, &item, &plan));
        assert_int_equal(plan.count, depth == 0 ? 2 : 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clash_over_too_much),
                                       cmocka_unit_test(test_conflict_items_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
