// SPDX-License-Identifier: MIT
//
// What no event tells of, while the agent watches: a walk finds it.
#include "tests/unit/sync/brake_test.h"

enum { SOME = 30 }; // more than may be older in a restored backup

static void save_older(struct rig *rig)
{
    for (int i = 0; i < SOME; i++)
        rig_save(rig, name(i), "older", NOW_MS - 1000);
}

static bool is_published(struct rig *rig, int i)
{
    return rig_item(rig, name(i)).local.version.value.size == sizeof "older" - 1;
}

static void test_walk(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    save_older(&rig);
    rig_wait(&rig, 5000);
    assert_false(is_published(&rig, 0));
    engine_watch(rig.engine, rig.folder, ENGINE_MISSED, slice_text(""));
    rig_wait(&rig, 5000);
    assert_free(&rig); // somebody did it on purpose
    for (int i = 0; i < SOME; i++)
        assert_true(is_published(&rig, i));
    rig_close(&rig);
}

static void test_backup(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    save_older(&rig);
    rescan(&rig);
    rig_wait(&rig, 5000);
    assert_held(&rig, "restore", SOME);
    rig_close(&rig);
}

static void test_sync(void **state)
{
    (void)state;
    struct rig rig;
    const struct sync_request request = {.timeout_ms = 1000};
    open_full(&rig);
    save_older(&rig);
    engine_sync(rig.engine, 1, &request);
    rig_wait(&rig, 1000);
    assert_false(is_published(&rig, 0)); // it has been walked a moment ago
    rig_wait(&rig, 60000);
    engine_sync(rig.engine, 2, &request);
    rig_wait(&rig, 1000);
    assert_true(is_published(&rig, 0));
    rig_close(&rig);
}

// A walk of all that is under way will do; after one of a tree it comes, as what it is.
static void test_while_walking(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    rig.walks = 0;
    rig.held = 1U << JOB_SCAN;
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    engine_watch(rig.engine, rig.folder, ENGINE_MISSED, slice_text(""));
    rig.held = 0;
    rig_wait(&rig, 1000);
    assert_int_equal(rig.walks, 1);
    save_older(&rig);
    rig.held = 1U << JOB_SCAN;
    engine_watch(rig.engine, rig.folder, ENGINE_TREE, slice_text("d"));
    engine_watch(rig.engine, rig.folder, ENGINE_MISSED, slice_text(""));
    rig.held = 0;
    rig_wait(&rig, 5000);
    assert_int_equal(rig.walks, 3);
    assert_free(&rig);
    assert_true(is_published(&rig, 0));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_backup),
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
