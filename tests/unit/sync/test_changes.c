// SPDX-License-Identifier: MIT
//
// What changed: the last change of each item. The history of one is in tests/e2e/test_log.py.
#include "agent/core/index.h"
#include "agent/core/job.h"
#include "agent/sync/changes.h"
#include "tests/unit/sync/rig.h"

enum { MAX = 64 };

struct found {
    struct change list[MAX];
    uint32_t count;
    uint64_t before;
};

static void look(struct rig *rig, struct change_filter filter, uint32_t max, struct found *out)
{
    filter.folder = "f";
    out->count = engine_changes(rig->engine, rig->arena, &filter, max, out->list, &out->before);
}

static void check_one(const struct change *c, const char *path, const char *what, const char *by,
                      const char *outcome)
{
    assert_true(slice_equal(c->path, slice_text(path)));
    assert_string_equal(c->what, what);
    assert_true(slice_equal(c->by, slice_text(by)));
    assert_string_equal(c->outcome, outcome);
}

static void test_the_last_come_first(void **state)
{
    (void)state;
    struct rig rig;
    struct found found;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    rig_write(&rig, "mine", "m2");
    rig_wait(&rig, 1000);
    struct version there = script_file(peer, "theirs", "t");
    script_push(peer, 0, &there, 1, "t");
    rig_wait(&rig, 1000);
    struct version lost = script_file(peer, "lost", "nobody has it");
    script_push(peer, 1, &lost, 1, NULL);
    rig_wait(&rig, 1000);
    rig_write(&rig, "theirs", NULL);
    rig_wait(&rig, 1000);

    look(&rig, (struct change_filter){0}, MAX, &found);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.before, 0);
    const char *own = "me";
    check_one(&found.list[0], "theirs", "deleted", own, "here");
    check_one(&found.list[1], "lost", "created", "peer3", "pending");
    check_one(&found.list[2], "mine", "changed", own, "here");
    assert_int_equal(found.list[2].missing_count, 1); // the peer has said nothing
    assert_int_equal(found.list[2].size, 2);

    // By pages
    struct found page;
    look(&rig, (struct change_filter){0}, 2, &page);
    assert_int_equal(page.count, 2);
    assert_true(page.before != 0);
    look(&rig, (struct change_filter){.before = page.before}, 2, &page);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.before, 0);
    assert_true(slice_equal(page.list[0].path, slice_text("mine")));

    look(&rig, (struct change_filter){.has_by = true, .by = peer->device}, MAX, &found);
    assert_int_equal(found.count, 1);
    assert_true(slice_equal(found.list[0].path, slice_text("lost")));
    look(&rig, (struct change_filter){.since_ms = INT64_MAX}, MAX, &found);
    assert_int_equal(found.count, 0);
    rig_close(&rig);
}

static void test_below(void **state)
{
    (void)state;
    struct rig rig;
    struct found found;
    rig_open(&rig);
    rig_write(&rig, "dir", "file");
    rig_write(&rig, "dir2", "x");
    rig_wait(&rig, 1000);
    look(&rig, (struct change_filter){.path = slice_text("dir")}, MAX, &found);
    assert_int_equal(found.count, 1);
    assert_true(slice_equal(found.list[0].path, slice_text("dir")));
    look(&rig, (struct change_filter){.path = slice_text("no")}, MAX, &found);
    assert_int_equal(found.count, 0);
    rig_close(&rig);
}

// Of one path its history: what is there, what was set aside, what was replaced. A deletion that
// was replaced is none.
static void test_history(void **state)
{
    (void)state;
    struct rig rig;
    struct found found;
    rig_open(&rig);
    rig_base_limit(&rig, 8 * BASE_BLOCK_BYTES);
    rig_write(&rig, "x/below", "of another time");
    rig_wait(&rig, 5000);
    rig_write(&rig, "x/below", NULL);
    rig_delete(&rig, "x");
    rig_wait(&rig, 11 * 60 * 1000);
    static const char *const texts[] = {"one", "two", "three", NULL, "four"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rig_write(&rig, "x", texts[i]);
        rig_wait(&rig, 11 * 60 * 1000);
    }
    rig_write(&rig, "x2", "not of x");
    rig_wait(&rig, 5000);
    look(&rig, (struct change_filter){.path = slice_text("x")}, MAX, &found);
    assert_int_equal(found.count, 4);
    check_one(&found.list[0], "x", "created", "me", "here");
    check_one(&found.list[1], "x", "changed", "me", "replaced"); // "three", by the deletion
    assert_int_equal(found.list[1].size, 5);
    assert_true(found.list[1].replaced_ms > found.list[1].when_ms);
    look(&rig, (struct change_filter){.path = slice_text("x")}, 2, &found);
    assert_int_equal(found.count, 2);
    look(&rig, (struct change_filter){.path = slice_text("x"), .since_ms = INT64_MAX}, MAX, &found);
    assert_int_equal(found.count, 0);
    rig_close(&rig);
}

