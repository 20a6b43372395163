// SPDX-License-Identifier: MIT
//
// The crash came when what a step had displaced was in kept already, and the index did not know.
// What lies there then is named by no row unless recovery finds it.
#include <errno.h>
#include <string.h>

#include "recover_test.h"

#define KEPT ".cfgsync/kept/20200101T000000Z-7-0"

static bool list_fails, move_fails;

struct dirent *__real_dir_next(DIR *dir);
struct dirent *__wrap_dir_next(DIR *dir);
int __real_names_move(int a_fd, const char *a, int b_fd, const char *b);
int __wrap_names_move(int a_fd, const char *a, int b_fd, const char *b);

struct dirent *__wrap_dir_next(DIR *dir)
{
    if (!list_fails) return __real_dir_next(dir);
    errno = EIO;
    return NULL;
}

int __wrap_names_move(int a_fd, const char *a, int b_fd, const char *b)
{
    return move_fails ? EIO : __real_names_move(a_fd, a, b_fd, b);
}

// "f" was displaced by `version`, and is in kept.
static struct step kept_step(struct world *w, struct version version)
{
    put_file(w, "f", "old bytes");
    struct step step = step_of(w, "f", version);
    shell("cd '%s' && mv f " KEPT, w->root);
    if (version.value.kind == KIND_FILE) put_file(w, "f", "new bytes");
    if (version.value.kind == KIND_DIR) put_dir(w, "f", 0755);
    return step;
}

static enum step_result recovered(struct world *w, struct step step)
{
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    steps[0] = step;
    run(w, job);
    enum step_result result = steps[0].result;
    job_end(&job);
    return result;
}

static void recovery_fails(struct world *w, struct step step)
{
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    steps[0] = step;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_IO);
    job_end(&job);
}

// As under the step's name in staging: it is a save that met the step.
static void test_a_program_goes_on_writing(void **state)
{
    struct world *w = *state;
    char text[256];
    const struct version versions[] = {version_file("f", "new bytes", 0644), version_gone("f"),
                                       version_dir("f", 0755)};
    for (int i = 0; i < 3; i++) {
        struct step step = kept_step(w, versions[i]);
        shell("printf ' and more' >> '%s/" KEPT "'", w->root);
        assert_int_equal(recovered(w, step), STEP_CHANGED);
        assert_string_equal(text_of(w, "f", text), "old bytes and more");
        assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
        remove_all(w, "f");
    }
}

// It cannot have its name back: somebody has saved there since.
static void test_a_program_goes_on_writing_beside_a_save(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step *steps;
    struct job *job = job_of(&steps, 1);
    steps[0] = kept_step(w, version_file("f", "new bytes", 0644));
    shell("printf ' and more' >> '%s/" KEPT "' && touch -d '1 hour ago' '%s/" KEPT "'", w->root,
          w->root);
    put_file(w, "f", "saved since");
    run(w, job);
    assert_int_equal(steps[0].result, STEP_CHANGED);
    assert_true(steps[0].kept && steps[0].unsorted);
    assert_true(anywhere(w, ".cfgsync/kept", "old bytes and more"));
    assert_string_equal(text_of(w, "f", text), "saved since");
    job_end(&job);
}

static void test_the_disk_has_another_number(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step step = kept_step(w, version_file("f", "new bytes", 0644));
    step.before.device++;
    assert_int_equal(recovered(w, step), STEP_CHANGED);
    assert_string_equal(text_of(w, "f", text), "old bytes");
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
}

static void test_a_file_of_an_older_journal_stays(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, KEPT, "of the older one");
    put_file(w, "f", "old bytes");
    struct step step = step_of(w, "f", version_file("f", "new bytes", 0644));
    assert_int_equal(recovered(w, step), STEP_UNDONE);
    put_file(w, ".cfgsync/staging/x-7-0", "new bytes");
    remove_all(w, "f");
    assert_int_equal(recovered(w, step), STEP_UNDONE);
    assert_false(exists(w, "f"));
    assert_string_equal(text_of(w, KEPT, text), "of the older one");
}

// Where names can neither be exchanged nor linked the path goes to kept, and is looked at there.
static void test_a_save_between_two_moves(void **state)
{
    struct world *w = *state;
    char text[256];
    w->disk->without_exchange = true;
    put_file(w, ".cfgsync/kept/20190101T000000Z-7-0", "of the older one");
    struct step step = kept_step(w, version_file("f", "new bytes", 0644));
    shell("mv '%s/f' '%s/.cfgsync/staging/x-7-0'", w->root, w->root);
    put_file(w, "saved", "a save");
    shell("mv '%s/saved' '%s/" KEPT "'", w->root, w->root);
    assert_int_equal(recovered(w, step), STEP_UNDONE);
    assert_string_equal(text_of(w, "f", text), "a save");
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 1);
}

// Nothing is decided by what the disk does not say now.
static void test_a_disk_that_fails_for_a_moment(void **state)
{
    struct world *w = *state;
    char text[256];
    struct step step = kept_step(w, version_file("f", "new bytes", 0644));
    list_fails = true;
    recovery_fails(w, step);
    list_fails = false;
    shell("mv '%s/f' '%s/.cfgsync/staging/x-7-0'", w->root, w->root);
    move_fails = true;
    recovery_fails(w, step);
    move_fails = false;
    assert_int_equal(recovered(w, step), STEP_UNDONE);
    assert_string_equal(text_of(w, "f", text), "old bytes");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_a_program_goes_on_writing),   T(test_a_program_goes_on_writing_beside_a_save),
        T(test_the_disk_has_another_number), T(test_a_file_of_an_older_journal_stays),
        T(test_a_save_between_two_moves),    T(test_a_disk_that_fails_for_a_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
