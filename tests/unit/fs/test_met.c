// SPDX-License-Identifier: MIT
//
// Saves that meet a step, and a disk that fails for a moment while they are sorted out: nothing of
// them goes to kept unseen. They stay under the step's name in staging, until recovery can look.
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/fs/fs_test.h"

enum { JOURNAL = 7 };

#define X "x-7-0"

// What goes on beside a job: around the first two times at which it moves or exchanges names.
static struct {
    struct world *world;
    void (*before[2])(struct world *w);
    void (*after_second)(void);
    uint32_t swaps;
    bool second_fails;
    bool apart;            // names can neither be exchanged nor linked
    bool blind;            // x cannot be looked at
    uint32_t looks, fails; // at x; which of them fails, 0: none
    bool link_fails;       // it cannot be said where x leads to
    uint32_t flushes;      // of all
    uint64_t bytes;        // read
} met;

int __real_fstatat(int dir_fd, const char *name, struct stat *out, int flags);
int __wrap_fstatat(int dir_fd, const char *name, struct stat *out, int flags);
int __real_linkat(int a_fd, const char *a, int b_fd, const char *b, int flags);
int __wrap_linkat(int a_fd, const char *a, int b_fd, const char *b, int flags);
ssize_t __real_readlinkat(int dir_fd, const char *name, char *out, size_t size);
ssize_t __wrap_readlinkat(int dir_fd, const char *name, char *out, size_t size);
int __real_names_exchange(int a_fd, const char *a, int b_fd, const char *b);
int __wrap_names_exchange(int a_fd, const char *a, int b_fd, const char *b);
int __real_names_move(int a_fd, const char *a, int b_fd, const char *b);
int __wrap_names_move(int a_fd, const char *a, int b_fd, const char *b);
int __real_sync_all(int fd);
int __wrap_sync_all(int fd);

int __real_fd_read_at(int fd, void *out, size_t size, uint64_t offset, size_t *out_read);
int __wrap_fd_read_at(int fd, void *out, size_t size, uint64_t offset, size_t *out_read);

// Somebody writes while the file is read.
int __wrap_fd_read_at(int fd, void *out, size_t size, uint64_t offset, size_t *out_read)
{
    int code = __real_fd_read_at(fd, out, size, offset, out_read);
    if (met.world == NULL) return code;
    met.bytes += *out_read;
    if (offset == 0) shell("printf x | dd of=%s/f conv=notrunc status=none", met.world->root);
    return code;
}

int __wrap_sync_all(int fd)
{
    met.flushes++;
    return __real_sync_all(fd);
}

int __wrap_fstatat(int dir_fd, const char *name, struct stat *out, int flags)
{
    bool at_x = strcmp(name, X) == 0;
    met.looks += at_x;
    if (!at_x || (!met.blind && met.looks != met.fails))
        return __real_fstatat(dir_fd, name, out, flags);
    errno = EIO;
    return -1;
}

ssize_t __wrap_readlinkat(int dir_fd, const char *name, char *out, size_t size)
{
    if (!met.link_fails || strcmp(name, X) != 0) return __real_readlinkat(dir_fd, name, out, size);
    errno = EIO;
    return -1;
}

int __wrap_linkat(int a_fd, const char *a, int b_fd, const char *b, int flags)
{
    if (!met.apart) return __real_linkat(a_fd, a, b_fd, b, flags);
    errno = EPERM;
    return -1;
}

typedef int swap_call(int a_fd, const char *a, int b_fd, const char *b);

static int swapped(swap_call *call, int a_fd, const char *a, int b_fd, const char *b)
{
    uint32_t at = met.swaps++;
    if (at < 2 && met.before[at] != NULL) met.before[at](met.world);
    if (at == 1 && met.second_fails) return EIO;
    int code = call(a_fd, a, b_fd, b);
    if (at == 1 && met.after_second != NULL) met.after_second();
    return code;
}

int __wrap_names_exchange(int a_fd, const char *a, int b_fd, const char *b)
{
    if (met.apart) return EINVAL;
    return swapped(__real_names_exchange, a_fd, a, b_fd, b);
}

