// SPDX-License-Identifier: MIT
//
// Brakes between machines with real disks: what is held here, what is held
// there, who approves it, what comes back; and whatever goes wrong meanwhile. Whatever does, what
// is decided in the end is what all have, and nothing goes without a word.
#include "tests/unit/sync/held_test.h"

static const struct engine_brake narrow = {.deleted = 3,
                                           .deleted_percent = 10,
                                           .rewritten = 3,
                                           .rewritten_percent = 10,
                                           .restored = 4,
                                           .restored_percent = 30};

static void all_narrow(struct machine *m)
{
    m->put.brake = narrow;
}

// What "a" does goes out as it is; "b" holds it.
static void held_there(struct machine *m)
{
    m->put.brake = narrow;
    m->put.brake.off = m->index == 0;
}

static void remove_all(struct lan *lan)
{
    user_remove(a_of(lan), "dir0");
    user_remove(a_of(lan), "dir1");
    user_remove(a_of(lan), "dir2");
    lan_wait(lan, 60000);
}

static uint64_t held_at(struct machine *m)
{
    return status_of(m).held;
}

// ---- deletions found here

static void test_approved_here(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, all_narrow);
    have_files(&lan);
    remove_all(&lan);
    assert_true(held_at(a_of(&lan)) >= FILES);
    assert_true(files_show(b_of(&lan), true));
    const struct decision_result *result = say(a_of(&lan), DECIDE_APPROVE);
    assert_int_equal(result->err, ERR_OK);
    assert_true(result->changed >= FILES);
    laws_hold(&lan, false);
    assert_true(files_show(b_of(&lan), false));
    assert_int_equal(say(a_of(&lan), DECIDE_APPROVE)->err, ERR_DENIED);
    lan_close(&lan);
}

static void test_reverted_here(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, all_narrow);
    have_files(&lan);
    remove_all(&lan);
    const struct decision_result *result = say(a_of(&lan), DECIDE_REVERT);
    assert_int_equal(result->err, ERR_OK);
    assert_int_equal(result->left_alone, 0);
    laws_hold(&lan, false);
    assert_true(files_show(a_of(&lan), true));
    lan_close(&lan);
}

// With nobody to have it from: what is kept nowhere does not come back, and that is said.
static void test_reverted_alone(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, all_narrow);
    have_files(&lan);
    lan_cut(&lan);
    remove_all(&lan);
    const struct decision_result *result = say(a_of(&lan), DECIDE_REVERT);
    assert_int_equal(result->err, ERR_OK);
    assert_true(result->left_alone >= FILES);
    assert_true(held_at(a_of(&lan)) > 0);
    lan_join(&lan);
    lan_wait(&lan, 10000);
    assert_true(files_show(b_of(&lan), true));
    assert_int_equal(say(a_of(&lan), DECIDE_REVERT)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(files_show(a_of(&lan), true));
    lan_close(&lan);
}

// "b" approves what "a" has found.
static void test_approved_from_there(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, all_narrow);
    have_files(&lan);
    remove_all(&lan);
    assert_string_equal(say(b_of(&lan), DECIDE_REVERT)->what, "nothing is held");
    assert_int_equal(say(a_of(&lan), DECIDE_APPROVE)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(files_show(b_of(&lan), false));
    lan_close(&lan);
}

static void test_directory_becomes_file(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, all_narrow);
    have_files(&lan);
    user_remove(a_of(&lan), "dir0");
    user_write(a_of(&lan), "dir0", "a file now");
    lan_wait(&lan, 60000);
    assert_true(held_at(a_of(&lan)) > 0);
    assert_true(files_show(b_of(&lan), true));
    assert_int_equal(say(a_of(&lan), DECIDE_APPROVE)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(shows(b_of(&lan), "dir0", "a file now"));
    lan_close(&lan);
}

static void test_directory_becomes_file_reverted(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, all_narrow);
    have_files(&lan);
    user_remove(a_of(&lan), "dir0");
    user_write(a_of(&lan), "dir0", "a file now");
    lan_wait(&lan, 60000);
    assert_int_equal(say(a_of(&lan), DECIDE_REVERT)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(files_show(a_of(&lan), true));
    lan_close(&lan);
}

// ---- rewrites

static void rewrite_all(struct lan *lan)
{
    char path[32];
    for (int i = 0; i < FILES; i++) {
        path_of(i, path);
        user_write(a_of(lan), path, "encrypted");
    }
    lan_wait(lan, 60000);
}

static void test_rewritten_reverted(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, all_narrow);
    have_files(&lan);
    rewrite_all(&lan);
    assert_true(held_at(a_of(&lan)) > 0);
    assert_int_equal(say(a_of(&lan), DECIDE_REVERT)->err, ERR_OK);
    laws_hold(&lan, false);
    char path[32];
    int rewritten = 0;
    for (int i = 0; i < FILES; i++) {
        path_of(i, path);
        rewritten += shows(b_of(&lan), path, "encrypted");
    }
    assert_true(rewritten <= 3);
    lan_close(&lan);
}

// ---- changes of others

