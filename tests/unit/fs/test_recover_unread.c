// SPDX-License-Identifier: MIT
//
// Recovery that cannot read what it needs to decide: it decides nothing, and says what that is.
#include <sys/resource.h>
#include <unistd.h>

#include "fs_test.h"

// All descriptors but `spare` are taken while the job runs.
static enum err run_with_spare(struct world *w, struct job *job, rlim_t spare)
{
    int first = dup(STDOUT_FILENO);
    assert_true(first > 0);
    assert_int_equal(close(first), 0);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit low = {.rlim_cur = (rlim_t)first + spare, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    disk_run(w->disk, job);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return job->err;
}

// Nothing is decided by what cannot be read, and what that is can be told.
static void test_unread_is_undecided(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "d/f", "old bytes");
    struct fingerprint before = print_at(w, "d/f");
    shell("cd '%s' && mv d/f .cfgsync/staging/x-7-0", w->root);
    put_file(w, "d/f", "new bytes"); // exchanged
    uint32_t named = 0;
    for (rlim_t spare = 0;; spare++) {
        struct job *job = job_for(JOB_RECOVER);
        struct step *steps = steps_for(job, 1, 7);
        steps[0] = (struct step){.path = slice_text("d/f"),
                                 .version = version_file("d/f", "new bytes", 0644),
                                 .before = before};
        enum err err = run_with_spare(w, job, spare);
        bool names = slice_equal(job->apply.unread, slice_text("d/f"));
        bool done = err == ERR_OK && steps[0].result == STEP_DONE;
        assert_true(done || err != ERR_OK);
        assert_true(names || job->apply.unread.size == 0);
        assert_true(!done || !names);
        job_end(&job);
        assert_string_equal(text_of(w, "d/f", text), "new bytes");
        if (done) break;
        named += names;
        assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 1);
    }
    assert_true(named > 0);
    assert_true(anywhere(w, ".cfgsync/kept", "old bytes"));
}

// A directory that nobody may search, or that something is mounted over, hides what is in it: that
// is no removal.
static void test_hidden_is_not_gone(void **state)
{
    const uid_t nobody = 65534;
    struct world *w = *state;
    char text[256];
    put_file(w, "d/f", "still here");
    struct fingerprint before = print_at(w, "d/f");
    bool root = geteuid() == 0;
    shell("chmod 600 '%s/d'", w->root);
    if (root) shell("chown -R %u '%s'", (unsigned)nobody, w->top);
    if (root) assert_int_equal(seteuid(nobody), 0);
    struct job *job = job_for(JOB_RECOVER);
    struct step *steps = steps_for(job, 1, 7);
    steps[0] =
        (struct step){.path = slice_text("d/f"), .version = version_gone("d/f"), .before = before};
    disk_run(w->disk, job);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(steps[0].result, STEP_UNDONE);
    job_end(&job);
    shell("chmod 700 '%s/d'", w->root);
    assert_string_equal(text_of(w, "d/f", text), "still here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unread_is_undecided, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_hidden_is_not_gone, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
