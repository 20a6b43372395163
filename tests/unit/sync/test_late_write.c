// SPDX-License-Identifier: MIT
//
// A program writes into a file that it had open when a change of others replaced it: what it wrote
// is set aside as an edit that lost, whatever goes wrong.
#include <unistd.h>

#include "agent/core/job.h"
#include "tests/unit/sync/sweep.h"

static const char late[] = "written late";

static void have_x(struct lan *lan)
{
    user_write(a_of(lan), "x", "first");
    lan_wait(lan, 3000);
    assert_true(shows(b_of(lan), "x", "first"));
}

static FILE *open_x(struct machine *m)
{
    char at[512];
    (void)snprintf(at, sizeof at, "%s/x", m->root);
    FILE *file = fopen(at, "r+b");
    assert_non_null(file);
    return file;
}

static void write_late(struct machine *m, FILE *file, const char *text)
{
    m->touched = true;
    rewind(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fflush(file), 0);
    assert_int_equal(ftruncate(fileno(file), (off_t)strlen(text)), 0);
}

static void write_after_it_was_replaced(struct lan *lan)
{
    FILE *file = open_x(b_of(lan));
    user_write(a_of(lan), "x", "by a");
    lan_wait(lan, 5000);
    write_late(b_of(lan), file, late);
    assert_int_equal(fclose(file), 0);
    lan_wait(lan, 60000);
}

// A file that a program writes into before what a step displaced leaves staging; else NULL.
static FILE *open_meanwhile;

int __real_names_move(int a_fd, const char *a, int b_fd, const char *b);
int __wrap_names_move(int a_fd, const char *a, int b_fd, const char *b);

int __wrap_names_move(int a_fd, const char *a, int b_fd, const char *b)
{
    bool to_kept = strncmp(a, "x-", 2) == 0 && strstr(b, "Z-") != NULL;
    if (open_meanwhile != NULL && to_kept) {
        assert_int_equal(fwrite(late, 1, strlen(late), open_meanwhile), strlen(late));
        assert_int_equal(fclose(open_meanwhile), 0);
        open_meanwhile = NULL;
    }
    return __real_names_move(a_fd, a, b_fd, b);
}

// At its path, or set aside.
static uint32_t times_there(struct lan *lan, const char *text)
{
    struct conflict conflicts[8];
    uint32_t times = shows(a_of(lan), "x", text);
    uint32_t count = conflicts_of(a_of(lan), conflicts, 8);
    for (uint32_t i = 0; i < count; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%.*s", SLICE_ARG(conflicts[i].item));
        times += shows(a_of(lan), path, text);
    }
    return times;
}

static void it_is_there(struct lan *lan)
{
    assert_int_equal(times_there(lan, late), 1);
    assert_int_equal(times_there(lan, "by a"), 1);
}

static const struct scenario replaced = {
    .machines = 2, .before = have_x, .act = write_after_it_was_replaced, .after = it_is_there};

static void test_set_aside(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_x(&lan);
    write_after_it_was_replaced(&lan);
    laws_hold(&lan, false);
    it_is_there(&lan);
    assert_true(shows(b_of(&lan), "x", "by a"));
    lan_close(&lan);
}

// All that it writes is one conflict item, and none if it writes what was there.
static void test_again_and_again(void **state)
{
    struct lan lan;
    struct conflict conflicts[8];
    (void)state;
    lan_open(&lan, 2);
    have_x(&lan);
    FILE *file = open_x(b_of(&lan));
    user_write(a_of(&lan), "x", "by a");
    lan_wait(&lan, 5000);
    write_late(b_of(&lan), file, "first");
    lan_wait(&lan, 60000);
    assert_int_equal(conflicts_of(b_of(&lan), conflicts, 8), 0);
    for (int i = 0; i < 3; i++) {
        write_late(b_of(&lan), file, i < 2 ? "not the last" : late);
        lan_wait(&lan, 60000);
    }
    assert_int_equal(fclose(file), 0);
    laws_hold(&lan, false);
    assert_int_equal(conflicts_of(b_of(&lan), conflicts, 8), 1);
    it_is_there(&lan);
    lan_close(&lan);
}

