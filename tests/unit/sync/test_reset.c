// SPDX-License-Identifier: MIT
//
// What a person does about what only a receive-only folder has: reset, and what it waits for.
#include "tests/unit/sync/mode_test.h"

static void test_reset(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    push(peer, after(peer, "a", "one more"), NULL);
    const struct decision decision = {.kind = DECIDE_RESET, .folder = "f"};
    engine_decide(rig.engine, 7, &decision);
    for (int i = 0; i < 20; i++)
        have(peer, "one more", "two");
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 3);
    assert_true(shows(&rig, "a", "one more"));
    assert_true(shows(&rig, "b", "two"));
    assert_false(rig_on_disk(&rig, "mine"));
    assert_int_equal(rig_status(&rig).changed_here, 0);
    assert_int_equal(rig_status(&rig).pending_in, 0);
    assert_int_equal(rig_item(&rig, "mine").local.state, LOCAL_NONE);
    assert_int_equal(counter(&rig), 0);
    decide(&rig, DECIDE_OVERRIDE);
    assert_int_equal(rig.decided.err, ERR_DENIED);
    rig_close(&rig);
}

// A step met what was changed here before a look did: that it was in doubt once is no reason.
static void test_reset_of_what_a_step_met(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    struct item a = rig_item(&rig, "a");
    a.local.state = LOCAL_DIRTY;
    store_begin(rig.store);
    store_item_put(rig.store, rig.folder, &a, false);
    assert_int_equal(store_commit(rig.store), ERR_OK);
    const struct decision decision = {.kind = DECIDE_RESET, .folder = "f"};
    engine_decide(rig.engine, 7, &decision);
    for (int i = 0; i < 20; i++)
        have(peer, "one", "two");
    assert_int_equal(rig.decided.changed, 3);
    assert_int_equal(rig.decided.left_alone, 0);
    assert_true(shows(&rig, "a", "one"));
    rig_close(&rig);
}

// What is being looked at is waited for; not for ever.
static void test_reset_while_it_changes(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    const struct decision decision = {.kind = DECIDE_RESET, .folder = "f"};
    for (int forever = 0; forever < 2; forever++) {
        rig_write(&rig, "a", "changed");
        rig_wait(&rig, 1000);
        rig.held = 1U << JOB_LOOK;
        rig_write(&rig, "a", forever ? "and again" : "again");
        rig_wait(&rig, 100);
        assert_true(rig_jobs(&rig, JOB_LOOK) > 0);
        engine_decide(rig.engine, 7, &decision);
        rig_wait(&rig, 1000);
        assert_int_equal(rig.decisions, forever);
        if (!forever) rig.held = 0;
        rig_wait(&rig, 10 * 1000);
        rig.held = 0;
        for (int i = 0; i < 20; i++)
            have(peer, "one", "two");
        assert_int_equal(rig.decisions, 1 + forever);
        assert_int_equal(rig.decided.left_alone, forever);
        assert_true(shows(&rig, "a", forever ? "and again" : "one"));
    }
    rig_close(&rig);
}

// Half of what an editor writes is there: a look cannot say what it is, and nobody has forgotten
// it.
static void test_reset_while_it_is_written(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    rig_write(&rig, "a", "");
    rig_wait(&rig, 300);
    assert_int_equal(rig_status(&rig).changed_here, 2);
    const struct decision decision = {.kind = DECIDE_RESET, .folder = "f"};
    engine_decide(rig.engine, 7, &decision);
    have(peer, "one", "two");
    assert_int_equal(rig.decisions, 0);
    rig_write(&rig, "a", "all of it");
    for (int i = 0; i < 20; i++)
        have(peer, "one", "two");
    assert_int_equal(rig.decisions, 1);
    assert_int_equal(rig.decided.changed, 3);
    assert_true(shows(&rig, "a", "one"));
    rig_close(&rig);
}

