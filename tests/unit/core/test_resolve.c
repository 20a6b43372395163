// SPDX-License-Identifier: MIT
//
// What concurrent versions come to. Each case is resolved as seen by two devices, which heard of
// the heads in a different order: the plans must be the same.
#include "agent/core/resolve.h"
#include "core_test.h"
#include "proto/path.h"

// ---- an index of a few items

enum { ITEMS_MAX = 16 };

struct fake_index {
    struct item items[ITEMS_MAX];
    uint32_t count;
};

static void fake_item(void *context, struct arena *arena, struct slice path, struct item *out)
{
    (void)arena;
    const struct fake_index *fake = context;
    *out = (struct item){.path = path};
    for (uint32_t i = 0; i < fake->count; i++) {
        if (slice_equal(fake->items[i].path, path)) *out = fake->items[i];
    }
}

static uint32_t fake_conflicts(void *context, struct arena *arena, struct slice path, uint32_t max,
                               struct item *out)
{
    (void)arena;
    const struct fake_index *fake = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake->count && count < max; i++) {
        const struct item *item = &fake->items[i];
        if (item->head_count > 0 && slice_equal(item->heads[0].origin, path)) out[count++] = *item;
    }
    return count;
}

static uint32_t fake_live_below(void *context, struct arena *arena, struct slice path, uint32_t max,
                                struct item *out)
{
    (void)arena;
    const struct fake_index *fake = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake->count && count < max; i++) {
        const struct item *item = &fake->items[i];
        bool below = item->path.size > path.size + 1 && item->path.data[path.size] == '/' &&
                     memcmp(item->path.data, path.data, path.size) == 0;
        if (below && heads_live(item)) out[count++] = *item;
    }
    return count;
}

static struct index_view view_of(struct fake_index *fake)
{
    return (struct index_view){.context = fake,
                               .item = fake_item,
                               .conflicts_of = fake_conflicts,
                               .live_below = fake_live_below};
}

static void fake_add(struct arena *arena, struct fake_index *fake, struct slice path,
                     const struct version *v)
{
    struct item *item = &fake->items[fake->count++];
    *item = (struct item){.path = path};
    ingest(arena, item, v);
}

// ---- two devices

static const struct folder_id the_folder = {{1, 2, 3}};

struct pair {
    struct fake_index index;
    struct resolution plan; // of one, after it was compared with the other's
};

static struct item item_with(struct arena *arena, const char *path, const struct version *x,
                             const struct version *y)
{
    struct item item = item_of(path);
    ingest(arena, &item, x);
    ingest(arena, &item, y);
    return item;
}

static void assert_same_plan(const struct resolution *x, const struct resolution *y)
{
    assert_int_equal(x->count, y->count);
    assert_int_equal(x->bundle, y->bundle);
    for (uint32_t i = 0; i < x->count; i++) {
        const struct version *v = &x->members[i].version, *w = &y->members[i].version;
        assert_true(slice_equal(x->members[i].path, y->members[i].path));
        assert_true(version_same(v, w));
        assert_int_equal(birth_compare(v->birth, w->birth), 0);
        assert_int_equal(v->flags, w->flags);
    }
}

// The result for path "etc/p", equal on both devices.
static const struct version *resolve(struct arena *arena, struct pair *pair,
                                     const struct version *x, const struct version *y)
{
    struct index_view view = view_of(&pair->index);
    struct item here = item_with(arena, "etc/p", x, y);
    struct item there = item_with(arena, "etc/p", y, x);
    assert_int_equal(here.head_count, 2);
    struct resolution other;
    assert_true(resolve_heads(arena, &view, the_folder, &here, &pair->plan));
    assert_true(resolve_heads(arena, &view, the_folder, &there, &other));
    assert_same_plan(&pair->plan, &other);
    const struct member *last = &pair->plan.members[pair->plan.count - 1];
    assert_true(slice_equal(last->path, slice_text("etc/p")));
    assert_int_equal(last->version.dots.count, 0);
    assert_true(vv_equal(last->version.vv, vv_join(arena, x->vv, y->vv)));
    return &last->version;
}

static void assert_copy_of(struct arena *arena, const struct pair *pair, const struct version *x)
{
    assert_int_equal(pair->plan.count, 2);
    assert_true(pair->plan.bundle);
    const struct member *copy = &pair->plan.members[0];
    assert_true(slice_equal(copy->path, conflict_name(arena, the_folder, slice_text("etc/p"), x)));
    assert_true(path_is_conflict_item(copy->path));
    assert_true(value_equal(&copy->version.value, &x->value));
    assert_true(slice_equal(copy->version.origin, slice_text("etc/p")));
    assert_int_equal(copy->version.flags, VERSION_AUTO);
    assert_int_equal(copy->version.vv.count, 0);
    assert_int_equal(birth_compare(copy->version.birth, x->birth), 0);
}

