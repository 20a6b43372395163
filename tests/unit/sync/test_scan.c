// SPDX-License-Identifier: MIT
//
// Walks that take several jobs, and what becomes of them when the root goes, the disk fails or the
// index cannot be written meanwhile: nothing counts as deleted, and the walk is handed back.
#include "agent/core/job.h"
#include "tests/unit/sync/brake_test.h"

enum { COUNT = 7, PER_JOB = 2, WALKS_MAX = 16 };

// The walk under way: `walk` of its jobs points to it.
static struct {
    uint32_t at; // of rig->disk
    uint32_t handed_back, begun;
    struct slice prefixes[WALKS_MAX]; // of those that were begun
    uint32_t stop_after;              // jobs, then the next one is held; 0: none is
    enum err fails;                   // what the next job ends with
} walks;

static void walk_on(struct rig *rig, struct job_scan *scan)
{
    scan->complete = true;
    scan->entries = arena_alloc(rig->arena, PER_JOB, sizeof *scan->entries);
    for (; walks.at < rig->disk_count && scan->entry_count < PER_JOB; walks.at++) {
        const struct on_disk *at = &rig->disk[walks.at];
        bool within = path_below(at->path, scan->prefix) || slice_equal(at->path, scan->prefix);
        if (!within) continue;
        scan->entries[scan->entry_count++] =
            (struct scan_entry){.path = at->path, .print = at->print};
    }
    scan->done = walks.at == rig->disk_count;
    scan->walk = scan->done ? NULL : (struct walk *)(void *)&walks;
}

static bool in_parts(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_SCAN) return false;
    struct job_scan *scan = &job->scan;
    if (scan->entries_max == 0) {
        assert_true(scan->done && scan->walk == (struct walk *)(void *)&walks);
        walks.handed_back++;
        return true;
    }
    if (scan->walk == NULL) {
        walks.at = 0;
        assert_true(walks.begun < WALKS_MAX);
        walks.prefixes[walks.begun++] = arena_copy(rig->arena, scan->prefix);
    }
    if (scan->walk != NULL && walks.fails != ERR_OK) {
        job->err = walks.fails;
        walks.fails = ERR_OK;
        return true;
    }
    walk_on(rig, scan);
    if (walks.stop_after > 0 && --walks.stop_after == 0) rig->held |= 1U << JOB_SCAN;
    return true;
}

static void open_walked(struct rig *rig)
{
    memset(&walks, 0, sizeof walks);
    rig_open(rig);
    rig->instead = in_parts;
    for (int i = 0; i < COUNT; i++)
        rig_save(rig, name(i), text(i), NOW_MS);
    rescan(rig);
    assert_int_equal(rig_status(rig).items, COUNT);
    walks.begun = 0;
}

static void test_in_parts(void **state)
{
    (void)state;
    struct rig rig;
    open_walked(&rig);
    rig_delete(&rig, name(COUNT - 1));
    rig_delete(&rig, name(0));
    rig_save(&rig, name(1), "another", NOW_MS + 1);
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_int_equal(walks.begun, 1);
    assert_int_equal(walks.handed_back, 0);
    assert_int_equal(rig_item(&rig, name(0)).heads[0].value.kind, KIND_TOMB);
    assert_int_equal(rig_item(&rig, name(COUNT - 1)).heads[0].value.kind, KIND_TOMB);
    assert_int_equal(rig_item(&rig, name(1)).heads[0].value.size, 7);
    assert_int_equal(rig_status(&rig).items, COUNT - 2);
    rig_close(&rig);
}

// Nothing was deleted, and once the fault is over what has changed meanwhile is found.
static void found_again(struct rig *rig, const char *code)
{
    assert_int_equal(walks.handed_back, 1);
    assert_string_equal(rig_status(rig).code, code);
    assert_int_equal(rig_status(rig).items, COUNT);
    rig->away = false;
    rig->held = 0;
    rig_save(rig, "new", "n", NOW_MS);
    rig_wait(rig, 20 * 1000);
    assert_string_equal(rig_status(rig).code, "");
    assert_int_equal(rig_status(rig).items, COUNT + 1);
    assert_int_equal(walks.handed_back, 1);
    rig_close(rig);
}

static void test_the_root_goes(void **state)
{
    (void)state;
    struct rig rig;
    open_walked(&rig);
    walks.stop_after = 1;
    rescan(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_SCAN), 1);
    rig.away = true;
    engine_watch(rig.engine, rig.folder, ENGINE_ROOT, slice_text(""));
    rig_wait(&rig, 100);
    assert_int_equal(walks.handed_back, 0); // a job works on it
    struct job *out = rig.jobs[0];
    assert_int_equal(out->kind, JOB_SCAN);
    rig.job_count--;
    memmove(&rig.jobs[0], &rig.jobs[1], rig.job_count * sizeof rig.jobs[0]);
    rig.away = false;
    rig.held = 1U << JOB_HEALTH; // it is not looked at yet whether the root is back
    (void)in_parts(&rig, out);
    engine_job_done(rig.engine, out);
    rig_settle(&rig);
    found_again(&rig, "root-missing");
}

