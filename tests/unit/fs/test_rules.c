// SPDX-License-Identifier: MIT
//
// Rules of a root: their files, which layer decides, and that a file that cannot be used, or is
// being written, takes no rule away.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "fs_test.h"

static void (*at_fsync)(struct world *w);
static struct world *at_fsync_world;
static bool fsync_fails;

// The moment between what is compared first and what is put in place.
int fsync(int fd)
{
    if (at_fsync != NULL) at_fsync(at_fsync_world);
    at_fsync = NULL;
    if (fsync_fails) errno = EIO;
    return fsync_fails ? -1 : fdatasync(fd);
}

static struct job_health read_rules(struct world *w)
{
    struct job *job = job_for(JOB_HEALTH);
    memset(job->health.id.bytes, 7, sizeof job->health.id.bytes);
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_true(job->health.healthy);
    struct job_health health = job->health;
    job_end(&job);
    return health;
}

static void expect(struct world *w, const char *path, const char *rule)
{
    AUTO(buf_fini) struct buf got = {0};
    size_t size = strlen(path);
    bool is_dir = path[size - 1] == '/';
    (void)disk_ignored_path(w->disk, 1, slice_of(path, is_dir ? size - 1 : size), is_dir, &got);
    assert_string_equal(buf_text(&got), rule);
}

static void expect_fault(const struct job_health *health, const char *file, uint32_t line,
                         const char *what)
{
    assert_int_equal(health->rules_fault_count, 1);
    assert_string_equal(health->rules_faults[0].file, file);
    assert_int_equal(health->rules_faults[0].line, line);
    assert_string_equal(health->rules_faults[0].what, what);
}

static void reopen(struct world *w)
{
    disk_root_remove(w->disk, 1);
    struct disk_root_options options = {.path = w->root};
    assert_int_equal(disk_root_add(w->disk, 1, &options), ERR_OK);
}

static void the_layers_decide_in_order(void **state)
{
    struct world *w = *state;
    put_file(w, ".cfgsyncignore", "*.log\n!my.local\n!.git/\nbuild/\n!*.key\n*\t\n");
    put_file(w, ".cfgsync/ignore", "# mine\n!keep.log\nprivate/\n!a.pem\n");
    struct job_health health = read_rules(w);
    assert_true(health.rules_changed);
    assert_int_equal(health.rules_count, 6 + 3);
    assert_int_equal(health.rules_fault_count, 0);
    expect(w, "a/x.log", ".cfgsyncignore:1: *.log");
    expect(w, "a/keep.log", "");
    expect(w, "private/", ".cfgsync/ignore:3: private/");
    expect(w, "private/keep.log", ".cfgsync/ignore:3: private/");
    expect(w, "build/keep.log", ".cfgsyncignore:4: build/");
    expect(w, "my.local", "");
    expect(w, "your.local", "default: *.local");
    expect(w, "a/.git/", "");
    expect(w, "a/.hg/", "default: .hg");
    // A peer's rules publish no secret of this machine; its own may.
    expect(w, "b.key", "default: *.key");
    expect(w, "a.pem", "");
    expect(w, "b.pem", "default: *.pem");
    assert_false(read_rules(w).rules_changed);
}

static void the_file_of_rules_is_left_out_by_own_rules_only(void **state)
{
    struct world *w = *state;
    put_file(w, ".cfgsyncignore", "*\n");
    (void)read_rules(w);
    expect(w, "anything", ".cfgsyncignore:1: *");
    expect(w, ".cfgsyncignore", "");
    expect(w, "sub/.cfgsyncignore", ".cfgsyncignore:1: *");
    put_file(w, ".cfgsync/ignore", "/.cfgsyncignore\n");
    (void)read_rules(w);
    expect(w, ".cfgsyncignore", ".cfgsync/ignore:1: /.cfgsyncignore");
}

static void a_faulty_file_changes_nothing(void **state)
{
    struct world *w = *state;
    put_file(w, ".cfgsyncignore", "*.log\n");
    (void)read_rules(w);
    put_file(w, ".cfgsyncignore", "*.tmp\n\xff\n");
    struct job_health health = read_rules(w);
    assert_false(health.rules_changed);
    expect_fault(&health, ".cfgsyncignore", 2, "is not UTF-8");
    expect(w, "a.log", ".cfgsyncignore:1: *.log");
    expect(w, "a.tmp", "");

    // Nor does it after a restart.
    reopen(w);
    expect(w, "a.log", "");
    health = read_rules(w);
    assert_true(health.rules_changed);
    expect_fault(&health, ".cfgsyncignore", 2, "is not UTF-8");
    expect(w, "a.log", ".cfgsyncignore:1: *.log");

    shell("rm '%s/.cfgsyncignore'; mkfifo '%s/.cfgsyncignore'", w->root, w->root);
    health = read_rules(w);
    expect_fault(&health, ".cfgsyncignore", 0, "is not a file");
    shell("rm '%s/.cfgsyncignore'; ln -s /etc/passwd '%s/.cfgsyncignore'", w->root, w->root);
    health = read_rules(w);
    expect_fault(&health, ".cfgsyncignore", 0, "is a symbolic link, which is not followed");
    shell("rm '%s/.cfgsyncignore'; head -c 200000 /dev/zero | tr '\\0' a >'%s/.cfgsyncignore'",
          w->root, w->root);
    health = read_rules(w);
    expect_fault(&health, ".cfgsyncignore", 0, "is larger than 128 KiB");
    expect(w, "a.log", ".cfgsyncignore:1: *.log");

    put_file(w, ".cfgsyncignore", "*.tmp\n");
    health = read_rules(w);
    assert_true(health.rules_changed && health.rules_fault_count == 0);
    expect(w, "a.log", "");
    expect(w, "a.tmp", ".cfgsyncignore:1: *.tmp");
}