static void assert_no_copy(const struct pair *pair)
{
    assert_int_equal(pair->plan.count, 1);
    assert_false(pair->plan.bundle);
}

struct rivals3 {
    struct version base, a, b;
};

static struct rivals3 two_edits(struct arena *arena)
{
    struct rivals3 r = {.base = edit(arena, (struct dot){INC_A, 1}, NULL, 1)};
    r.a = edit(arena, (struct dot){INC_A, 2}, &r.base, 2);
    r.b = edit(arena, (struct dot){INC_B, 1}, &r.base, 3);
    r.a.birth.wall_ms = 1000;
    r.b.birth.wall_ms = 2000;
    return r;
}

// ---- edits

static void test_later_edit_keeps_the_name(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct rivals3 r = two_edits(arena);
    const struct version *won = resolve(arena, &pair, &r.a, &r.b);
    assert_true(value_equal(&won->value, &r.b.value));
    assert_int_equal(won->flags, VERSION_AUTO);
    assert_copy_of(arena, &pair, &r.a);

    r.a.birth.wall_ms = 3000;
    won = resolve(arena, &pair, &r.a, &r.b);
    assert_true(value_equal(&won->value, &r.a.value));
    assert_copy_of(arena, &pair, &r.b);
}

static void test_first_loses_whatever_its_clock(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct rivals3 r = two_edits(arena);
    r.b.flags = VERSION_FIRST;
    r.b.birth.wall_ms = INT64_MAX;
    const struct version *won = resolve(arena, &pair, &r.a, &r.b);
    assert_true(value_equal(&won->value, &r.a.value));
    assert_int_equal(won->flags, VERSION_AUTO);
    assert_copy_of(arena, &pair, &r.b);

    r.a.flags = VERSION_FIRST; // among themselves: the clock; and the winner is still `first`
    won = resolve(arena, &pair, &r.a, &r.b);
    assert_true(value_equal(&won->value, &r.b.value));
    assert_int_equal(won->flags, VERSION_AUTO | VERSION_FIRST);
}

static void test_edit_beats_delete(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct rivals3 r = two_edits(arena);
    struct version gone = tomb(arena, (struct dot){INC_B, 1}, &r.base);
    gone.birth.wall_ms = 9000;
    const struct version *won = resolve(arena, &pair, &r.a, &gone);
    assert_true(value_equal(&won->value, &r.a.value));
    assert_no_copy(&pair);
}

static void test_delete_and_delete(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct rivals3 r = two_edits(arena);
    struct version x = tomb(arena, (struct dot){INC_A, 2}, &r.base);
    struct version y = tomb(arena, (struct dot){INC_B, 1}, &r.base);
    struct item item = item_with(arena, "etc/p", &x, &y);
    assert_int_equal(item.head_count, 1); // equal values: nothing to resolve
    assert_false(heads_live(&item));
    assert_int_equal(item.heads[0].dots.count, 2);
}

// The machine put a content back; a person who had seen it deleted it: that stands.
static void test_delete_of_machine_made_stands(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct rivals3 r = two_edits(arena);
    struct version again = mint(arena, (struct dot){INC_C, 1}, &r.a, r.a.value);
    again.birth = r.a.birth;
    again.flags = VERSION_AUTO;
    struct version gone = tomb(arena, (struct dot){INC_B, 1}, &r.a);
    const struct version *won = resolve(arena, &pair, &again, &gone);
    assert_int_equal(won->value.kind, KIND_TOMB);
    assert_no_copy(&pair);
}

// ---- modes

static void test_same_content_other_mode(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct version base = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct version x = mint(arena, (struct dot){INC_A, 2}, &base, file_value(1, 0600));
    struct version y = mint(arena, (struct dot){INC_B, 1}, &base, file_value(1, 0755));
    x.birth.wall_ms = 1000;
    y.birth.wall_ms = 2000;
    const struct version *won = resolve(arena, &pair, &x, &y);
    assert_int_equal(won->value.mode, 0755);
    assert_no_copy(&pair);
}

static void test_chmod_here_edit_there(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int later = 0; later < 2; later++) {
        struct pair pair = {0};
        struct version base = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
        struct version mode = mint(arena, (struct dot){INC_A, 2}, &base, file_value(1, 0755));
        struct version text = mint(arena, (struct dot){INC_B, 1}, &base, file_value(2, 0644));
        mode.birth.wall_ms = later == 0 ? 1000 : 3000;
        text.birth.wall_ms = 2000;
        const struct version *won = resolve(arena, &pair, &mode, &text);
        assert_true(value_same_content(&won->value, &text.value));
        assert_int_equal(won->value.mode, 0755);
        assert_no_copy(&pair);
    }
}

