// SPDX-License-Identifier: MIT
//
// Recovery where somebody's edit, or two, met a step just before the crash.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "recover_test.h"

static void test_raced_edit_is_given_back(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 4);
    put_file(w, "f", "old bytes");
    put_file(w, "gone", "removed bytes");
    put_file(w, "later", "old later");
    put_file(w, "folder", "old file");
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0644));
    steps[1] = step_of(w, "gone", version_gone("gone"));
    steps[2] = step_of(w, "later", version_file("later", "new later", 0644));
    steps[3] = step_of(w, "folder", version_dir("folder", 0755));
    put_file(w, ".cfgsync/staging/x-7-0", "the user's edit");
    put_file(w, "f", "new bytes");
    shell("cd '%s' && rm gone", w->root);
    put_file(w, ".cfgsync/staging/x-7-1", "another edit");
    put_file(w, ".cfgsync/staging/x-7-2", "first edit");
    put_file(w, "later", "second edit");
    put_file(w, ".cfgsync/staging/x-7-3", "an edit of what becomes a directory");
    remove_all(w, "folder");
    put_dir(w, "folder", 0755);
    run(w, job);
    for (int i = 0; i < 4; i++)
        assert_int_equal(steps[i].result, STEP_CHANGED);
    assert_string_equal(text_of(w, "f", text), "the user's edit");
    assert_string_equal(text_of(w, "gone", text), "another edit");
    assert_string_equal(text_of(w, "later", text), "second edit");
    assert_string_equal(text_of(w, "folder", text), "an edit of what becomes a directory");
    assert_true(anywhere(w, ".cfgsync/kept", "first edit"));
    job_end(&job);
}

// Two edits met the step, and the crash came while they were sorted out.
static void test_the_later_of_two_edits_has_the_name(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    put_file(w, "f", "old bytes");
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0644));
    put_file(w, "f", "first edit");
    put_file(w, ".cfgsync/staging/x-7-0", "second edit");
    shell("cd '%s' && touch -d '1 hour ago' f", w->root);
    run(w, job);
    assert_int_equal(steps[0].result, STEP_CHANGED);
    assert_string_equal(text_of(w, "f", text), "second edit");
    assert_true(steps[0].kept && anywhere(w, ".cfgsync/kept", "first edit"));
    job_end(&job);
}

// The old file was back already when the crash came, whatever the times say.
static void test_an_edit_is_later_than_what_was_there(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    put_file(w, "f", "old bytes");
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0644));
    put_file(w, ".cfgsync/staging/x-7-0", "edit");
    shell("cd '%s' && touch -r f .cfgsync/staging/x-7-0", w->root);
    run(w, job);
    assert_int_equal(steps[0].result, STEP_CHANGED);
    assert_string_equal(text_of(w, "f", text), "edit");
    assert_true(steps[0].kept && anywhere(w, ".cfgsync/kept", "old bytes"));
    job_end(&job);
}

// Its directory went since: it cannot go back, and recovery comes to an end all the same.
static void test_an_edit_without_its_directory_is_kept(void **state)
{
    struct world *w = *state;
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    put_file(w, "d/f", "old bytes");
    steps[0] = step_of(w, "d/f", version_file("d/f", "new bytes", 0644));
    put_file(w, ".cfgsync/staging/x-7-0", "edit");
    remove_all(w, "d");
    run(w, job);
    assert_int_equal(steps[0].result, STEP_CHANGED);
    assert_true(steps[0].kept && anywhere(w, ".cfgsync/kept", "edit"));
    job_end(&job);
}

// Made by two programs, or by one twice: what is in a directory that goes to kept nobody hears of.
static void test_of_two_directories_the_empty_one_goes(void **state)
{
    struct world *w = *state;
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    put_file(w, "a", "old a");
    put_file(w, "b", "old b");
    steps[0] = step_of(w, "a", version_file("a", "new a", 0644));
    steps[1] = step_of(w, "b", version_file("b", "new b", 0644));
    remove_all(w, "a");
    remove_all(w, "b");
    put_file(w, "a/file", "somebody's");
    put_dir(w, "b", 0755);
    shell("cd '%s' && touch -d '1 hour ago' a b", w->root);
    put_dir(w, ".cfgsync/staging/x-7-0", 0755);
    put_file(w, ".cfgsync/staging/x-7-1/file", "somebody's, too");
    shell("cd '%s' && touch -d '2 hours ago' .cfgsync/staging/x-7-1", w->root);
    run(w, job);
    char text[256];
    assert_string_equal(text_of(w, "a/file", text), "somebody's");
    assert_string_equal(text_of(w, "b/file", text), "somebody's, too");
    assert_false(steps[0].kept || steps[1].kept);
    job_end(&job);
}

// Both have something in them: what is in the one that cannot have the name goes into the other.
static void test_two_directories_are_one(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    put_file(w, "a", "old a");
    put_file(w, "b", "old b");
    steps[0] = step_of(w, "a", version_file("a", "new a", 0644));
    steps[1] = step_of(w, "b", version_dir("b", 0755));
    remove_all(w, "a");
    remove_all(w, "b");
    for (int i = 0; i < 2; i++) {
        const char *const here[] = {"a/d/here", "b/here"}, *const both[] = {"a/d/both", "b/both"};
        put_file(w, here[i], "is here");
        put_file(w, both[i], "of one");
    }
    put_file(w, ".cfgsync/staging/x-7-0/d/there", "was there");
    put_file(w, ".cfgsync/staging/x-7-0/d/both", "of the other");
    put_file(w, ".cfgsync/staging/x-7-1/there/it", "was there");
    run(w, job);
    assert_int_equal(steps[0].result, STEP_CHANGED);
    assert_int_equal(steps[1].result, STEP_CHANGED);
    assert_string_equal(text_of(w, "a/d/here", text), "is here");
    assert_string_equal(text_of(w, "a/d/there", text), "was there");
    assert_true(anywhere(w, "a/d", "of one") || anywhere(w, "a/d", "of the other"));
    assert_true(steps[0].kept && !steps[1].kept);
    assert_true(anywhere(w, ".cfgsync/kept", "of one") ||
                anywhere(w, ".cfgsync/kept", "of the other"));
    assert_string_equal(text_of(w, "b/here", text), "is here");
    assert_string_equal(text_of(w, "b/there/it", text), "was there");
    assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
    job_end(&job);
}