static void test_the_disk_fails(void **state)
{
    (void)state;
    struct rig rig;
    open_walked(&rig);
    walks.fails = ERR_IO;
    rescan(&rig);
    const struct folder_status status = rig_status(&rig);
    assert_string_equal(status.errors[0].message, err_text(ERR_IO));
    found_again(&rig, "root-missing");
}

static void test_the_index_fails(void **state)
{
    (void)state;
    struct rig rig;
    open_walked(&rig);
    rig_fail_commits(1, 1);
    rescan(&rig);
    const struct folder_status status = rig_status(&rig);
    assert_non_null(strstr(status.errors[0].message, "the index cannot be written"));
    found_again(&rig, "index"); // not the root, which stopped over it
}

// What is to be walked next waits for the walk under way; what is within it is not walked twice.
static void test_one_after_the_other(void **state)
{
    (void)state;
    static const char *const trees[] = {"d/e", "d", "d", "d/f", "x"};
    struct rig rig;
    open_walked(&rig);
    rig.held = 1U << JOB_SCAN;
    rescan(&rig);
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        engine_watch(rig.engine, rig.folder, ENGINE_TREE, slice_text(trees[i]));
    rig_save(&rig, "d/e/1", "1", NOW_MS);
    rig_save(&rig, "d/f/2", "2", NOW_MS);
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig.held = 0;
    rig_wait(&rig, 2000);
    static const char *const walked[] = {"", "", "d/e", "d", "x"};
    assert_int_equal(walks.begun, sizeof walked / sizeof *walked);
    for (size_t i = 0; i < sizeof walked / sizeof *walked; i++)
        assert_true(slice_equal(walks.prefixes[i], slice_text(walked[i])));
    assert_int_equal(rig_status(&rig).items, COUNT + 2);
    rig_close(&rig);
}

// A file gives way to a tree: the walk finds what is in it before the path was looked at. The new
// directory is somebody's, or it would go with what is in it.
static void test_a_tree_over_a_file(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_save(&rig, "a", "was a file", NOW_MS);
    rescan(&rig);
    rig_delete(&rig, "a");
    rig_mkdir(&rig, "a");
    rig_mkdir(&rig, "a/b");
    rig_mkdir(&rig, "a/b/c");
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_int_equal(rig_item(&rig, "a").heads[0].value.kind, KIND_DIR);
    assert_int_equal(rig_item(&rig, "a/b").heads[0].value.kind, KIND_DIR);
    assert_int_equal(rig_item(&rig, "a/b/c").heads[0].value.kind, KIND_DIR);
    rig_delete(&rig, "a/b/c");
    rig_delete(&rig, "a/b");
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_true(rig_on_disk(&rig, "a"));
    assert_int_equal(rig_item(&rig, "a").heads[0].value.kind, KIND_DIR);
    rig_close(&rig);
}

static uint32_t flushed; // looks at "d" that read it anew, before anything in it

static bool note_flushed(struct rig *rig, struct job *job)
{
    for (uint32_t i = 0; job->kind == JOB_LOOK && i < job->look.count; i++) {
        const struct look *look = &job->look.looks[i];
        if (!slice_equal(look->path, slice_text("d")) || !look->force) continue;
        flushed++;
        assert_int_equal(rig_item(rig, "d/f").own_last, 0);
    }
    return false;
}

// A directory is moved with what is in it, of which nothing is young: what others hear of has its
// name from that of the directory, which a power cut must not take back.
static void test_a_directory_is_flushed(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    flushed = 0;
    rig.instead = note_flushed;
    rig_mkdir(&rig, "d");
    rig_save(&rig, "d/f", "old", NOW_MS);
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_int_equal(flushed, 1);
    assert_true(rig_item(&rig, "d/f").own_last > 0);
    rig_close(&rig);
}

static bool fail_the_first(struct rig *rig, struct job *job)
{
    uint32_t before = flushed;
    (void)note_flushed(rig, job);
    bool first = before == 0 && flushed == 1;
    if (first) job->err = ERR_IO;
    return first;
}

// One that could not be looked at then is flushed later, though it looks the same.
static void test_a_directory_is_flushed_later(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    flushed = 0;
    rig.instead = fail_the_first;
    rig_mkdir(&rig, "d");
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_int_equal(flushed, 2);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_parts),
        cmocka_unit_test(test_the_root_goes),
        cmocka_unit_test(test_the_disk_fails),
        cmocka_unit_test(test_the_index_fails),
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_a_tree_over_a_file),
        cmocka_unit_test(test_a_directory_is_flushed),
        cmocka_unit_test(test_a_directory_is_flushed_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