// Of two machines, whose conflict items would have the same name.
static void test_on_two_machines(void **state)
{
    static const int64_t apart_ms[] = {0, 20, 100, 300, 1000, 3000};
    (void)state;
    for (size_t i = 0; i < sizeof apart_ms / sizeof apart_ms[0]; i++) {
        struct lan lan;
        lan_open(&lan, 3);
        have_x(&lan);
        struct machine *third = &lan.machines[2];
        FILE *one = open_x(b_of(&lan)), *other = open_x(third);
        user_write(a_of(&lan), "x", "by a");
        lan_wait(&lan, 5000);
        write_late(b_of(&lan), one, late);
        lan_wait(&lan, apart_ms[i]);
        write_late(third, other, "late, too");
        lan_wait(&lan, 60000);
        assert_int_equal(fclose(one) + fclose(other), 0);
        laws_hold(&lan, false);
        it_is_there(&lan);
        assert_int_equal(times_there(&lan, "late, too"), 1);
        lan_close(&lan);
    }
}

// While the step is flushed, when nobody watches where the file is; and not again later.
static void written_meanwhile(bool deleted)
{
    struct lan lan;
    lan_open(&lan, 2);
    have_x(&lan);
    open_meanwhile = open_x(b_of(&lan));
    if (deleted)
        user_remove(a_of(&lan), "x");
    else
        user_write(a_of(&lan), "x", "by a");
    lan_wait(&lan, 60000);
    assert_null(open_meanwhile);
    laws_hold(&lan, false);
    assert_int_equal(times_there(&lan, late), 1);
    assert_true(shows(b_of(&lan), "x", deleted ? NULL : "by a"));
    lan_close(&lan);
}

static void test_replaced_meanwhile(void **state)
{
    (void)state;
    written_meanwhile(false);
}

static void test_deleted_meanwhile(void **state)
{
    (void)state;
    written_meanwhile(true);
}

// Both have edited it, and an intent displaces what loses.
static void test_lost_meanwhile(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_x(&lan);
    lan_cut(&lan);
    user_write(a_of(&lan), "x", "by a");
    user_write(b_of(&lan), "x", "by b");
    lan_wait(&lan, 5000);
    open_meanwhile = open_x(a_of(&lan));
    lan_join(&lan);
    lan_wait(&lan, 60000);
    assert_null(open_meanwhile);
    laws_hold(&lan, false);
    assert_int_equal(times_there(&lan, "by a"), 1);
    assert_int_equal(times_there(&lan, "by b"), 1);
    assert_int_equal(times_there(&lan, late), 1);
    lan_close(&lan);
}

// A folder that only receives: it stays in kept.
static void test_of_a_folder_that_receives(void **state)
{
    struct lan lan;
    struct conflict conflicts[8];
    (void)state;
    lan_open(&lan, 2);
    have_x(&lan);
    struct machine *b = b_of(&lan);
    b->put.mode = MODE_RECEIVE_ONLY;
    assert_int_equal(engine_folder_put(b->engine, &b->put, &b->folder), ERR_OK);
    write_after_it_was_replaced(&lan);
    assert_int_equal(conflicts_of(a_of(&lan), conflicts, 8), 0);
    assert_true(shows(b_of(&lan), "x", "by a"));
    lan_close(&lan);
}

static void test_something_fails(void **state)
{
    (void)state;
    sweep_commits(&replaced, 1, 1);
    sweep_jobs(&replaced, 1, 3);
    sweep_crashes(&replaced, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_aside),          cmocka_unit_test(test_again_and_again),
        cmocka_unit_test(test_on_two_machines),    cmocka_unit_test(test_of_a_folder_that_receives),
        cmocka_unit_test(test_replaced_meanwhile), cmocka_unit_test(test_deleted_meanwhile),
        cmocka_unit_test(test_lost_meanwhile),     cmocka_unit_test(test_something_fails),
    };
    return cmocka_run_group_tests_name("sync/late-write", tests, NULL, NULL);
}