static void a_faulty_local_file_changes_nothing_either(void **state)
{
    struct world *w = *state;
    put_file(w, ".cfgsync/ignore", "*.log\n");
    (void)read_rules(w);
    put_file(w, ".cfgsync/ignore", "x\ny\n\xc3\x28\n");
    struct job_health health = read_rules(w);
    expect_fault(&health, ".cfgsync/ignore", 3, "is not UTF-8");
    reopen(w);
    (void)read_rules(w);
    expect(w, "a.log", ".cfgsync/ignore:1: *.log");
}

// Editors empty a file and write it, or move it away and make another.
static void rules_that_vanish_are_missed_for_a_while(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2; i++) {
        put_file(w, ".cfgsyncignore", "*.log\n");
        (void)read_rules(w);
        shell("%s '%s/.cfgsyncignore'", i == 0 ? "rm" : ": >", w->root);
        struct job_health health = read_rules(w);
        assert_true(health.rules_again && !health.rules_changed);
        expect(w, "a.log", ".cfgsyncignore:1: *.log");
        (void)usleep(2050 * 1000);
        health = read_rules(w);
        assert_true(!health.rules_again && health.rules_changed);
        expect(w, "a.log", "");
    }
    // And what was good once does not come back.
    put_file(w, ".cfgsyncignore", "\xff\n");
    reopen(w);
    struct job_health health = read_rules(w);
    assert_int_equal(health.rules_fault_count, 1);
    expect(w, "a.log", "");
}

// To begin without them would publish what they leave out.
static void a_new_root_with_faulty_rules_is_refused(void **state)
{
    struct world *w = *state;
    put_file(w, ".cfgsyncignore", "\xff\n");
    shell("rm -r '%s/.cfgsync'", w->root);
    reopen(w);
    struct job *job = job_for(JOB_HEALTH);
    memset(job->health.id.bytes, 7, sizeof job->health.id.bytes);
    job->health.create = true;
    disk_run(w->disk, job);
    assert_false(job->health.healthy);
    assert_string_equal(job->health.what, "its rules of what is left out cannot be used");
    expect_fault(&job->health, ".cfgsyncignore", 1, "is not UTF-8");
    job_end(&job);
}

static void expect_refused(struct world *w, const char *file, uint32_t line, const char *what)
{
    struct job *job = job_for(JOB_HEALTH);
    memset(job->health.id.bytes, 7, sizeof job->health.id.bytes);
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_false(job->health.healthy);
    assert_string_equal(job->health.what, "its rules of what is left out cannot be used");
    expect_fault(&job->health, file, line, what);
    job_end(&job);
}

// In the place of the last text: it cannot be written, as on a full disk.
static void block_last(struct world *w)
{
    shell("mkdir '%s/.cfgsync/ignore.last'", w->root);
}

static void unblock_last(struct world *w)
{
    shell("rmdir '%s/.cfgsync/ignore.last'", w->root);
}

static void a_last_text_that_could_not_be_written_is_written_later(void **state)
{
    struct world *w = *state;
    block_last(w);
    put_file(w, ".cfgsync/ignore", "private*\n");
    (void)read_rules(w);
    unblock_last(w);
    put_file(w, ".cfgsync/ignore", "private*\ngr\xfc\n");
    struct job_health health = read_rules(w);
    expect_fault(&health, ".cfgsync/ignore", 2, "is not UTF-8");
    reopen(w);
    (void)read_rules(w);
    expect(w, "private1", ".cfgsync/ignore:1: private*");
}

static void without_a_last_text_a_known_root_is_refused_too(void **state)
{
    struct world *w = *state;
    block_last(w);
    put_file(w, ".cfgsync/ignore", "private*\n");
    (void)read_rules(w);
    put_file(w, ".cfgsync/ignore", "private*\ngr\xfc\n");
    (void)read_rules(w);
    expect(w, "private1", ".cfgsync/ignore:1: private*");
    reopen(w);
    expect_refused(w, ".cfgsync/ignore", 2, "is not UTF-8");
    expect_refused(w, ".cfgsync/ignore", 2, "is not UTF-8");
    put_file(w, ".cfgsync/ignore", "private*\n");
    assert_true(read_rules(w).rules_changed);
    expect(w, "private1", ".cfgsync/ignore:1: private*");
}