// A decision that waits is answered when the folder stops or goes.
static void test_reset_is_answered(void **state)
{
    (void)state;
    for (int goes = 0; goes < 2; goes++) {
        struct rig rig;
        (void)open_receive_only(&rig);
        rig.held = 1U << JOB_LOOK;
        rig_write(&rig, "a", "again");
        rig_wait(&rig, 100);
        const struct decision decision = {.kind = DECIDE_RESET, .folder = "f"};
        engine_decide(rig.engine, 7, &decision);
        rig_wait(&rig, 1000);
        assert_int_equal(rig.decisions, 0);
        rig.held = 0;
        rig.away = !goes;
        if (goes)
            engine_folder_remove(rig.engine, "f");
        else
            engine_watch(rig.engine, rig.folder, ENGINE_ROOT, slice_text(""));
        rig_settle(&rig);
        assert_int_equal(rig.decisions, 1);
        assert_int_equal(rig.decided.err, goes ? ERR_BUSY : ERR_UNREACHABLE);
        rig_close(&rig);
    }
}

// One at a time; and the one goes on though whoever asked for the other was told so.
static void test_reset_twice(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    push(peer, after(peer, "a", "one more"), NULL);
    const struct decision decision = {.kind = DECIDE_RESET, .folder = "f"};
    engine_decide(rig.engine, 7, &decision);
    assert_int_equal(rig.decisions, 0);
    engine_decide(rig.engine, 8, &decision);
    assert_int_equal(rig.decisions, 1);
    assert_int_equal(rig.decided.err, ERR_BUSY);
    engine_decide_cancel(rig.engine, 7);
    for (int i = 0; i < 20; i++)
        have(peer, "one more", "two");
    assert_int_equal(rig.decisions, 1); // nobody waits for the first any more
    assert_true(shows(&rig, "a", "one more"));
    assert_false(rig_on_disk(&rig, "mine"));
    rig_close(&rig);
}

// What nobody has just now is left as it is, and said.
static void test_reset_alone(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    push(peer, after(peer, "a", "one more"), NULL);
    script_down(peer);
    rig_settle(&rig);
    const struct decision decision = {.kind = DECIDE_RESET, .folder = "f"};
    engine_decide(rig.engine, 7, &decision);
    rig_wait(&rig, 5 * 60 * 1000);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 1);
    assert_int_equal(rig.decided.left_alone, 2);
    assert_true(shows(&rig, "a", "changed"));
    assert_false(rig_on_disk(&rig, "mine"));
    assert_int_equal(rig_status(&rig).changed_here, 1); // "a", as before
    rig_close(&rig);
}

// What a reset has begun to take away, and is changed before it is gone, has no past when it is
// published after all.
static void test_edit_during_reset(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "mine", "new");
    struct dot none = {.inc = 0, .counter = 1}; // as reset notes what the index does not know
    struct item item = {.path = slice_text("mine"), .need = true};
    item.local.state = LOCAL_OBSOLETE;
    item.local.version.path = item.path;
    item.local.version.vv = vv_with(rig.arena, (struct vv){0}, none);
    item.local.version.dots = (struct dots){&none, 1};
    item.local.version.value = disk_find(&rig, item.path)->value;
    store_begin(rig.store);
    store_item_put(rig.store, rig.folder, &item, false);
    assert_int_equal(store_commit(rig.store), ERR_OK);
    rig_write(&rig, "mine", "newer");
    rig_wait(&rig, 5000);
    struct item mine = rig_item(&rig, "mine");
    assert_int_equal(mine.head_count, 1);
    assert_int_equal(mine.heads[0].vv.count, 1);
    assert_int_equal(vv_get(mine.heads[0].vv, 0), 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_of_what_a_step_met),
        cmocka_unit_test(test_reset_while_it_changes),
        cmocka_unit_test(test_reset_while_it_is_written),
        cmocka_unit_test(test_reset_is_answered),
        cmocka_unit_test(test_reset_twice),
        cmocka_unit_test(test_reset_alone),
        cmocka_unit_test(test_edit_during_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