// ---- no copy

// b was made from exactly the content of a, which its author saw at another version.
static void test_fast_forward_makes_no_copy(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct version a = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct version twin = edit(arena, (struct dot){INC_B, 1}, NULL, 1);
    struct version b = edit(arena, (struct dot){INC_B, 2}, &twin, 2);
    a.birth.wall_ms = 9000;
    const struct version *won = resolve(arena, &pair, &a, &b);
    assert_true(value_equal(&won->value, &b.value));
    assert_no_copy(&pair);
}

// Who had seen the newer content and went back to the old one meant it, whatever the clocks: his
// is the fast-forward, not the other.
static void test_going_back_stands(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct rivals3 r = two_edits(arena);
    struct version twin = mint(arena, (struct dot){INC_C, 1}, &r.base, r.a.value);
    struct version back = mint(arena, (struct dot){INC_B, 1}, &r.a, r.base.value);
    back.birth.wall_ms = 500;
    twin.birth.wall_ms = 2000;
    struct item joined = item_with(arena, "etc/p", &r.a, &twin);
    assert_int_equal(joined.head_count, 1);
    const struct version *won = resolve(arena, &pair, &joined.heads[0], &back);
    assert_true(value_equal(&won->value, &r.base.value));
    assert_no_copy(&pair);
}

static void test_known_conflict_name(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct rivals3 r = two_edits(arena);
    struct slice name = conflict_name(arena, the_folder, slice_text("etc/p"), &r.a);
    struct version copy = edit(arena, (struct dot){INC_C, 1}, NULL, 2);
    fake_add(arena, &pair.index, name, &copy);
    resolve(arena, &pair, &r.a, &r.b);
    assert_no_copy(&pair);

    // Deleted by a person, even: it is not made again.
    struct version gone = tomb(arena, (struct dot){INC_C, 2}, &copy);
    ingest(arena, &pair.index.items[0], &gone);
    resolve(arena, &pair, &r.a, &r.b);
    assert_no_copy(&pair);
}

// A `first` loser whose content lies in another conflict item of the same path already.
static void test_first_content_is_copied_once(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pair pair = {0};
    struct rivals3 r = two_edits(arena);
    struct version copy = edit(arena, (struct dot){INC_C, 1}, NULL, 2);
    copy.origin = slice_text("etc/p");
    fake_add(arena, &pair.index, slice_text(".cfgsync/conflicts/another-p"), &copy);
    resolve(arena, &pair, &r.a, &r.b);
    assert_copy_of(arena, &pair, &r.a); // an edit is always kept under its own name
    r.a.flags = VERSION_FIRST;
    resolve(arena, &pair, &r.a, &r.b);
    assert_no_copy(&pair);
}

static void test_unscanned_conflict_name_waits(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct fake_index fake = {.count = 1};
    struct rivals3 r = two_edits(arena);
    fake.items[0].path = conflict_name(arena, the_folder, slice_text("etc/p"), &r.a);
    fake.items[0].local.state = LOCAL_DIRTY;
    struct index_view view = view_of(&fake);
    struct item item = item_with(arena, "etc/p", &r.a, &r.b);
    struct resolution plan;
    assert_false(resolve_heads(arena, &view, the_folder, &item, &plan));
}

// ---- clashes

static void test_clash_file_leaves(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct fake_index fake = {0};
    struct version file = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct version child = edit(arena, (struct dot){INC_B, 1}, NULL, 2);
    fake_add(arena, &fake, slice_text("p/x"), &child);
    struct item item = item_of("p");
    ingest(arena, &item, &file);
    struct index_view view = view_of(&fake);
    struct resolution plan;
    assert_true(resolve_clash(arena, &view, the_folder, &item, &plan));
    assert_true(plan.bundle);
    assert_int_equal(plan.count, 2);
    struct slice name = conflict_name(arena, the_folder, slice_text("p"), &file);
    assert_true(slice_equal(plan.members[0].path, name));
    assert_true(value_equal(&plan.members[0].version.value, &file.value));
    assert_true(slice_equal(plan.members[1].path, slice_text("p")));
    const struct version *gone = &plan.members[1].version;
    assert_int_equal(gone->value.kind, KIND_TOMB);
    assert_true(vv_equal(gone->vv, file.vv));
    assert_true(gone->has_parent && digest_equal(gone->parent, file.value.content));
}

