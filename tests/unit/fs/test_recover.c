// SPDX-License-Identifier: MIT
//
// Every point at which a group can be cut off, made by hand: what is under the step's name in
// staging, what is at the path. Recovery must finish or forget, and give raced edits back.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recover_test.h"

static void swap(struct world *w, const char *a, const char *b)
{
    shell("cd '%s' && mv '%s' tmp.swap && mv '%s' '%s' && mv tmp.swap '%s'", w->root, a, b, a, b);
}

static void test_prepared_is_forgotten(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    put_file(w, "f", "old bytes");
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0644));
    steps[1] = step_of(w, "g", version_file("g", "fresh", 0644));
    put_file(w, ".cfgsync/staging/x-7-0", "new bytes");
    put_file(w, ".cfgsync/staging/x-7-1", "fresh");
    run(w, job);
    assert_int_equal(steps[0].result, STEP_UNDONE);
    assert_int_equal(steps[1].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "f", text), "old bytes");
    assert_false(exists(w, "g"));
    // The contents are staged again: no need to fetch them twice.
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 2);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
    job_end(&job);
}

static void test_exchanged_is_finished(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 3);
    put_file(w, "f", "old bytes");
    put_file(w, "gone", "removed bytes");
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0644));
    steps[1] = step_of(w, "g", version_file("g", "fresh", 0644));
    steps[2] = step_of(w, "gone", version_gone("gone"));
    put_file(w, ".cfgsync/staging/x-7-0", "new bytes");
    swap(w, "f", ".cfgsync/staging/x-7-0");
    put_file(w, "g", "fresh");
    shell("cd '%s' && mv gone .cfgsync/staging/x-7-2", w->root);
    run(w, job);
    for (int i = 0; i < 3; i++)
        assert_int_equal(steps[i].result, STEP_DONE);
    assert_string_equal(text_of(w, "f", text), "new bytes");
    assert_true(steps[0].kept && steps[2].kept && !steps[1].kept);
    assert_true(anywhere(w, ".cfgsync/kept", "old bytes"));
    assert_true(anywhere(w, ".cfgsync/kept", "removed bytes"));
    struct fingerprint now = print_at(w, "f");
    assert_true(print_equal(&now, &steps[0].print));
    assert_false(steps[2].print.present);
    // A second recovery of the same row says the same.
    run(w, job);
    for (int i = 0; i < 3; i++)
        assert_int_equal(steps[i].result, STEP_DONE);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 2);
    job_end(&job);
}

static void test_edit_after_the_exchange_is_not_claimed(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    put_file(w, "f", "old bytes");
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0644));
    put_file(w, ".cfgsync/staging/x-7-0", "new bytes");
    swap(w, "f", ".cfgsync/staging/x-7-0");
    put_file(w, "f", "edited after the crash");
    run(w, job);
    assert_int_equal(steps[0].result, STEP_DONE);
    assert_string_equal(text_of(w, "f", text), "edited after the crash");
    struct fingerprint now = print_at(w, "f");
    assert_false(print_equal(&now, &steps[0].print));
    assert_true(anywhere(w, ".cfgsync/kept", "old bytes"));
    job_end(&job);
}

static void test_chmod_after_the_exchange_is_seen(void **state)
{
    struct world *w = *state;
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    put_file(w, "f", "old bytes");
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0755));
    put_file(w, ".cfgsync/staging/x-7-0", "new bytes");
    swap(w, "f", ".cfgsync/staging/x-7-0");
    shell("chmod 640 '%s/f'", w->root);
    run(w, job);
    assert_int_equal(steps[0].result, STEP_DONE);
    struct fingerprint now = print_at(w, "f");
    assert_int_equal(now.mode & 0777, 0640);
    assert_false(print_equal(&now, &steps[0].print));
    job_end(&job);
}

// The walk compares it with the fingerprint, and of directories it compares no times.
static void test_directory_after_the_exchange_is_seen(void **state)
{
    struct world *w = *state;
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    put_file(w, "f", "old bytes");
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0644));
    put_file(w, ".cfgsync/staging/x-7-0", "new bytes");
    swap(w, "f", ".cfgsync/staging/x-7-0");
    shell("rm '%s/f' && mkdir '%s/f'", w->root, w->root);
    run(w, job);
    assert_int_equal(steps[0].result, STEP_DONE);
    struct fingerprint now = print_at(w, "f");
    assert_int_equal(now.kind, KIND_DIR);
    assert_int_not_equal(now.ino, steps[0].print.ino);
    job_end(&job);
}