// Nor does it stay behind for a mode that keeps it from being moved.
static void test_a_read_only_directory_goes_into_another(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    if (geteuid() != 0) skip();
    put_file(w, "a", "old a");
    steps[0] = step_of(w, "a", version_dir("a", 0755));
    remove_all(w, "a");
    put_file(w, "a/here", "is here");
    put_file(w, ".cfgsync/staging/x-7-0/d/there", "was there");
    put_dir(w, ".cfgsync/staging/x-7-0/d", 0555);
    shell("chmod 755 '%s' && chown -R 12345 '%s'", w->top, w->top);
    assert_int_equal(seteuid(12345), 0);
    disk_run(w->disk, job);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(job->err, ERR_OK);
    assert_false(steps[0].kept);
    assert_string_equal(text_of(w, "a/here", text), "is here");
    assert_string_equal(text_of(w, "a/d/there", text), "was there");
    assert_int_equal(mode_of(w, "a/d"), 0555);
    job_end(&job);
}

// What cannot be moved now or ever keeps no recovery waiting: the rest goes to kept, with it.
static void test_what_is_mounted_stays_where_it_is(void **state)
{
    struct world *w = *state;
    char mount[512], text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    put_file(w, "a", "old a");
    steps[0] = step_of(w, "a", version_file("a", "new a", 0644));
    remove_all(w, "a");
    put_file(w, "a/here", "is here");
    put_dir(w, ".cfgsync/staging/x-7-0/n", 0755);
    put_file(w, ".cfgsync/staging/x-7-0/there", "was there");
    (void)snprintf(mount, sizeof mount, "mount -t tmpfs none %s/.cfgsync/staging/x-7-0/n 2>&-",
                   w->root);
    if (system(mount) != 0) skip(); // not everybody may
    shell("touch -d '1 hour ago' '%s/.cfgsync/staging/x-7-0'", w->root);
    run(w, job);
    shell("umount '%s'/.cfgsync/kept/*/n", w->root);
    assert_int_equal(steps[0].result, STEP_CHANGED);
    assert_true(steps[0].kept);
    assert_string_equal(text_of(w, "a/here", text), "is here");
    assert_string_equal(text_of(w, "a/there", text), "was there");
    job_end(&job);
}

// It went to kept, and the crash came before the index heard of it: the next recovery says so, and
// does not move it again.
static void test_an_edit_in_kept_is_told_of_again(void **state)
{
    struct world *w = *state;
    char text[256], kept[256];
    struct step *steps;
    put_file(w, "f", "old bytes");
    struct step step = step_of(w, "f", version_file("f", "new bytes", 0644));
    put_file(w, "f", "second edit");
    put_file(w, ".cfgsync/staging/x-7-0", "first edit");
    shell("cd '%s' && touch -d '1 hour ago' .cfgsync/staging/x-7-0", w->root);
    for (int i = 0; i < 2; i++) {
        struct job *job = job_of(&steps, 1);
        steps[0] = step;
        run(w, job);
        assert_int_equal(steps[0].result, STEP_CHANGED);
        assert_true(steps[0].kept && steps[0].kept_name.size > 0);
        (void)snprintf(kept, sizeof kept, ".cfgsync/kept/%.*s", (int)steps[0].kept_name.size,
                       (const char *)steps[0].kept_name.data);
        assert_string_equal(text_of(w, kept, text), "first edit");
        job_end(&job);
    }
    assert_string_equal(text_of(w, "f", text), "second edit");
}

// The mark says that the intent had begun; the edit, that it was being taken back.
static void test_an_edit_in_kept_ends_an_intent(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    job->apply.all_or_none = true;
    put_file(w, "f", "old bytes");
    steps[0] = step_of(w, "copy", version_file("copy", "a copy", 0644));
    steps[1] = step_of(w, "f", version_file("f", "new bytes", 0644));
    put_file(w, ".cfgsync/staging/r-7", "");
    put_file(w, "copy", "a copy");
    put_file(w, "f", "second edit");
    put_file(w, ".cfgsync/kept/20250615T150939Z-7-1-met", "first edit");
    run(w, job);
    assert_int_equal(steps[0].result, STEP_UNDONE);
    assert_int_equal(steps[1].result, STEP_CHANGED);
    assert_true(steps[1].kept && anywhere(w, ".cfgsync/kept", "first edit"));
    assert_string_equal(text_of(w, "f", text), "second edit");
    assert_false(print_at(w, "copy").present);
    job_end(&job);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_raced_edit_is_given_back),
        T(test_the_later_of_two_edits_has_the_name),
        T(test_an_edit_is_later_than_what_was_there),
        T(test_an_edit_without_its_directory_is_kept),
        T(test_of_two_directories_the_empty_one_goes),
        T(test_two_directories_are_one),
        T(test_a_read_only_directory_goes_into_another),
        T(test_what_is_mounted_stays_where_it_is),
        T(test_an_edit_in_kept_is_told_of_again),
        T(test_an_edit_in_kept_ends_an_intent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
