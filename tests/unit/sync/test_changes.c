// SPDX-License-Identifier: MIT
//
// What changed: the last change of each item. The history of one is in tests/e2e/test_log.py.
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_come_first),
        cmocka_unit_test(test_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