// An established file stays, what a new device brought below it goes; children before parents.
static void test_clash_first_children_leave(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct fake_index fake = {0};
    struct value dir = {.kind = KIND_DIR, .mode = 0755};
    struct version d = mint(arena, (struct dot){INC_B, 1}, NULL, dir);
    struct version child = edit(arena, (struct dot){INC_B, 2}, NULL, 2);
    d.flags = child.flags = VERSION_FIRST;
    fake_add(arena, &fake, slice_text("p/d"), &d);
    fake_add(arena, &fake, slice_text("p/d/x"), &child);
    struct version file = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct item item = item_of("p");
    ingest(arena, &item, &file);
    struct index_view view = view_of(&fake);
    struct resolution plan;
    assert_true(resolve_clash(arena, &view, the_folder, &item, &plan));
    assert_int_equal(plan.count, 3);
    assert_true(path_is_conflict_item(plan.members[0].path));
    assert_true(slice_equal(plan.members[0].version.origin, slice_text("p/d/x")));
    assert_true(slice_equal(plan.members[1].path, slice_text("p/d/x")));
    assert_true(slice_equal(plan.members[2].path, slice_text("p/d")));
    assert_int_equal(plan.members[1].version.value.kind, KIND_TOMB);
    assert_int_equal(plan.members[2].version.value.kind, KIND_TOMB);
    // So also before the file wins over a directory of theirs.
    d.dots.entries[0] = d.vv.entries[0] = (struct dot){INC_B, 3};
    ingest(arena, &item, &d);
    assert_true(resolve_heads(arena, &view, the_folder, &item, &plan));
    assert_int_equal(plan.count, 3);
    assert_true(slice_equal(plan.members[2].path, slice_text("p/d")));
}

// ---- names

enum { NAME_BYTES_MAX = 200 };

static struct slice name_of(struct arena *arena, const char *path)
{
    struct version v = edit(arena, (struct dot){INC_A, 1}, NULL, 1);
    struct slice name = conflict_name(arena, the_folder, slice_text(path), &v);
    size_t prefix = strlen(PATH_CONFLICTS "/");
    assert_true(name.size > prefix && memcmp(name.data, PATH_CONFLICTS "/", prefix) == 0);
    return slice_of(name.data + prefix, name.size - prefix);
}

static void test_conflict_name(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice name = name_of(arena, "etc/deep/name.conf");
    assert_int_equal(name.size, 12 + 1 + strlen("name.conf"));
    assert_memory_equal(name.data + 12, "-name.conf", 10);
    // Same last component, other path: another name.
    assert_false(slice_equal(name, name_of(arena, "etc/other/name.conf")));
    assert_true(slice_equal(name, name_of(arena, "etc/deep/name.conf")));
}

static void test_conflict_name_is_cut(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    // 3-byte characters behind 0, 1 and 2 bytes: the limit falls on each place of a character.
    for (size_t shift = 0; shift < 3; shift++) {
        char path[256] = "xx";
        size_t size = shift;
        while (size + 3 <= 255) {
            memcpy(path + size, "\xe2\x82\xac", 3);
            size += 3;
        }
        path[size] = '\0';
        struct slice name = name_of(arena, path);
        assert_true(name.size <= NAME_BYTES_MAX && name.size > NAME_BYTES_MAX - 3);
        assert_int_equal((name.size - 13 - shift) % 3, 0);
        assert_memory_equal(name.data + name.size - 3, "\xe2\x82\xac", 3);
    }
    char ascii[251];
    memset(ascii, 'a', 250);
    ascii[250] = '\0';
    assert_int_equal(name_of(arena, ascii).size, NAME_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_edit_keeps_the_name),
        cmocka_unit_test(test_first_loses_whatever_its_clock),
        cmocka_unit_test(test_edit_beats_delete),
        cmocka_unit_test(test_delete_and_delete),
        cmocka_unit_test(test_delete_of_machine_made_stands),
        cmocka_unit_test(test_same_content_other_mode),
        cmocka_unit_test(test_chmod_here_edit_there),
        cmocka_unit_test(test_fast_forward_makes_no_copy),
        cmocka_unit_test(test_going_back_stands),
        cmocka_unit_test(test_known_conflict_name),
        cmocka_unit_test(test_first_content_is_copied_once),
        cmocka_unit_test(test_unscanned_conflict_name_waits),
        cmocka_unit_test(test_clash_file_leaves),
        cmocka_unit_test(test_clash_first_children_leave),
        cmocka_unit_test(test_conflict_name),
        cmocka_unit_test(test_conflict_name_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
