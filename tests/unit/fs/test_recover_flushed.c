// SPDX-License-Identifier: MIT
//
// What recovery says of a mode is on the medium: after the next power cut the disk would show
// another, and that would pass for an edit by its user.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "recover_test.h"

enum { FLUSHED_MAX = 32 };

static struct flushed_one {
    uint64_t ino;
    uint32_t mode;
} flushed[FLUSHED_MAX];
static uint32_t flushed_count;

int fsync(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && flushed_count < FLUSHED_MAX)
        flushed[flushed_count++] = (struct flushed_one){st.st_ino, st.st_mode & 0777};
    return fdatasync(fd);
}

static int chmods_that_fail;

int chmod(const char *path, mode_t mode)
{
    if (chmods_that_fail == 0) return fchmodat(AT_FDCWD, path, mode, 0);
    chmods_that_fail--;
    errno = EIO;
    return -1;
}

// Itself, since it has this mode.
static bool is_flushed(struct world *w, const char *path, uint32_t mode)
{
    struct fingerprint print = print_at(w, path);
    assert_int_equal(print.mode & 0777, mode);
    for (uint32_t i = 0; i < flushed_count; i++) {
        if (flushed[i].ino == print.ino && flushed[i].mode == mode) return true;
    }
    return false;
}

static struct step mode_step(struct world *w, const char *path, struct version version)
{
    struct step step = step_of(w, path, version);
    step.dir_implied_mode = true; // nothing but the mode
    return step;
}

static void what_was_done_is_flushed(void **state)
{
    struct world *w = *state;
    struct step *steps;
    struct job *job = job_of(&steps, 4);
    put_file(w, "f", "old bytes");
    put_file(w, "mode", "same bytes");
    steps[0] = step_of(w, "half", version_dir("half", 0755));
    steps[1] = step_of(w, "made", version_dir("made", 0755));
    steps[2] = step_of(w, "f", version_file("f", "new bytes", 0640));
    steps[3] = mode_step(w, "mode", version_file("mode", "same bytes", 0600));
    put_dir(w, "half", 0700); // cut off before its mode
    put_dir(w, "made", 0755);
    shell("cd '%s' && mv f .cfgsync/staging/x-7-2 && chmod 600 mode", w->root);
    put_file(w, "f", "new bytes");
    shell("cd '%s' && chmod 600 f", w->root); // as a power cut has left it
    flushed_count = 0;
    run(w, job);
    for (int i = 0; i < 4; i++)
        assert_int_equal(steps[i].result, STEP_DONE);
    assert_true(is_flushed(w, "half", 0755));
    assert_true(is_flushed(w, "made", 0755));
    assert_true(is_flushed(w, "f", 0640));
    assert_true(is_flushed(w, "mode", 0600));
    job_end(&job);
}

static void a_mode_that_is_taken_back_is_flushed(void **state)
{
    struct world *w = *state;
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    job->apply.all_or_none = true;
    put_dir(w, "d", 0750);
    put_file(w, "f", "old bytes");
    steps[0] = step_of(w, "d", version_dir("d", 0755));
    steps[1] = step_of(w, "f", version_file("f", "new bytes", 0644));
    put_dir(w, "d", 0755);
    put_file(w, ".cfgsync/staging/x-7-1", "new bytes");
    put_file(w, ".cfgsync/staging/r-7", "");
    flushed_count = 0;
    run(w, job);
    for (int i = 0; i < 2; i++)
        assert_int_equal(steps[i].result, STEP_UNDONE);
    assert_true(is_flushed(w, "d", 0750));
    job_end(&job);
}

// Not done, the step would find a directory, and take its mode for an edit; and so would the next
// look at the file.
static void a_mode_that_cannot_be_set_is_set_later(void **state)
{
    struct world *w = *state;
    struct step *steps;
    struct job *job = job_of(&steps, 2);
    steps[0] = step_of(w, "d", version_dir("d", 0755));
    steps[1] = step_of(w, "f", version_file("f", "bytes", 0640));
    put_dir(w, "d", 0700);
    put_file(w, "f", "bytes");
    shell("chmod 600 '%s/f'", w->root);
    for (int i = 0; i < 2; i++) {
        chmods_that_fail = 1;
        disk_run(w->disk, job);
        assert_int_equal(job->err, ERR_IO);
        assert_int_equal(chmods_that_fail, 0);
        put_dir(w, "d", 0755); // so that it comes to the file
    }
    run(w, job);
    for (int i = 0; i < 2; i++)
        assert_int_equal(steps[i].result, STEP_DONE);
    assert_int_equal(mode_of(w, "f") & 0777, 0640);
    job_end(&job);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(what_was_done_is_flushed),
        T(a_mode_that_is_taken_back_is_flushed),
        T(a_mode_that_cannot_be_set_is_set_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
