// SPDX-License-Identifier: MIT
//
// What is left out here, and what happens when that changes.
#include "tests/unit/sync/status_test.h"

// Of the next JOB_HEALTH.
static bool rules_change, rules_are_half;

static bool health(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_HEALTH) return false;
    job->health.rules_changed = rules_change;
    job->health.rules_again = rules_are_half;
    rules_change = rules_are_half = false;
    return false;
}

static void open_ruled(struct rig *rig)
{
    rules_change = rules_are_half = false;
    rig_open(rig);
    rig->instead = health;
}

// NULL: nothing is left out any more.
static void leave_out(struct rig *rig, const char *path)
{
    rig->left_out = path;
    rules_change = true;
    engine_watch(rig->engine, rig->folder, ENGINE_ROOT, slice_text(""));
    rig_wait(rig, 1000);
}

static uint64_t counter_of(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.counter;
}

static void rescan(struct rig *rig)
{
    engine_watch(rig->engine, rig->folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(rig, 1000);
}

static void test_a_rule_goes(void **state)
{
    (void)state;
    struct rig rig;
    const char *have[] = {"t"};
    open_ruled(&rig);
    leave_out(&rig, "theirs");
    struct script *peer = peer_with(&rig, "theirs", "t");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "theirs").blocked, BLOCKED_IGNORED);
    // The index cannot be written just then: it is caught up with.
    rig_fail_commits(0, 1);
    leave_out(&rig, NULL);
    for (int turn = 0; turn < 10; turn++) {
        rig_wait(&rig, 500);
        (void)script_answer(peer, NULL, 0, have, 1);
    }
    rig_settle(&rig);
    assert_true(rig_commits_failed());
    assert_int_equal(rig_item(&rig, "theirs").blocked, BLOCKED_NONE);
    assert_true(rig_on_disk(&rig, "theirs"));
    rig_close(&rig);
}

// What the disk shows of it counts for nothing while a rule leaves it out.
static void test_synced_before(void **state)
{
    (void)state;
    struct rig rig;
    open_ruled(&rig);
    rig_save(&rig, "same", "1", 2000);
    rig_save(&rig, "edited", "2", 2000);
    rig_save(&rig, "out/gone", "3", 2000);
    rig_save(&rig, "out/stays", "4", 2000);
    rig_mkdir(&rig, "out");
    rescan(&rig);
    uint64_t before = counter_of(&rig);
    assert_int_equal(before, 5);
    leave_out(&rig, "out");
    rig_delete(&rig, "out/gone");
    rescan(&rig);
    engine_watch(rig.engine, rig.folder, ENGINE_GONE, slice_text("out/gone"));
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("out/stays"));
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("out"));
    rig_wait(&rig, 2000);
    assert_int_equal(rig_item(&rig, "out/gone").local.state, LOCAL_OBSOLETE);
    assert_int_equal(rig_item(&rig, "out/stays").local.state, LOCAL_OBSOLETE);
    assert_int_equal(rig_item(&rig, "out").local.state, LOCAL_OBSOLETE);
    rig_save(&rig, "out/new", "5", 2000);
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("out/new"));
    rig_wait(&rig, 2000);
    assert_int_equal(rig_item(&rig, "out/new").head_count, 0);
    assert_int_equal(counter_of(&rig), before);
    // The rule goes: what is as everyone has it is that, what is gone is not deleted by it.
    leave_out(&rig, NULL);
    rig_wait(&rig, 2000);
    assert_int_equal(rig_item(&rig, "out").local.state, LOCAL_OK);
    assert_int_equal(rig_item(&rig, "out/stays").local.state, LOCAL_OK);
    assert_true(version_live(&rig_item(&rig, "out/gone").heads[0]));
    assert_int_equal(rig_item(&rig, "out/new").head_count, 1);
    assert_int_equal(counter_of(&rig), before + 1);
    rig_close(&rig);
}

// A file that looks like a secret is not published. One that is synced already is no secret.
static void test_secrets(void **state)
{
    (void)state;
    struct rig rig;
    open_ruled(&rig);
    rig_write(&rig, "known", "1");
    rig_wait(&rig, 1000);
    uint64_t before = counter_of(&rig);
    rig.left_out_secret = true;
    rig.left_out = "known";
    rig_write(&rig, "known", "2");
    rig_wait(&rig, 1000);
    assert_int_equal(counter_of(&rig), before + 1);
    rig.left_out = "new";
    rig_write(&rig, "new", "3");
    rig_wait(&rig, 1000);
    assert_int_equal(counter_of(&rig), before + 1);
    // What comes from others is put in place all the same.
    rig.left_out = "theirs";
    (void)peer_with(&rig, "theirs", "t");
    rig_wait(&rig, 1000);
    assert_true(rig_on_disk(&rig, "theirs"));
    rig_close(&rig);
}

