// SPDX-License-Identifier: MIT
//
// What one flush of the file system has covered needs no other: what was there before it, is small,
// and has not changed since.
#include <time.h>
#include <unistd.h>

#include "tests/unit/fs/fs_test.h"

// Longer than the margin that is left for a write that has begun.
static void wait_a_little(void)
{
    const struct timespec time = {.tv_nsec = 150 * 1000 * 1000};
    (void)nanosleep(&time, NULL);
}

static bool covers(struct world *w, const char *path)
{
    struct grip grip;
    assert_int_equal(grip_take(w->disk, 1, &grip), ERR_OK);
    struct fingerprint print = print_at(w, path);
    bool covered = flushed_covers(&grip, &print);
    grip_drop(&grip);
    return covered;
}

static void flush(struct world *w)
{
    struct grip grip;
    assert_int_equal(grip_take(w->disk, 1, &grip), ERR_OK);
    assert_int_equal(flushed_all(&grip), 0);
    grip_drop(&grip);
}

static void test_before_and_after(void **state)
{
    struct world *w = *state;
    put_file(w, "d/old", "was there");
    put_file(w, "d/changed", "was there");
    shell("truncate -s 2M '%s/large'", w->root);
    wait_a_little();
    put_file(w, "just", "a moment before");
    assert_false(covers(w, "d/old"));
    flush(w);
    put_file(w, "new", "came after");
    put_file(w, "d/changed", "changed after");
    shell("mv '%s/d/old' '%s/moved' && cp '%s/moved' '%s/d/old'", w->root, w->root, w->root,
          w->root);
    assert_false(covers(w, "new"));
    assert_false(covers(w, "just"));
    assert_false(covers(w, "d/changed"));
    assert_false(covers(w, "moved"));
    assert_false(covers(w, "large"));
    wait_a_little();
    flush(w);
    assert_true(covers(w, "new"));
    assert_true(covers(w, "moved"));
    assert_true(covers(w, "d"));
    assert_false(covers(w, "large"));
    shell("chmod 600 '%s/new'", w->root);
    assert_false(covers(w, "new"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {T(test_before_and_after)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
