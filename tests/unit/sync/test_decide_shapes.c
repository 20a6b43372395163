// SPDX-License-Identifier: MIT
//
// Decisions about names that are a file in one version and a directory in another.
#include <unistd.h>

#include "tests/unit/sync/sweep.h"

static void is_refused(struct machine *m, const struct decision *decision, const char *what)
{
    const struct decision_result *result = decide(m, decision);
    assert_int_not_equal(result->err, ERR_OK);
    assert_string_equal(result->what, what);
    assert_int_equal(result->changed, 0);
}

// What was set aside stays where it is if its name has become a directory.
static void test_no_room_for_a_file(void **state)
{
    static const char why[] =
        "a directory with something in it has that name: rename the directory first";
    const struct decision take = {.kind = DECIDE_TAKE, .folder = "f", .path = slice_text("p")};
    struct lan lan;
    struct conflict conflicts[8];
    (void)state;
    lan_open(&lan, 2);
    lan_cut(&lan);
    user_write(a_of(&lan), "p/inside", "inside");
    user_write(b_of(&lan), "p", "a file");
    user_write(a_of(&lan), "elsewhere", "by hand");
    lan_wait(&lan, 3000);
    lan_join(&lan);
    lan_wait(&lan, 10000);
    assert_int_equal(conflicts_of(a_of(&lan), conflicts, 8), 1);
    is_refused(a_of(&lan), &take, why);
    char file[80];
    (void)snprintf(file, sizeof file, "%s/elsewhere", a_of(&lan)->root);
    const struct decision with = {
        .kind = DECIDE_WITH, .folder = "f", .path = slice_text("p"), .file = slice_text(file)};
    is_refused(a_of(&lan), &with, why);
    lan_wait(&lan, 3000);
    assert_int_equal(conflicts_of(b_of(&lan), conflicts, 8), 1);
    laws_hold(&lan, false);
    lan_close(&lan);
}

static void make_link(struct machine *m, const char *path)
{
    char at[128];
    (void)snprintf(at, sizeof at, "%s/%s", m->root, path);
    assert_int_equal(symlink("to", at), 0);
}

static bool shows_link(const struct machine *m, const char *path)
{
    char at[128], target[8];
    (void)snprintf(at, sizeof at, "%s/%s", m->root, path);
    return readlink(at, target, sizeof target) == 2;
}

// What was a link once and a directory later comes back as the directory.
static void test_restore_tree_of_two_shapes(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    user_write(a_of(&lan), "z", "stays");
    user_mkdir(a_of(&lan), "d");
    make_link(a_of(&lan), "d/current");
    lan_wait(&lan, 3000);
    user_remove(a_of(&lan), "d/current");
    user_mkdir(a_of(&lan), "d/current");
    make_link(a_of(&lan), "d/current/a");
    lan_wait(&lan, 5000);
    assert_true(shows_link(b_of(&lan), "d/current/a"));
    user_remove(a_of(&lan), "d");
    lan_wait(&lan, 10000);
    assert_true(shows(b_of(&lan), "d", NULL));
    const struct decision restore = {
        .kind = DECIDE_RESTORE, .folder = "f", .path = slice_text("d")};
    const struct decision_result *result = decide(b_of(&lan), &restore);
    assert_int_equal(result->err, ERR_OK);
    assert_int_equal(result->changed, 1);
    assert_int_equal(result->left_alone, 1);
    laws_hold(&lan, false);
    assert_true(shows_link(a_of(&lan), "d/current/a"));
    lan_close(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_room_for_a_file),
        cmocka_unit_test(test_restore_tree_of_two_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
