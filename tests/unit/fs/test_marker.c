// SPDX-License-Identifier: MIT
//
// A marker that a power cut can take back must not pass for one that is there: without it the
// folder would stand still for good.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/flush.h"
#include "tests/unit/fs/fs_test.h"

static struct {
    struct world *world;
    bool fails;                      // of the root
    uint32_t root, internal, others; // flushed
} flush;

int __real_flush_file(int fd);
int __wrap_flush_file(int fd);

static bool is_at(int fd, const char *path)
{
    char name[512];
    struct stat st, there;
    (void)snprintf(name, sizeof name, "%s/%s", flush.world->root, path);
    return fstat(fd, &st) == 0 && stat(name, &there) == 0 && st.st_ino == there.st_ino;
}

int __wrap_flush_file(int fd)
{
    if (flush.world == NULL) return __real_flush_file(fd);
    bool root = is_at(fd, ".");
    if (root && flush.fails) return EIO;
    if (root)
        flush.root++;
    else if (is_at(fd, ".cfgsync"))
        flush.internal++;
    else
        flush.others++;
    return __real_flush_file(fd);
}

// As the next life of the agent finds the root, which has one.
static int next_life(void **state)
{
    if (world_open(state) != 0) return -1;
    struct world *w = *state;
    disk_close(&w->disk);
    w->disk = disk_new();
    struct disk_root_options options = {.path = w->root};
    assert_int_equal(disk_root_add(w->disk, 1, &options), ERR_OK);
    memset(&flush, 0, sizeof flush);
    flush.world = w;
    return 0;
}

static int end_life(void **state)
{
    flush.world = NULL;
    return world_close(state);
}

static bool is_healthy(struct world *w)
{
    struct job *job = job_for(JOB_HEALTH);
    memset(job->health.id.bytes, 7, sizeof job->health.id.bytes);
    disk_run(w->disk, job);
    bool healthy = job->err == ERR_OK && job->health.healthy;
    job_end(&job);
    return healthy;
}

static void test_what_was_found_is_flushed_once(void **state)
{
    assert_true(is_healthy(*state));
    assert_int_equal(flush.root, 1);
    assert_int_equal(flush.internal, 1);
    assert_true(is_healthy(*state));
    assert_int_equal(flush.root, 1);
    assert_int_equal(flush.internal, 1);
    assert_int_equal(flush.others, 0);
}

static void test_a_flush_that_failed_is_made_up_for(void **state)
{
    flush.fails = true;
    assert_false(is_healthy(*state));
    assert_false(is_healthy(*state));
    flush.fails = false;
    assert_true(is_healthy(*state));
    assert_int_equal(flush.root, 1);
}

static void test_another_root_is_flushed_too(void **state)
{
    struct world *w = *state;
    assert_true(is_healthy(w));
    shell("cp -a '%s' '%s/copy' && mv '%s' '%s/away' && mv '%s/copy' '%s'", w->root, w->top,
          w->root, w->top, w->top, w->root);
    assert_false(is_healthy(w)); // another directory than before
    assert_true(is_healthy(w));
    assert_int_equal(flush.root, 2);
    assert_int_equal(flush.internal, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, next_life, end_life)
    const struct CMUnitTest tests[] = {
        T(test_what_was_found_is_flushed_once),
        T(test_a_flush_that_failed_is_made_up_for),
        T(test_another_root_is_flushed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