// Two edits that are not resolved yet count as one change, the later; whom the folder is not shared
// with lacks nothing.
static void test_not_resolved(void **state)
{
    (void)state;
    struct rig rig;
    struct found found;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3), *other = script_connect(&rig, 4);
    script_offer(peer, (struct vv){0});
    script_offer(other, (struct vv){0});
    struct version early = script_file(peer, "x", "early"), late = script_file(other, "x", "late");
    late.birth.wall_ms += 1000;
    rig.held = 1U << JOB_APPLY;
    script_push(peer, 0, &early, 1, "early");
    script_push(other, 0, &late, 1, "late");
    rig_wait(&rig, 1000);
    look(&rig, (struct change_filter){0}, MAX, &found);
    assert_int_equal(found.count, 1);
    check_one(&found.list[0], "x", "created", "peer4", "unresolved");
    assert_int_equal(found.list[0].size, 4);
    rig.held = 0;
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .with = &peer->device, .with_count = 1};
    uint32_t number;
    assert_int_equal(engine_folder_put(rig.engine, &folder, &number), ERR_OK);
    look(&rig, (struct change_filter){.path = slice_text("mine")}, MAX, &found);
    assert_int_equal(found.list[0].missing_count, 1);
    assert_true(slice_equal(found.list[0].missing[0], slice_text("peer3")));
    struct change_filter none = {.folder = "g"};
    assert_int_equal(engine_changes(rig.engine, rig.arena, &none, MAX, found.list, &found.before),
                     0);
    rig_close(&rig);
}

// Not more peers are named than a person reads.
static void test_missing_at_many(void **state)
{
    (void)state;
    enum { PEERS = 20 };
    struct rig rig;
    struct found found;
    rig_open(&rig);
    for (uint8_t i = 0; i < PEERS; i++) {
        struct device_id device = {{i, 1}};
        engine_peer_put(rig.engine, device, "away");
    }
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    look(&rig, (struct change_filter){0}, MAX, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.list[0].missing_count, 16);
    rig_close(&rig);
}

// What was asked for changed long ago: it is looked for by steps, each of which says where the next
// begins. What is forgotten is no change.
static void test_long_ago(void **state)
{
    (void)state;
    enum { ITEMS = 2100 };
    struct rig rig;
    struct found found;
    rig_open(&rig);
    rig_write(&rig, "dir/old", "o");
    rig_wait(&rig, 1000);
    struct item old = rig_item(&rig, "dir/old");
    store_begin(rig.store);
    for (int i = 0; i < ITEMS; i++) {
        struct item item = old;
        item.row = 0;
        item.path = slice_text(arena_printf(rig.arena, "new%04d", i));
        if (i % 2 == 0) item.head_count = 0;
        store_item_put(rig.store, rig.folder, &item, true);
    }
    assert_int_equal(store_commit(rig.store), ERR_OK);
    struct change_filter filter = {.path = slice_text("dir")};
    look(&rig, filter, MAX, &found);
    assert_int_equal(found.count, 0);
    assert_true(found.before != 0);
    filter.before = found.before;
    look(&rig, filter, MAX, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.before, 0);
    check_one(&found.list[0], "dir/old", "created", "me", "here");
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_missing_at_many),
        cmocka_unit_test(test_long_ago),
        cmocka_unit_test(test_not_resolved),
        cmocka_unit_test(test_the_last_come_first),
        cmocka_unit_test(test_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