static void test_directories(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 7);
    put_file(w, "half", "file under way");
    put_file(w, "whole", "file that went");
    put_file(w, "still", "file that stayed");
    put_file(w, "made", "file before");
    put_dir(w, "to-file", 0750);
    steps[0] = step_of(w, "fresh", version_dir("fresh", 0755));
    steps[1] = step_of(w, "half", version_dir("half", 0755));
    steps[2] = step_of(w, "made", version_dir("made", 0755));
    steps[3] = step_of(w, "to-file", version_file("to-file", "new bytes", 0644));
    steps[4] = step_of(w, "never", version_dir("never", 0755));
    steps[5] = step_of(w, "whole", version_dir("whole", 0755));
    steps[6] = step_of(w, "still", version_dir("still", 0755));
    shell("cd '%s' && mv whole .cfgsync/staging/x-7-5", w->root);
    put_file(w, "whole", "in place of the directory since");
    put_dir(w, ".cfgsync/staging/x-7-6", 0755);
    put_dir(w, "fresh", 0700); // cut off before its mode
    shell("cd '%s' && mv half .cfgsync/staging/x-7-1 && mv made .cfgsync/staging/x-7-2 && rmdir "
          "to-file",
          w->root);
    put_dir(w, "made", 0755);
    put_file(w, ".cfgsync/staging/x-7-3", "new bytes");
    run(w, job);
    assert_int_equal(steps[0].result, STEP_DONE);
    assert_int_equal(mode_of(w, "fresh"), 0755);
    assert_int_equal(steps[1].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "half", text), "file under way");
    assert_int_equal(steps[2].result, STEP_DONE);
    assert_true(anywhere(w, ".cfgsync/kept", "file before"));
    assert_int_equal(steps[3].result, STEP_UNDONE);
    assert_int_equal(mode_of(w, "to-file"), 0750);
    assert_int_equal(steps[4].result, STEP_UNDONE);
    assert_int_equal(steps[5].result, STEP_DONE);
    assert_string_equal(text_of(w, "whole", text), "in place of the directory since");
    assert_true(anywhere(w, ".cfgsync/kept", "file that went"));
    assert_int_equal(steps[6].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "still", text), "file that stayed");
    job_end(&job);
}

static void test_half_an_intent_is_taken_back(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 3);
    job->apply.all_or_none = true;
    put_file(w, "a", "a old");
    put_file(w, "b", "b old");
    steps[0] = step_of(w, "a", version_file("a", "a new", 0644));
    steps[1] = step_of(w, "c", version_file("c", "c new", 0644));
    steps[2] = step_of(w, "b", version_file("b", "b new", 0644));
    put_file(w, ".cfgsync/staging/x-7-0", "a new");
    swap(w, "a", ".cfgsync/staging/x-7-0");
    put_file(w, "c", "c new");
    put_file(w, ".cfgsync/staging/x-7-2", "b new");
    put_file(w, ".cfgsync/staging/r-7", "");
    run(w, job);
    for (int i = 0; i < 3; i++)
        assert_int_equal(steps[i].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "a", text), "a old");
    assert_string_equal(text_of(w, "b", text), "b old");
    assert_false(exists(w, "c"));
    assert_false(exists(w, ".cfgsync/staging/r-7"));
    job_end(&job);
}

// A power cut may keep what a later step did, without its mode, and not what an earlier one did.
static void test_intent_out_of_order_is_taken_back(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    job->apply.all_or_none = true;
    put_file(w, "a", "a old");
    steps[0] = step_of(w, "c", version_file("c", "a old", 0644));
    steps[1] = step_of(w, "a", version_file("a", "a new", 0644));
    put_file(w, ".cfgsync/staging/x-7-0", "a old");
    put_file(w, ".cfgsync/staging/x-7-1", "a new");
    put_file(w, ".cfgsync/staging/r-7", "");
    swap(w, "a", ".cfgsync/staging/x-7-1");
    shell("cd '%s' && chmod 600 a", w->root);
    run(w, job);
    for (int i = 0; i < 2; i++)
        assert_int_equal(steps[i].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "a", text), "a old");
    assert_false(exists(w, "c"));
    assert_false(exists(w, ".cfgsync/staging/r-7"));
    job_end(&job);
}

