// SPDX-License-Identifier: MIT
//
// A link that recovery could not give its name back is in kept, and is read there.
#include "recover_test.h"

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
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    put_file(w, "folder", "old file");
    steps[0] = step_of(w, "folder", version_dir("folder", 0755));
    put_link(w, ".cfgsync/staging/x-7-0", "target");
    remove_all(w, "folder");
    put_dir(w, "folder", 0755);
    put_file(w, "folder/file", "somebody's");
    run(w, job);
    kept_link_is_read(w, &steps[0]);
    job_end(&job);
}

// An index that was put back knows as an intent what was done long ago; its user has removed since
// what the intent had put in place.
static void test_nothing_has_the_name(void **state)
{
    struct world *w = *state;
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    job->apply.all_or_none = true;
    put_link(w, "f", "target");
    steps[0] = step_of(w, "c", version_link("c", "target"));
    steps[1] = step_of(w, "f", version_file("f", "new bytes", 0644));
    put_link(w, "c", "target");
    shell("cd '%s' && mv f .cfgsync/kept/20200101T000000Z-7-1", w->root);
    run(w, job);
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
