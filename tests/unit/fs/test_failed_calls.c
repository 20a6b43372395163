// SPDX-License-Identifier: MIT
//
// Steps of which one call fails, or says so: what the only name of somebody's bytes is stays, and
// what has been verified is not to come again.
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/fs/fs_test.h"

#define X "x-7-0"

static struct {
    bool over_fails; // x over a name: the answer is an error
    bool over_done;  // and yet it has happened
    void (*after_over)(struct world *w);
    struct world *world;
    bool unlink_fails, unlink_done; // the same of "f"
    int chmod_fails;                // an errno
} failing;

int __real_renameat(int a_fd, const char *a, int b_fd, const char *b);
int __wrap_renameat(int a_fd, const char *a, int b_fd, const char *b);
int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __real_unlinkat(int dir_fd, const char *name, int flags);
int __wrap_unlinkat(int dir_fd, const char *name, int flags);

int __wrap_renameat(int a_fd, const char *a, int b_fd, const char *b)
{
    if (!failing.over_fails || strcmp(a, X) != 0) return __real_renameat(a_fd, a, b_fd, b);
    if (failing.over_done) assert_int_equal(__real_renameat(a_fd, a, b_fd, b), 0);
    if (failing.after_over != NULL) failing.after_over(failing.world);
    errno = EIO;
    return -1;
}

int __wrap_unlinkat(int dir_fd, const char *name, int flags)
{
    if (!failing.unlink_fails || strcmp(name, "f") != 0)
        return __real_unlinkat(dir_fd, name, flags);
    if (failing.unlink_done) assert_int_equal(__real_unlinkat(dir_fd, name, flags), 0);
    errno = EIO;
    return -1;
}

int __wrap_fchmod(int fd, mode_t mode)
{
    if (failing.chmod_fails == 0) return __real_fchmod(fd, mode);
    errno = failing.chmod_fails;
    return -1;
}

static struct job *job_of(const char *path, struct version version, struct fingerprint before)
{
    struct job *job = job_for(JOB_APPLY);
    struct step *step = steps_for(job, 1, 7);
    *step = (struct step){.path = slice_text(path), .version = version, .before = before};
    return job;
}

static void save_anew(struct world *w)
{
    put_file(w, "g", "saved since");
    shell("mv %s/g %s/f", w->root, w->root);
}

static enum step_result over_that_fails(struct world *w, bool done, void (*after)(struct world *w))
{
    put_file(w, "f", "old bytes");
    struct job *job = job_of("f", version_file("f", "new bytes", 0644), print_at(w, "f"));
    (void)stage_text(w, "new bytes");
    w->disk->without_exchange = true;
    failing.world = w;
    failing.over_fails = true;
    failing.over_done = done;
    failing.after_over = after;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    enum step_result result = job->apply.steps[0].result;
    assert_int_equal(job->apply.steps[0].kept, done);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), done);
    assert_int_equal(anywhere(w, ".cfgsync/kept", "old bytes"), done);
    assert_int_equal(count_in(w, ".cfgsync/staging", X), 0);
    job_end(&job);
    return result;
}

// On another machine's file system: the answer to a rename gets lost.
static void test_a_rename_that_says_it_failed(void **state)
{
    struct world *w = *state;
    char text[256];
    assert_int_equal(over_that_fails(w, true, NULL), STEP_DONE);
    assert_string_equal(text_of(w, "f", text), "new bytes");
}

static void test_a_rename_that_says_it_failed_and_a_save(void **state)
{
    struct world *w = *state;
    char text[256];
    assert_int_equal(over_that_fails(w, true, save_anew), STEP_CHANGED);
    assert_string_equal(text_of(w, "f", text), "saved since");
}

static void test_a_rename_that_failed(void **state)
{
    struct world *w = *state;
    char text[256];
    assert_int_equal(over_that_fails(w, false, NULL), STEP_BLOCKED);
    assert_string_equal(text_of(w, "f", text), "old bytes");
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 1);
}

// Where a name is taken away by a second one, and the first then goes.
static enum step_result removal(struct world *w)
{
    put_file(w, "f", "old bytes");
    struct job *job = job_of("f", version_gone("f"), print_at(w, "f"));
    w->disk->without_exchange = true;
    failing.unlink_fails = true;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    enum step_result result = job->apply.steps[0].result;
    assert_int_equal(job->apply.steps[0].kept, result == STEP_DONE);
    assert_int_equal(count_in(w, ".cfgsync/staging", X), 0);
    job_end(&job);
    return result;
}