static void test_intent_not_begun_is_forgotten(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    job->apply.all_or_none = true;
    steps[0] = step_of(w, "c", version_file("c", "c new", 0644));
    steps[1] = step_of(w, "b", version_file("b", "b new", 0644));
    // One content was prepared; the other is the user's, who made the same.
    put_file(w, ".cfgsync/staging/x-7-0", "c new");
    put_file(w, "b", "b new");
    run(w, job);
    for (int i = 0; i < 2; i++)
        assert_int_equal(steps[i].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "b", text), "b new");
    assert_false(exists(w, "c"));
    job_end(&job);
}

// While the mark stands only what is under x counts, never what the user has put there since.
static void test_edits_after_an_intent_stay(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 4);
    job->apply.all_or_none = true;
    put_dir(w, "d", 0755);
    steps[0] = step_of(w, "c", version_file("c", "c new", 0644));
    steps[1] = step_of(w, "d", version_gone("d"));
    steps[2] = step_of(w, "e", version_file("e", "e new", 0644));
    steps[3] = step_of(w, "b", version_file("b", "b new", 0644));
    put_file(w, ".cfgsync/staging/r-7", "");
    put_file(w, "c", "edited after the crash");
    put_file(w, "b", "edited too");
    run(w, job);
    for (int i = 0; i < 4; i++)
        assert_int_equal(steps[i].result, STEP_DONE);
    assert_string_equal(text_of(w, "c", text), "edited after the crash");
    assert_string_equal(text_of(w, "b", text), "edited too");
    assert_false(exists(w, "e"));
    assert_false(steps[2].print.present);
    struct fingerprint now = print_at(w, "c");
    assert_false(print_equal(&now, &steps[0].print));
    // It stands until the index has the intent, which then says so.
    assert_true(exists(w, ".cfgsync/staging/r-7"));
    job_end(&job);
    job = job_for(JOB_RECOVER);
    job->apply.drop_marks = arena_alloc(job->arena, 1, sizeof *job->apply.drop_marks);
    job->apply.drop_marks[job->apply.drop_mark_count++] = JOURNAL;
    run(w, job);
    assert_false(exists(w, ".cfgsync/staging/r-7"));
    job_end(&job);
}

static void test_whole_intent_stays(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    job->apply.all_or_none = true;
    put_file(w, "a", "a old");
    steps[0] = step_of(w, "a", version_file("a", "a new", 0644));
    steps[1] = step_of(w, "c", version_file("c", "c new", 0644));
    // Cut off while displaced contents went to kept.
    shell("cd '%s' && mv a .cfgsync/kept/20200101T000000Z-7-0", w->root);
    put_file(w, "a", "a new");
    put_file(w, "c", "c new");
    put_file(w, ".cfgsync/staging/r-7", "");
    run(w, job);
    assert_int_equal(steps[0].result, STEP_DONE);
    assert_int_equal(steps[1].result, STEP_DONE);
    assert_string_equal(text_of(w, "a", text), "a new");
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 1);
    job_end(&job);
}

static void test_cleaning_keeps_unknown_bytes(void **state)
{
    struct world *w = *state;
    struct job *job = job_for(JOB_RECOVER);
    put_file(w, ".cfgsync/staging/x-3-0", "perhaps somebody");
    put_file(w, ".cfgsync/staging/t-1-1", "temporary");
    stage_text(w, "small");
    put_file(w, ".cfgsync/staging/young-2000000", "progress of a large one");
    put_file(w, ".cfgsync/staging/old-2000000", "old");
    shell("touch -d '8 days ago' '%s/.cfgsync/staging/old-2000000'", w->root);
    job->apply.journal = 9; // a row that could not be read: nothing is cleared away
    disk_run(w->disk, job);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 5);
    job->apply.journal = 0;
    run(w, job);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 1);
    assert_int_equal(count_in(w, ".cfgsync/staging", "young-2000000"), 1);
    assert_true(anywhere(w, ".cfgsync/kept", "perhaps somebody"));
    // What another process has left of large contents, and nothing else.
    put_file(w, ".cfgsync/staging/one-2000000.part", "of before");
    put_file(w, ".cfgsync/staging/two-2000000.part", "of now");
    put_file(w, ".cfgsync/staging/r-4", "of an intent");
    stage_text(w, "small");
    shell("touch -d '1 hour ago' '%s/.cfgsync/staging/one-2000000.part'", w->root);
    job->apply.drop_parts_before_ms = (int64_t)(time(NULL) - 60) * 1000;
    run(w, job);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 4);
    assert_int_equal(count_in(w, ".cfgsync/staging", "one-2000000.part"), 0);
    job_end(&job);
}