int __wrap_names_move(int a_fd, const char *a, int b_fd, const char *b)
{
    return swapped(__real_names_move, a_fd, a, b_fd, b);
}

static struct rlimit descriptors;

static void read_fails(void)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = descriptors.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

// One step of "f".
static struct job *job_of(enum job_kind kind, struct version version, struct fingerprint before)
{
    struct job *job = job_for(kind);
    struct step *step = steps_for(job, 1, JOURNAL);
    *step = (struct step){.path = slice_text("f"), .version = version, .before = before};
    return job;
}

// "f" was "old bytes". Nothing is decided.
static struct fingerprint apply(struct world *w, struct version version, enum err err)
{
    put_file(w, "f", "old bytes");
    struct fingerprint before = print_at(w, "f");
    if (version.value.kind == KIND_FILE) (void)stage_text(w, "new bytes");
    struct job *job = job_of(JOB_APPLY, version, before);
    met.world = w;
    met.swaps = met.looks = 0; // staging has moved names, too
    disk_run(w->disk, job);
    if (met.after_second == read_fails) (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    assert_int_equal(job->err, err);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
    job_end(&job);
    memset(&met, 0, sizeof met);
    return before;
}

static struct job *recovered(struct world *w, struct version version, struct fingerprint before)
{
    struct job *job = job_of(JOB_RECOVER, version, before);
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->apply.steps[0].result, STEP_CHANGED);
    assert_int_equal(count_in(w, ".cfgsync/staging", X), 0);
    return job;
}

static void save_first(struct world *w)
{
    put_file(w, "f", "first edit");
}

static void save_second(struct world *w)
{
    put_file(w, "f", "as long 2");
}

static void save_directory(struct world *w)
{
    remove_all(w, "f");
    put_file(w, "f/inside", "in a directory");
}

static void look_fails(void)
{
    met.blind = true;
}

// The first save is given back, and what comes out for it is a directory: what is in one that goes
// to kept nobody hears of.
static void test_what_came_out_cannot_be_looked_at(void **state)
{
    struct world *w = *state;
    char text[256];
    struct version version = version_file("f", "new bytes", 0644);
    met.before[0] = save_first;
    met.before[1] = save_directory;
    met.after_second = look_fails;
    struct fingerprint before = apply(w, version, ERR_IO);
    assert_string_equal(text_of(w, "f", text), "first edit");
    struct job *job = recovered(w, version, before);
    assert_string_equal(text_of(w, "f/inside", text), "in a directory");
    assert_true(job->apply.steps[0].unsorted && anywhere(w, ".cfgsync/kept", "first edit"));
    job_end(&job);
}

// Only its bytes would tell it from what the step had put there.
static void test_what_came_out_cannot_be_read(void **state)
{
    struct world *w = *state;
    char text[256];
    struct version version = version_file("f", "new bytes", 0644);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    met.before[0] = save_first;
    met.before[1] = save_second;
    met.after_second = read_fails;
    struct fingerprint before = apply(w, version, ERR_BUSY);
    shell("touch -d '1 hour ago' '%s/f'", w->root);
    struct job *job = recovered(w, version, before);
    assert_string_equal(text_of(w, "f", text), "as long 2");
    assert_true(job->apply.steps[0].unsorted && anywhere(w, ".cfgsync/kept", "first edit"));
    job_end(&job);
}

// The save has its name again; whether what came out for it is a later one, or what the step had
// put there, only a second look tells.
static void test_the_link_that_came_out_cannot_be_read(void **state)
{
    struct world *w = *state;
    char text[256];
    struct version version = version_link("f", "elsewhere");
    version.mtime_ns = clock_ns(CLOCK_REALTIME); // a later save may have the same
    met.before[0] = save_first;
    met.link_fails = true;
    struct fingerprint before = apply(w, version, ERR_IO);
    assert_string_equal(text_of(w, "f", text), "first edit");
    struct job *job = job_of(JOB_RECOVER, version, before);
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->apply.steps[0].result, STEP_UNDONE);
    assert_string_equal(text_of(w, "f", text), "first edit");
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
    assert_int_equal(count_in(w, ".cfgsync/staging", X), 0);
    job_end(&job);
}

