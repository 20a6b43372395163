// SPDX-License-Identifier: MIT
//
// What is said of changes that wait for a person, here or at a peer.
#include "tests/unit/sync/brake_test.h"
#include "tests/unit/sync/status_test.h"

// ---- what waits for a person there

static void say_held(struct script *peer, const char *brake, uint64_t changes, bool unpublished)
{
    struct message m = {.kind = MSG_HELD, .hold = {.folder = peer->rig->id}};
    m.hold.brake = slice_text(brake);
    m.hold.changes = changes;
    m.hold.unpublished = unpublished;
    script_send(peer, LANE_CONTROL, &m);
}

static void test_held_there(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = peer_with(&rig, "theirs", "t");
    script_connect(&rig, 4); // says nothing
    rig_wait(&rig, 1000);
    say_held(peer, "mass-delete", 7, false);
    say_held(peer, "restore", 9, true);
    struct folder_status status = rig_status(&rig);
    assert_int_equal(status.error_count, 2);
    assert_string_equal(status.errors[0].message, "peer3 holds 7 changes (mass-delete)");
    assert_string_equal(status.errors[0].hint, "cfgsync-agent approve f here, or decide on peer3");
    assert_string_equal(status.errors[1].message, "peer3 holds 9 changes (restore) found there");
    assert_string_equal(status.errors[1].hint, "decide on peer3");
    struct plan plan;
    assert_true(engine_plan(rig.engine, rig.arena, "f", &plan));
    assert_int_equal(plan.peer_count, 1);
    assert_int_equal(plan.peers[0].of_others, 7);
    assert_int_equal(plan.peers[0].unpublished, 9);
    assert_int_equal(sync_wait(&rig, 1000), 5);
    say_held(peer, "", 0, false);
    say_held(peer, "", 0, true);
    assert_int_equal(rig_status(&rig).error_count, 0);
    assert_false(engine_plan(rig.engine, rig.arena, "no", &plan));
    rig_close(&rig);
}

// ---- what waits for a person here

static void test_plan_here(void **state)
{
    (void)state;
    static struct rig rig;
    struct plan plan;
    open_full(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 60 * 1000);
    assert_true(engine_plan(rig.engine, rig.arena, "f", &plan));
    assert_string_equal(plan.brake, "mass-delete");
    assert_string_equal(plan.in_brake, "");
    assert_int_equal(plan.deleted, 60);
    assert_int_equal(plan.items, FILES);
    assert_in_range(plan.path_count, 5, 60);
    for (uint32_t i = 0; i < plan.path_count; i++) { // the first of them, in order
        assert_true(slice_equal(plan.paths[i].path, slice_text(name((int)i))));
        assert_string_equal(plan.paths[i].what, "deleted");
        assert_false(plan.paths[i].of_others);
    }
    assert_string_equal(why(&rig, name(0)).held, "mass-delete");
    assert_null(why(&rig, name(99)).held);
    struct folder_status status = rig_status(&rig);
    assert_non_null(strstr(error_of(&status, "mass-delete")->message, "60 changes found here"));
    assert_int_equal(sync_wait(&rig, 1000), 5);
    decide(&rig, DECIDE_REVERT);
    for (int i = 0; i < FILES; i++)
        rig_save(&rig, name(i), "rewritten", NOW_MS + 9000);
    rescan(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_true(engine_plan(rig.engine, rig.arena, "f", &plan));
    assert_string_equal(plan.brake, "mass-rewrite");
    assert_true(plan.rewritten > 0 && plan.path_count > 0);
    for (uint32_t i = 0; i < plan.path_count; i++)
        assert_string_equal(plan.paths[i].what, "rewritten");
    rig_close(&rig);
}

static void test_plan_of_others(void **state)
{
    (void)state;
    static struct rig rig;
    static struct theirs theirs;
    struct plan plan;
    struct script *peer = open_theirs(&rig, &theirs);
    (void)push_changes(peer, &theirs, 0, 80, NULL);
    rig_wait(&rig, 60 * 1000);
    assert_true(engine_plan(rig.engine, rig.arena, "f", &plan));
    assert_string_equal(plan.in_brake, "mass-delete");
    assert_int_equal(plan.in_deleted, 80);
    assert_true(plan.path_count > 0);
    for (uint32_t i = 0; i < plan.path_count; i++) {
        assert_true(slice_equal(plan.paths[i].path, slice_text(name((int)i))));
        assert_string_equal(plan.paths[i].what, "deleted");
        assert_true(plan.paths[i].of_others);
        assert_true(device_equal(plan.paths[i].by, peer->device));
    }
    struct folder_status status = rig_status(&rig);
    assert_non_null(strstr(error_of(&status, "mass-delete")->message, "of other devices"));
    rig_close(&rig);
}

// Whatever the order they were found in, the first of them are shown.
static void test_plan_backwards(void **state)
{
    (void)state;
    static struct rig rig;
    static struct theirs theirs;
    struct plan plan;
    struct script *peer = open_theirs(&rig, &theirs);
    const struct script *gone = script_connect(&rig, 4);
    script_down(gone);
    for (int i = 79; i >= 0; i--)
        (void)push_changes(peer, &theirs, i, i + 1, NULL);
    rig_wait(&rig, 60 * 1000);
    assert_true(engine_plan(rig.engine, rig.arena, "f", &plan));
    assert_int_equal(plan.in_deleted, 60); // the first twenty were let through
    assert_int_equal(plan.path_count, 20);
    for (uint32_t i = 0; i < plan.path_count; i++)
        assert_true(slice_equal(plan.paths[i].path, slice_text(name((int)i))));
    rig_close(&rig);
}

// What others have rewritten; what waits with it and is not held is not shown.
static void test_plan_rewritten_there(void **state)
{
    (void)state;
    static struct rig rig;
    static struct theirs theirs;
    struct plan plan;
    struct script *peer = open_theirs(&rig, &theirs);
    (void)push_changes(peer, &theirs, 0, 90, "rewritten");
    rig_wait(&rig, 60 * 1000);
    assert_true(engine_plan(rig.engine, rig.arena, "f", &plan));
    assert_string_equal(plan.in_brake, "mass-rewrite");
    assert_int_equal(plan.in_rewritten, 90);
    assert_string_equal(plan.paths[0].what, "rewritten");
    assert_true(plan.paths[0].of_others);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_there),           cmocka_unit_test(test_plan_here),
        cmocka_unit_test(test_plan_of_others),       cmocka_unit_test(test_plan_backwards),
        cmocka_unit_test(test_plan_rewritten_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
