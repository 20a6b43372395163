// SPDX-License-Identifier: MIT
//
// A directory that forbids writing, open for the moment of a step: whatever comes then, it has its
// mode again before anybody looks at it.
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recover_test.h"

enum { USER = 12345 };

static int sets;        // modes that were set
static int dies, fails; // at which of them: the process, the call; 0: at none

int __real_mode_set_fd(int fd, uint32_t mode);
int __wrap_mode_set_fd(int fd, uint32_t mode);

int __wrap_mode_set_fd(int fd, uint32_t mode)
{
    sets++;
    if (sets == dies) _exit(0);
    return sets == fails ? EIO : __real_mode_set_fd(fd, mode);
}

static struct step in_d;

// "d/f" is to be replaced in a directory that is somebody's own.
static void locked(struct world *w)
{
    put_file(w, "d/f", "old bytes");
    put_dir(w, "d", 0555);
    stage_text(w, "new bytes");
    shell("chmod 755 '%s' && chown -R %d '%s'", w->top, USER, w->top);
    in_d = step_of(w, "d/f", version_file("d/f", "new bytes", 0644));
    sets = 0;
}

static enum err run_as_user(struct world *w, enum job_kind kind, enum step_result *out)
{
    struct job *job = job_for(kind);
    struct step *steps = steps_for(job, 1, JOURNAL);
    steps[0] = in_d;
    assert_int_equal(seteuid(USER), 0);
    disk_run(w->disk, job);
    assert_int_equal(seteuid(0), 0);
    enum err err = job->err;
    *out = steps[0].result;
    job_end(&job);
    return err;
}

static void recovered(struct world *w, enum step_result expected)
{
    char text[256];
    enum step_result result;
    sets = dies = fails = 0;
    assert_int_equal(run_as_user(w, JOB_RECOVER, &result), ERR_OK);
    assert_int_equal(result, expected);
    assert_int_equal(count_in(w, ".cfgsync/staging", "o-"), 0);
    assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
    assert_string_equal(text_of(w, "d/f", text), expected == STEP_DONE ? "new bytes" : "old bytes");
}

// False: it came to its end.
static bool dies_at(struct world *w, int at)
{
    enum step_result result;
    int status = 0;
    dies = at;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(run_as_user(w, JOB_APPLY, &result) == ERR_OK ? 1 : 2);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 0;
}

static void test_the_process_dies(void **state)
{
    struct world *w = *state;
    if (geteuid() != 0) skip();
    int at = 1, open = 0;
    for (;; at++) {
        locked(w);
        bool died = dies_at(w, at);
        bool is_open = mode_of(w, "d") == 0755;
        open += is_open;
        if (!died) break;
        recovered(w, is_open ? STEP_DONE : STEP_UNDONE);
        assert_int_equal(mode_of(w, "d"), 0555);
        remove_all(w, "d");
        shell("rm -f %s/.cfgsync/kept/*", w->root);
    }
    assert_int_equal(at, 4); // the note, open, locked
    assert_int_equal(open, 1);
    assert_int_equal(mode_of(w, "d"), 0555);
}

static void test_it_cannot_be_locked_again(void **state)
{
    struct world *w = *state;
    enum step_result result;
    if (geteuid() != 0) skip();
    locked(w);
    fails = 3;
    assert_int_equal(run_as_user(w, JOB_APPLY, &result), ERR_IO);
    assert_int_equal(mode_of(w, "d"), 0755);
    sets = 0;
    fails = 1; // nor now
    assert_int_equal(run_as_user(w, JOB_RECOVER, &result), ERR_IO);
    assert_int_equal(mode_of(w, "d"), 0755);
    recovered(w, STEP_DONE);
    assert_int_equal(mode_of(w, "d"), 0555);
}

// What the crash has interrupted is taken back in it.
static void test_a_save_met_the_step(void **state)
{
    struct world *w = *state;
    char text[256];
    enum step_result result;
    if (geteuid() != 0) skip();
    locked(w);
    assert_true(dies_at(w, 3));
    shell("printf ' and more' >> '%s/.cfgsync/staging/x-7-0'", w->root);
    sets = dies = 0;
    assert_int_equal(run_as_user(w, JOB_RECOVER, &result), ERR_OK);
    assert_int_equal(result, STEP_CHANGED);
    assert_string_equal(text_of(w, "d/f", text), "old bytes and more");
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
    assert_int_equal(mode_of(w, "d"), 0555);
}

// Another mode, or the same one where no step was under way, is the user's doing.
static void test_its_user_changes_the_mode(void **state)
{
    struct world *w = *state;
    if (geteuid() != 0) skip();
    locked(w);
    assert_true(dies_at(w, 3));
    shell("chmod 775 '%s/d'", w->root);
    recovered(w, STEP_DONE);
    assert_int_equal(mode_of(w, "d"), 0775);
    remove_all(w, "d");
    locked(w);
    shell("chmod 755 '%s/d'", w->root);
    recovered(w, STEP_UNDONE);
    assert_int_equal(mode_of(w, "d"), 0755);
}

// An intent is taken back as a whole.
static void test_a_step_is_taken_back(void **state)
{
    struct world *w = *state;
    char text[256];
    if (geteuid() != 0) skip();
    locked(w);
    struct job *job = job_for(JOB_APPLY);
    struct step *steps = steps_for(job, 2, JOURNAL);
    job->apply.all_or_none = true;
    steps[0] = in_d;
    steps[1] = step_of(w, "d/f", version_gone("d/f")); // by then it is another
    assert_int_equal(seteuid(USER), 0);
    disk_run(w->disk, job);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(steps[0].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "d/f", text), "old bytes");
    assert_int_equal(mode_of(w, "d"), 0555);
    assert_int_equal(count_in(w, ".cfgsync/staging", "o-"), 0);
    job_end(&job);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_the_process_dies),     T(test_it_cannot_be_locked_again),
        T(test_a_save_met_the_step),  T(test_its_user_changes_the_mode),
        T(test_a_step_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