// A file was to go, and became a directory just before.
static void test_what_came_out_cannot_be_moved_back(void **state)
{
    struct world *w = *state;
    char text[256];
    met.before[0] = save_directory;
    met.second_fails = true;
    struct fingerprint before = apply(w, version_gone("f"), ERR_IO);
    assert_false(exists(w, "f"));
    struct job *job = recovered(w, version_gone("f"), before);
    assert_string_equal(text_of(w, "f/inside", text), "in a directory");
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
    job_end(&job);
}

// What had met the step first could not be looked at: what comes out after it is the one that came
// out before, but that is not known.
static void test_what_went_back_cannot_be_looked_at(void **state)
{
    struct world *w = *state;
    char text[256];
    struct version version = version_file("f", "new bytes", 0644);
    met.before[0] = save_first;
    met.before[1] = save_second;
    met.fails = 3; // before the step, after it, and then
    struct fingerprint before = apply(w, version, ERR_IO);
    assert_string_equal(text_of(w, "f", text), "as long 2");
    shell("touch -d '1 hour ago' '%s/.cfgsync/staging/" X "'", w->root);
    struct job *job = recovered(w, version, before);
    assert_string_equal(text_of(w, "f", text), "as long 2");
    assert_true(anywhere(w, ".cfgsync/kept", "first edit"));
    job_end(&job);
}

// A directory was to take a file's place and is not there: the file goes back, and just then
// somebody takes the name.
static void test_the_name_is_taken_before_it_is_given_back(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "f", "old bytes");
    struct fingerprint before = print_at(w, "f");
    shell("mv '%s/f' '%s/.cfgsync/staging/" X "'", w->root, w->root);
    met.world = w;
    met.before[0] = save_directory;
    struct job *job = recovered(w, version_dir("f", 0755), before);
    assert_string_equal(text_of(w, "f/inside", text), "in a directory");
    assert_true(job->apply.steps[0].unsorted && anywhere(w, ".cfgsync/kept", "old bytes"));
    job_end(&job);
}

// The later save has the name, the first one is in kept; `apart`: names cannot be exchanged.
static struct job *replaced_between_saves(struct world *w, bool apart)
{
    char text[256];
    put_file(w, "f", "old bytes");
    struct job *job = job_of(JOB_APPLY, version_file("f", "new bytes", 0644), print_at(w, "f"));
    (void)stage_text(w, "new bytes");
    met.world = w;
    met.apart = apart;
    met.swaps = 0;
    met.before[0] = save_first;
    met.before[1] = save_second;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->apply.steps[0].result, STEP_CHANGED);
    assert_string_equal(text_of(w, "f", text), "as long 2");
    assert_true(anywhere(w, ".cfgsync/kept", "first edit"));
    assert_true(job->apply.steps[0].kept && job->apply.steps[0].unsorted);
    return job;
}

// A save is moved to kept for what was there before, and when it is to have its name back that is
// taken.
static void test_a_save_where_names_cannot_be_exchanged(void **state)
{
    struct job *job = replaced_between_saves(*state, true);
    job_end(&job);
}

// Nothing else was done: the name in kept is on the disk before the row that leads there is.
static void test_a_save_in_kept_is_durable(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "f", "old bytes");
    struct job *job = job_of(JOB_APPLY, version_gone("f"), print_at(w, "f"));
    met.world = w;
    met.before[0] = save_first;
    met.before[1] = save_second;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->apply.steps[0].result, STEP_CHANGED);
    assert_string_equal(text_of(w, "f", text), "as long 2");
    assert_true(job->apply.steps[0].kept && anywhere(w, ".cfgsync/kept", "first edit"));
    assert_int_equal(met.flushes, 1);
    job_end(&job);
}

// The later save has the name; the other one is told of, also after a crash: its name says what it
// is.
static void test_a_save_that_another_has_taken_the_name_of(void **state)
{
    struct job *job = replaced_between_saves(*state, false);
    const struct step *step = &job->apply.steps[0];
    size_t size = step->kept_name.size;
    assert_true(size > 4 && memcmp(step->kept_name.data + size - 4, "-met", 4) == 0);
    job_end(&job);
}

