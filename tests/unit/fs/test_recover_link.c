// SPDX-License-Identifier: MIT
//
// A link that recovery could not give its name back is in kept, and is read there.
#include "fs_test.h"

static void recover(struct world *w, struct job *job)
{
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
}

static void kept_link_is_read(struct world *w, const struct step *step)
{
    struct job *job = job_for(JOB_COPY);
    assert_int_equal(step->result, STEP_CHANGED);
    assert_true(step->kept);
    job->copy = (struct job_copy){.path = step->kept_name, .outside = true, .kept = true};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_true(slice_equal(job->copy.target, slice_text("target")));
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 0);
    job_end(&job);
}

// Somebody is in the directory that the step has put there.
static void test_a_directory_has_the_name(void **state)
{
    struct world *w = *state;
    struct job *job = job_for(JOB_RECOVER);
    struct step *steps = steps_for(job, 1, 7);
    put_file(w, "folder", "old file");
    steps[0] = (struct step){.path = slice_text("folder"),
                             .version = version_dir("folder", 0755),
                             .before = print_at(w, "folder")};
    put_link(w, ".cfgsync/staging/x-7-0", "target");
    remove_all(w, "folder");
    put_dir(w, "folder", 0755);
    put_file(w, "folder/file", "somebody's");
    recover(w, job);
    kept_link_is_read(w, &steps[0]);
    job_end(&job);
}

// An index that was put back knows as an intent what was done long ago; its user has removed since
// what the intent had put in place.
static void test_nothing_has_the_name(void **state)
{
    struct world *w = *state;
    struct job *job = job_for(JOB_RECOVER);
    struct step *steps = steps_for(job, 2, 7);
    job->apply.all_or_none = true;
    put_link(w, "f", "target");
    steps[0] = (struct step){.path = slice_text("c"), .version = version_link("c", "target")};
    steps[1] = (struct step){.path = slice_text("f"),
                             .version = version_file("f", "new bytes", 0644),
                             .before = print_at(w, "f")};
    put_link(w, "c", "target");
    shell("cd '%s' && mv f .cfgsync/kept/20200101T000000Z-7-1", w->root);
    recover(w, job);
    assert_int_equal(steps[0].result, STEP_UNDONE);
    kept_link_is_read(w, &steps[1]);
    job_end(&job);
}

#define T(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_directory_has_the_name),
        T(test_nothing_has_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