// The process died when the content had its name, and its leaves were about to go.
static void test_leaves_of_a_whole_content_go(void **state)
{
    struct world *w = *state;
    struct job *job = job_for(JOB_RECOVER);
    put_file(w, ".cfgsync/staging/whole-2000000.map", "leaves");
    put_file(w, ".cfgsync/staging/half-2000000.map", "leaves");
    put_file(w, ".cfgsync/staging/half-2000000.part", "half");
    run(w, job);
    assert_int_equal(count_in(w, ".cfgsync/staging", "whole"), 0);
    assert_int_equal(count_in(w, ".cfgsync/staging", "half"), 2);
    job_end(&job);
}

// A number of an older journal comes again within a second.
static void test_cleaning_finds_the_name_taken(void **state)
{
    struct world *w = *state;
    struct job *job = job_for(JOB_RECOVER);
    time_t now = time(NULL);
    for (int i = 0; i < 5; i++, now++) {
        char name[64];
        struct tm tm;
        (void)strftime(name, sizeof name, ".cfgsync/kept/%Y%m%dT%H%M%SZ-3-0", gmtime_r(&now, &tm));
        put_file(w, name, "of the older one");
    }
    put_file(w, ".cfgsync/staging/x-3-0", "perhaps somebody");
    run(w, job);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 6);
    assert_true(anywhere(w, ".cfgsync/kept", "perhaps somebody"));
    assert_false(job->apply.left_over);
    job_end(&job);
}

// Where a move is a link and an unlink, and was cut off between the two: nothing has happened.
static void test_two_links_of_one_file(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    put_file(w, "gone", "still there");
    steps[0] = step_of(w, "gone", version_gone("gone"));
    steps[1] = step_of(w, "new", version_file("new", "fresh", 0755));
    shell("cd '%s' && ln gone .cfgsync/staging/x-7-0", w->root);
    put_file(w, "new", "fresh");
    shell("cd '%s' && chmod 755 new && ln new .cfgsync/staging/x-7-1", w->root);
    run(w, job);
    assert_int_equal(steps[0].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "gone", text), "still there");
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 0);
    assert_int_equal(mode_of(w, "new"), 0755);
    job_end(&job);
}

// The submitter must not lose the rows of files that are still there.
static void test_kept_not_removed(void **state)
{
    struct world *w = *state;
    struct slice names[] = {slice_text("own-1"), slice_text("own-2"), slice_text("own-3")};
    uint64_t numbers[] = {11, 12, 13};
    struct job *job = job_for(JOB_RECOVER);
    put_file(w, ".cfgsync/kept/own-1", "goes");
    shell("mkdir '%s/.cfgsync/kept/own-2'", w->root); // cannot be unlinked
    put_file(w, ".cfgsync/kept/own-3", "is being written");
    char open_one[128];
    (void)snprintf(open_one, sizeof open_one, "%s/.cfgsync/kept/own-3", w->root);
    int writer = open(open_one, O_WRONLY | O_CLOEXEC);
    assert_true(writer >= 0);
    job->apply.drop_kept = names;
    job->apply.drop_numbers = numbers;
    job->apply.drop_kept_count = 3;
    run(w, job);
    assert_int_equal(numbers[0], 11);
    assert_int_equal(numbers[1], 0);
    assert_int_equal(numbers[2], 0);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 2);
    (void)close(writer);
    numbers[2] = 13;
    run(w, job);
    assert_int_equal(numbers[2], 13);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 1);
    job_end(&job);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_prepared_is_forgotten),
        T(test_exchanged_is_finished),
        T(test_edit_after_the_exchange_is_not_claimed),
        T(test_chmod_after_the_exchange_is_seen),
        T(test_directory_after_the_exchange_is_seen),
        T(test_directories),
        T(test_half_an_intent_is_taken_back),
        T(test_intent_out_of_order_is_taken_back),
        T(test_intent_not_begun_is_forgotten),
        T(test_edits_after_an_intent_stay),
        T(test_whole_intent_stays),
        T(test_cleaning_keeps_unknown_bytes),
        T(test_leaves_of_a_whole_content_go),
        T(test_cleaning_finds_the_name_taken),
        T(test_two_links_of_one_file),
        T(test_kept_not_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