static void write_late(struct world *w)
{
    put_file(w, ".cfgsync/staging/" X, "written late");
}

// Nobody watches what is in staging: the step tells, which a crash interrupted or not.
static void test_written_to_on_the_way_to_kept(void **state)
{
    struct world *w = *state;
    for (int crashed = 0; crashed <= 1; crashed++) {
        put_file(w, "f", "old bytes");
        struct fingerprint before = print_at(w, "f");
        struct job *job = job_of(crashed ? JOB_RECOVER : JOB_APPLY, version_gone("f"), before);
        if (crashed) shell("mv %s/f %s/.cfgsync/staging/" X, w->root, w->root);
        met.world = w;
        met.swaps = 0;
        met.before[crashed ? 0 : 1] = write_late;
        disk_run(w->disk, job);
        assert_int_equal(job->err, ERR_OK);
        assert_int_equal(job->apply.steps[0].result, STEP_DONE);
        assert_true(job->apply.steps[0].kept && job->apply.steps[0].written_late);
        assert_true(anywhere(w, ".cfgsync/kept", "written late"));
        job_end(&job);
        memset(&met, 0, sizeof met);
    }
}

// No room for its name there: a row of kept that leads to nothing is not to be written.
static void test_no_room_in_kept(void **state)
{
    struct world *w = *state;
    met.second_fails = true;
    struct fingerprint before = apply(w, version_gone("f"), ERR_IO);
    assert_int_equal(count_in(w, ".cfgsync/staging", X), 1);
    struct job *job = job_of(JOB_RECOVER, version_gone("f"), before);
    met.world = w;
    met.swaps = 1;
    met.second_fails = true;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_IO);
    assert_int_equal(count_in(w, ".cfgsync/staging", X), 1);
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->apply.steps[0].result, STEP_DONE);
    assert_true(job->apply.steps[0].kept && anywhere(w, ".cfgsync/kept", "old bytes"));
    job_end(&job);
}

// It was in kept already, and has to come back while another waits for room there.
static void test_no_room_on_the_way_back(void **state)
{
    struct world *w = *state;
    put_file(w, "f", "old bytes");
    struct job *job = job_of(JOB_RECOVER, version_gone("f"), print_at(w, "f"));
    shell("mv %s/f %s/.cfgsync/kept/20260101T000000Z-7-0", w->root, w->root);
    met.world = w;
    met.swaps = 1;
    met.second_fails = true;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_IO);
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_true(job->apply.steps[0].kept && anywhere(w, ".cfgsync/kept", "old bytes"));
    job_end(&job);
}

// A file that changes all the time is not read to its end, nor at once again.
static void test_a_large_file_changes_while_it_is_read(void **state)
{
    struct world *w = *state;
    shell("truncate -s 100M %s/f", w->root);
    struct look look = {.path = slice_text("f")};
    struct job *job = job_for(JOB_LOOK);
    job->look = (struct job_look){.looks = &look, .count = 1};
    met.world = w;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(look.result, LOOK_MOVING);
    assert_in_range(met.bytes, 1, 32 << 20);
    job_end(&job);
}

static int met_open(void **state)
{
    memset(&met, 0, sizeof met);
    return world_open(state);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, met_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_what_came_out_cannot_be_looked_at),
        T(test_what_came_out_cannot_be_read),
        T(test_the_link_that_came_out_cannot_be_read),
        T(test_what_came_out_cannot_be_moved_back),
        T(test_what_went_back_cannot_be_looked_at),
        T(test_the_name_is_taken_before_it_is_given_back),
        T(test_a_save_where_names_cannot_be_exchanged),
        T(test_a_save_in_kept_is_durable),
        T(test_a_save_that_another_has_taken_the_name_of),
        T(test_written_to_on_the_way_to_kept),
        T(test_no_room_in_kept),
        T(test_no_room_on_the_way_back),
        T(test_a_large_file_changes_while_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
