// SPDX-License-Identifier: MIT
//
// What is found on a disk and cannot be settled at once is not looked at over and over while the
// clock stands: lan_settle fails when it is.
#include "tests/unit/sync/lan.h"

static void receives(struct machine *m)
{
    if (m->index == 1) m->put.mode = MODE_RECEIVE_ONLY;
}

static void rescan(struct machine *m)
{
    engine_watch(m->engine, m->folder, ENGINE_RESCAN, slice_text(""));
    lan_wait(m->lan, 10000);
}

// A file of everybody's is a directory in a folder that only receives, which the index never says.
static void test_file_is_directory_here(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, receives);
    user_write(a_of(&lan), "x", "a file");
    lan_wait(&lan, 5000);
    user_remove(b_of(&lan), "x");
    user_write(b_of(&lan), "x/in/it", "a directory here");
    lan_wait(&lan, 5000);
    rescan(b_of(&lan));
    assert_int_equal(status_of(b_of(&lan)).changed_here, 3);
    assert_true(shows(b_of(&lan), "x/in/it", "a directory here"));
    assert_true(shows(a_of(&lan), "x", "a file"));
    lan_close(&lan);
}

// A directory of everybody's is gone there, with all that is in it.
static void test_directory_is_gone_here(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, receives);
    user_write(a_of(&lan), "x/in/it", "a directory");
    lan_wait(&lan, 5000);
    user_remove(b_of(&lan), "x");
    lan_wait(&lan, 5000);
    rescan(b_of(&lan));
    assert_int_equal(status_of(b_of(&lan)).changed_here, 3);
    assert_true(shows(b_of(&lan), "x", NULL));
    assert_true(shows(a_of(&lan), "x/in/it", "a directory"));
    lan_close(&lan);
}

// What is written again and again is looked at now and then only, also when its directory goes.
static void test_log_goes_with_its_directory(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    for (int i = 0; i < 6; i++) {
        char text[] = {'l', 'i', 'n', 'e', ' ', (char)('0' + i), 0};
        user_write(a_of(&lan), "x/log", text);
        lan_wait(&lan, 2500);
    }
    assert_true(shows(b_of(&lan), "x/log", "line 5"));
    user_write(a_of(&lan), "x/log", "line 6");
    lan_wait(&lan, 100);
    user_remove(a_of(&lan), "x");
    lan_wait(&lan, 10000);
    assert_true(lan_in_step(&lan) && trees_equal(&lan));
    assert_true(shows(b_of(&lan), "x", NULL));
    lan_close(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_is_directory_here),
        cmocka_unit_test(test_directory_is_gone_here),
        cmocka_unit_test(test_log_goes_with_its_directory),
    };
    return cmocka_run_group_tests_name("sync/restless", tests, NULL, NULL);
}