static void test_held_there_approved(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, held_there);
    have_files(&lan);
    remove_all(&lan);
    assert_true(held_at(b_of(&lan)) >= FILES);
    assert_true(files_show(b_of(&lan), true));
    // Who made it may not take it back here, but may approve it.
    assert_string_equal(say(a_of(&lan), DECIDE_REVERT)->what,
                        "it is held at a peer: revert it there");
    assert_int_equal(say(a_of(&lan), DECIDE_APPROVE)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(files_show(b_of(&lan), false));
    lan_close(&lan);
}

static void test_held_there_reverted(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, held_there);
    have_files(&lan);
    remove_all(&lan);
    assert_int_equal(say(b_of(&lan), DECIDE_REVERT)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(files_show(a_of(&lan), true));
    lan_close(&lan);
}

// What is approved elsewhere does not count where a folder is strict.
static void strict_there(struct machine *m)
{
    held_there(m);
    m->put.brake.strict = true;
}

static void test_strict(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, strict_there);
    have_files(&lan);
    remove_all(&lan);
    assert_int_equal(say(a_of(&lan), DECIDE_APPROVE)->err, ERR_OK);
    lan_wait(&lan, 10000);
    assert_true(held_at(b_of(&lan)) >= FILES);
    assert_true(files_show(b_of(&lan), true));
    assert_int_equal(say(b_of(&lan), DECIDE_APPROVE)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(files_show(b_of(&lan), false));
    lan_close(&lan);
}

// A device in between passes the approval on, though it believes neither.
static void test_three(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 3, held_there);
    have_files(&lan);
    engine_peer_approves(b_of(&lan)->engine, a_of(&lan)->id, false);
    remove_all(&lan);
    assert_int_equal(say(a_of(&lan), DECIDE_APPROVE)->err, ERR_OK);
    lan_wait(&lan, 10000);
    assert_true(files_show(&lan.machines[2], false));
    assert_true(files_show(b_of(&lan), true));
    engine_peer_approves(b_of(&lan)->engine, a_of(&lan)->id, true);
    laws_hold(&lan, false);
    assert_true(files_show(b_of(&lan), false));
    lan_close(&lan);
}

// A directory that others have moved is no deletion.
static void test_moved_there(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, held_there);
    have_files(&lan);
    user_rename(a_of(&lan), "dir0", "else/where");
    user_rename(a_of(&lan), "dir1", "else/one");
    laws_hold(&lan, false);
    assert_true(shows(b_of(&lan), "else/where/sub/file0", "dir0/sub/file0"));
    lan_close(&lan);
}

// ---- when things go wrong

static void approve(struct lan *lan)
{
    remove_all(lan);
    (void)say(a_of(lan), DECIDE_APPROVE);
    (void)say(b_of(lan), DECIDE_APPROVE);
}

static void approved(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->count; i++) {
        if (held_at(&lan->machines[i]) > 0)
            assert_int_equal(say(&lan->machines[i], DECIDE_APPROVE)->err, ERR_OK);
    }
    laws_hold(lan, false);
    assert_true(files_show(a_of(lan), false));
    assert_true(files_show(b_of(lan), false));
}

static void revert(struct lan *lan)
{
    remove_all(lan);
    (void)say(a_of(lan), DECIDE_REVERT);
    (void)say(b_of(lan), DECIDE_REVERT);
}

static void reverted(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->count; i++) {
        if (held_at(&lan->machines[i]) > 0)
            assert_int_equal(say(&lan->machines[i], DECIDE_REVERT)->err, ERR_OK);
    }
    laws_hold(lan, false);
    // What went before the brake had counted enough is all that may be gone.
    for (uint32_t i = 0; i < lan->count; i++)
        assert_in_range(files_gone(&lan->machines[i]), 0, narrow.deleted);
}

static const struct scenario scenarios[] = {
    {.machines = 2,
     .tune = all_narrow,
     .before = have_files,
     .act = approve,
     .after = approved,
     .differs = true},
    {.machines = 2,
     .tune = all_narrow,
     .before = have_files,
     .act = revert,
     .after = reverted,
     .differs = true},
    {.machines = 2,
     .tune = held_there,
     .before = have_files,
     .act = approve,
     .after = approved,
     .differs = true},
    {.machines = 2,
     .tune = held_there,
     .before = have_files,
     .act = revert,
     .after = reverted,
     .differs = true},
};

enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static void test_sound(void **state)
{
    (void)state;
    scenarios_run(scenarios, SCENARIOS);
}

static void test_index_fails(void **state)
{
    (void)state;
    sweep_commits(scenarios, SCENARIOS, 3);
}

static void test_jobs_fail(void **state)
{
    (void)state;
    sweep_jobs(scenarios, SCENARIOS, 19);
}

static void test_crashes(void **state)
{
    (void)state;
    sweep_crashes(scenarios, SCENARIOS, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approved_here),
        cmocka_unit_test(test_reverted_here),
        cmocka_unit_test(test_reverted_alone),
        cmocka_unit_test(test_approved_from_there),
        cmocka_unit_test(test_directory_becomes_file),
        cmocka_unit_test(test_directory_becomes_file_reverted),
        cmocka_unit_test(test_rewritten_reverted),
        cmocka_unit_test(test_held_there_approved),
        cmocka_unit_test(test_held_there_reverted),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_three),
        cmocka_unit_test(test_moved_there),
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_index_fails),
        cmocka_unit_test(test_jobs_fail),
        cmocka_unit_test(test_crashes),
    };
    return cmocka_run_group_tests_name("sync/held", tests, NULL, NULL);
}