// It lacks what has come into force since.
static void a_last_text_that_is_older_does_not_stay(void **state)
{
    struct world *w = *state;
    put_file(w, ".cfgsync/ignore", "*.log\n");
    (void)read_rules(w);
    put_file(w, ".cfgsync/ignore", "*.log\nprivate*\n");
    fsync_fails = true;
    (void)read_rules(w);
    put_file(w, ".cfgsync/ignore", "\xff\n");
    (void)read_rules(w);
    fsync_fails = false;
    reopen(w);
    expect_refused(w, ".cfgsync/ignore", 1, "is not UTF-8");
}

static void that_there_were_no_rules_is_known_after_a_restart(void **state)
{
    struct world *w = *state;
    (void)read_rules(w);
    put_file(w, ".cfgsyncignore", "gr\xfc\n");
    struct job_health health = read_rules(w);
    expect_fault(&health, ".cfgsyncignore", 1, "is not UTF-8");
    assert_false(read_rules(w).rules_changed);
    reopen(w);
    health = read_rules(w);
    expect_fault(&health, ".cfgsyncignore", 1, "is not UTF-8");
}

static bool watch_tells_root(struct world *w)
{
    struct watch_event event;
    bool told = false;
    while (disk_watch_next(w->disk, &event))
        told = told || event.what == WATCH_ROOT;
    return told;
}

static void own_rules_are_watched(void **state)
{
    struct world *w = *state;
    struct job *job = job_for(JOB_SCAN);
    job->scan.entries_max = 10;
    disk_run(w->disk, job);
    assert_true(job->scan.done);
    job_end(&job);
    assert_false(watch_tells_root(w));
    put_file(w, ".cfgsync/other", "x");
    assert_false(watch_tells_root(w));
    put_file(w, ".cfgsync/ignore", "x\n");
    assert_true(watch_tells_root(w));
    shell("rm '%s/.cfgsync/ignore'", w->root);
    assert_true(watch_tells_root(w));
}

// ---- changed by command, while somebody saves

static void editor_renames(struct world *w)
{
    put_file(w, ".cfgsyncignore.new", "mine\n");
    shell("mv '%s/.cfgsyncignore.new' '%s/.cfgsyncignore'", w->root, w->root);
}

static void editor_writes(struct world *w)
{
    put_file(w, ".cfgsyncignore", "mine\n");
}

static void editor_removes(struct world *w)
{
    shell("rm '%s/.cfgsyncignore'", w->root);
}

static enum err rules_write(struct world *w, const char *before, const char *text)
{
    return disk_rules_write(w->disk, 1, false, slice_text(before), slice_text(text));
}

static void expect_rules(struct world *w, const char *text)
{
    char out[256];
    const char *found = text_of(w, ".cfgsyncignore", out);
    if (text == NULL)
        assert_null(found);
    else
        assert_string_equal(found, text);
    shell("test -z \"$(ls -A '%s/.cfgsync/kept')\"", w->root);
}

static void what_is_saved_meanwhile_stays(void **state)
{
    struct world *w = *state;
    void (*const savers[])(struct world *) = {editor_renames, editor_writes};
    at_fsync_world = w;
    for (int i = 0; i < 4; i++) {
        w->disk->without_exchange = i >= 2;
        put_file(w, ".cfgsyncignore", "old\n");
        assert_int_equal(rules_write(w, "other\n", "new\n"), ERR_CHANGED);
        expect_rules(w, "old\n");
        at_fsync = savers[i % 2];
        assert_int_equal(rules_write(w, "old\n", "new\n"), ERR_CHANGED);
        expect_rules(w, "mine\n");
        assert_int_equal(rules_write(w, "mine\n", "new\n"), ERR_OK);
        expect_rules(w, "new\n");
        at_fsync = editor_removes;
        assert_int_equal(rules_write(w, "new\n", "newer\n"), ERR_CHANGED);
        expect_rules(w, NULL);
        at_fsync = savers[i % 2];
        assert_int_equal(rules_write(w, "", "new\n"), ERR_CHANGED);
        expect_rules(w, "mine\n");
        shell("rm '%s/.cfgsyncignore'", w->root);
        assert_int_equal(rules_write(w, "", "new\n"), ERR_OK);
        expect_rules(w, "new\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_layers_decide_in_order, world_open, world_close),
        cmocka_unit_test_setup_teardown(the_file_of_rules_is_left_out_by_own_rules_only, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_faulty_file_changes_nothing, world_open, world_close),
        cmocka_unit_test_setup_teardown(a_faulty_local_file_changes_nothing_either, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(rules_that_vanish_are_missed_for_a_while, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_new_root_with_faulty_rules_is_refused, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_last_text_that_could_not_be_written_is_written_later,
                                        world_open, world_close),
        cmocka_unit_test_setup_teardown(without_a_last_text_a_known_root_is_refused_too, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_last_text_that_is_older_does_not_stay, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(that_there_were_no_rules_is_known_after_a_restart,
                                        world_open, world_close),
        cmocka_unit_test_setup_teardown(own_rules_are_watched, world_open, world_close),
        cmocka_unit_test_setup_teardown(what_is_saved_meanwhile_stays, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
