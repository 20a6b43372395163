// SPDX-License-Identifier: MIT
//
// One-way folders between machines with real disks: override and reset, and whatever goes wrong
// meanwhile.
#include "tests/unit/sync/held_test.h"

static void one_way(struct machine *m)
{
    if (m->index == 1) m->put.mode = MODE_SEND_ONLY;
    m->put.brake.off = true;
}

static void have_differences(struct lan *lan)
{
    have_files_of(b_of(lan));
    user_write(a_of(lan), "dir0/sub/file0", "changed there");
    user_remove(a_of(lan), "dir1");
    user_write(a_of(lan), "dir2/new", "made there");
    user_remove(a_of(lan), "stays");
    user_write(a_of(lan), "stays/in/it", "a directory there");
    lan_wait(lan, 10000);
    assert_true(files_show(b_of(lan), true));
}

static void do_override(struct lan *lan)
{
    (void)say(b_of(lan), DECIDE_OVERRIDE);
    lan_wait(lan, 5000);
}

static void overridden(struct lan *lan)
{
    assert_int_equal(say(b_of(lan), DECIDE_OVERRIDE)->err, ERR_OK);
    laws_hold(lan, false);
    assert_true(files_show(a_of(lan), true));
    assert_true(shows(a_of(lan), "dir2/new", NULL));
    assert_true(shows(a_of(lan), "stays", "here"));
}

static void receives(struct machine *m)
{
    if (m->index == 1) m->put.mode = MODE_RECEIVE_ONLY;
    m->put.brake.off = true;
}

static void have_changes_here(struct lan *lan)
{
    have_files(lan);
    user_write(b_of(lan), "dir0/sub/file0", "changed here");
    user_remove(b_of(lan), "dir1");
    user_write(b_of(lan), "dir2/new", "made here");
    user_remove(b_of(lan), "stays");
    user_write(b_of(lan), "stays/in/it", "a directory here");
    lan_wait(lan, 10000);
    assert_true(files_show(a_of(lan), true));
    assert_true(shows(a_of(lan), "dir2/new", NULL));
}

static void do_reset(struct lan *lan)
{
    (void)say(b_of(lan), DECIDE_RESET);
    lan_wait(lan, 5000);
}

static void was_reset(struct lan *lan)
{
    assert_int_equal(say(b_of(lan), DECIDE_RESET)->err, ERR_OK);
    laws_hold(lan, false);
    assert_true(files_show(b_of(lan), true));
    assert_true(shows(b_of(lan), "stays", "here"));
}

static void test_modes_refuse(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, receives);
    have_files(&lan);
    assert_string_equal(say(a_of(&lan), DECIDE_RESET)->what, "the folder is not receive-only");
    assert_string_equal(say(b_of(&lan), DECIDE_OVERRIDE)->what, "the folder is not send-only");
    assert_string_equal(say(b_of(&lan), DECIDE_UNDO)->what,
                        "the folder is receive-only: decide on another device");
    lan_close(&lan);
}

static const struct scenario scenarios[] = {
    {.machines = 2,
     .tune = one_way,
     .before = have_differences,
     .act = do_override,
     .after = overridden,
     .differs = true},
    {.machines = 2,
     .tune = receives,
     .before = have_changes_here,
     .act = do_reset,
     .after = was_reset,
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
    sweep_commits(scenarios, SCENARIOS, 1);
}

static void test_jobs_fail(void **state)
{
    (void)state;
    sweep_jobs(scenarios, SCENARIOS, 4);
}

static void test_crashes(void **state)
{
    (void)state;
    sweep_crashes(scenarios, SCENARIOS, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes_refuse), cmocka_unit_test(test_sound),
        cmocka_unit_test(test_index_fails),  cmocka_unit_test(test_jobs_fail),
        cmocka_unit_test(test_crashes),
    };
    return cmocka_run_group_tests_name("sync/one_way", tests, NULL, NULL);
}