// A file of rules that may be half written is read once more; until then `sync` does not call it
// the present.
static void test_half_written(void **state)
{
    (void)state;
    struct rig rig;
    const struct sync_request request = {.timeout_ms = 60000};
    open_ruled(&rig);
    rules_are_half = true;
    engine_watch(rig.engine, rig.folder, ENGINE_ROOT, slice_text(""));
    rig_settle(&rig);
    engine_sync(rig.engine, 5, &request);
    rig_wait(&rig, 2000);
    assert_int_equal(rig.synced, 0);
    rules_change = true;
    rig_wait(&rig, 200);
    assert_false(rules_change);
    assert_int_equal(rig.synced, 5);
    assert_int_equal(rig.sync_exit, 0);
    rig_close(&rig);
}

// While they are read nothing is published: they may be about it.
static void test_read_first(void **state)
{
    (void)state;
    struct rig rig;
    open_ruled(&rig);
    rig.held = 1u << JOB_HEALTH;
    engine_watch(rig.engine, rig.folder, ENGINE_ROOT, slice_text(""));
    rig_write(&rig, "x", "X");
    rig_write(&rig, ".cfgsyncignore", "y");
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_int_equal(rig_item(&rig, "x").head_count, 0);
    assert_int_equal(rig_item(&rig, ".cfgsyncignore").head_count, 1);
    rig.held = 0;
    rig_wait(&rig, 5000);
    assert_int_equal(rig_item(&rig, "x").head_count, 1);
    rig_close(&rig);
}

// Rules of others are put in place, and read, before what came with them; not for ever, though.
static void rules_of_others(bool they_come)
{
    struct rig rig;
    const char *have[] = {"rules"};
    open_ruled(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version versions[] = {script_file(peer, "a", "t"),
                                 script_file(peer, ".cfgsyncignore", "rules")};
    script_push(peer, 0, versions, 2, "t");
    rig_wait(&rig, 1000);
    assert_false(rig_on_disk(&rig, "a"));
    rig.held = 1u << JOB_HEALTH;
    for (int turn = 0; they_come && turn < 4; turn++) {
        (void)script_answer(peer, NULL, 0, have, 1);
        rig_settle(&rig);
    }
    assert_int_equal(rig_on_disk(&rig, ".cfgsyncignore"), they_come);
    rig_wait(&rig, 8000);
    assert_false(rig_on_disk(&rig, "a"));
    if (they_come) rig.held = 0;
    rig_wait(&rig, 2000);
    assert_true(rig_on_disk(&rig, "a"));
    rig.held = 0;
    rig_close(&rig);
}

static void test_rules_of_others(void **state)
{
    (void)state;
    rules_of_others(true);
    rules_of_others(false);
}

// What was forgotten elsewhere, and is left out here, stays on this disk.
static void test_several_at_a_time(void **state)
{
    (void)state;
    static struct rig rig;
    static struct version versions[300];
    open_ruled(&rig);
    leave_out(&rig, "d");
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    for (int i = 0; i < 300; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "d/%03d", i);
        versions[i] = script_file(peer, path, "t");
    }
    script_push(peer, 0, versions, 300, "t");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "d/299").blocked, BLOCKED_IGNORED);
    assert_int_equal(rig_status(&rig).blocked, 0);
    const char *have[] = {"t"};
    leave_out(&rig, NULL);
    for (int turn = 0; turn < 10; turn++) {
        (void)script_answer(peer, NULL, 0, have, 1);
        rig_wait(&rig, 500);
    }
    assert_true(rig_on_disk(&rig, "d/000") && rig_on_disk(&rig, "d/299"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rule_goes),       cmocka_unit_test(test_synced_before),
        cmocka_unit_test(test_secrets),           cmocka_unit_test(test_half_written),
        cmocka_unit_test(test_read_first),        cmocka_unit_test(test_rules_of_others),
        cmocka_unit_test(test_several_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