static void test_an_unlink_that_failed(void **state)
{
    struct world *w = *state;
    assert_int_equal(removal(w), STEP_BLOCKED);
    assert_int_equal(print_at(w, "f").links, 1);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
}

static void test_an_unlink_that_says_it_failed(void **state)
{
    struct world *w = *state;
    failing.unlink_done = true;
    assert_int_equal(removal(w), STEP_DONE);
    assert_false(exists(w, "f"));
    assert_true(anywhere(w, ".cfgsync/kept", "old bytes"));
}

// The directory is opened for the step, which finds the file as it was.
static void test_removal_in_a_read_only_directory(void **state)
{
    struct world *w = *state;
    if (geteuid() != 0) skip();
    put_file(w, "d/g", "old bytes");
    put_dir(w, "d", 0555);
    struct job *job = job_of("d/g", version_gone("d/g"), print_at(w, "d/g"));
    w->disk->without_exchange = true;
    shell("chmod 755 '%s' && chown -R 12345 '%s'", w->top, w->top);
    job->apply.steps[0].before = print_at(w, "d/g");
    assert_int_equal(seteuid(12345), 0);
    disk_run(w->disk, job);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->apply.steps[0].result, STEP_DONE);
    assert_int_equal(mode_of(w, "d"), 0555);
    assert_false(exists(w, "d/g"));
    assert_true(job->apply.steps[0].kept && anywhere(w, ".cfgsync/kept", "old bytes"));
    job_end(&job);
}

// What comes again with the next try is there still.
static void test_a_content_cannot_be_dressed(void **state)
{
    struct world *w = *state;
    char text[256];
    for (int broken = 0; broken <= 1; broken++) {
        (void)stage_text(w, "new bytes");
        struct version version = version_file("f", "new bytes", 0644);
        struct job *job = job_of("f", version, (struct fingerprint){0});
        failing.chmod_fails = broken ? EIO : ENOMEM;
        disk_run(w->disk, job);
        assert_int_equal(job->apply.steps[0].result, broken ? STEP_FAILED : STEP_BLOCKED);
        assert_int_equal(job->apply.steps[0].blocked, broken ? BLOCKED_IO : BLOCKED_BUSY);
        assert_int_equal(count_in(w, ".cfgsync/staging", ""), !broken);
        failing.chmod_fails = 0;
        if (!broken) {
            disk_run(w->disk, job);
            assert_int_equal(job->apply.steps[0].result, STEP_DONE);
            assert_string_equal(text_of(w, "f", text), "new bytes");
            remove_all(w, "f");
        }
        job_end(&job);
    }
}

static void descriptors_at_most(rlim_t count, struct rlimit *out_before)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, out_before), 0);
    const struct rlimit few = {.rlim_cur = count, .rlim_max = out_before->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

// Wherever they run out, nothing has to come again.
static void test_a_want_of_descriptors(void **state)
{
    struct world *w = *state;
    struct rlimit before;
    for (rlim_t count = 3; count < 32; count++) {
        struct version version = version_file("f", "new bytes", 0644);
        struct job *job = job_of("f", version, (struct fingerprint){0});
        (void)stage_text(w, "new bytes");
        descriptors_at_most(count, &before);
        disk_run(w->disk, job);
        (void)setrlimit(RLIMIT_NOFILE, &before);
        bool done = job->err == ERR_OK && job->apply.steps[0].result == STEP_DONE;
        // Of what is done already recovery hears.
        bool there = exists(w, "f");
        assert_true(there || job->err != ERR_OK || !done);
        assert_int_equal(count_in(w, ".cfgsync/staging", ""), !there);
        remove_all(w, "f");
        job_end(&job);
        if (done) return;
    }
    fail();
}

static int failed_open(void **state)
{
    memset(&failing, 0, sizeof failing);
    return world_open(state);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, failed_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_a_rename_that_says_it_failed),  T(test_a_rename_that_says_it_failed_and_a_save),
        T(test_a_rename_that_failed),          T(test_an_unlink_that_failed),
        T(test_an_unlink_that_says_it_failed), T(test_removal_in_a_read_only_directory),
        T(test_a_content_cannot_be_dressed),   T(test_a_want_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
