// SPDX-License-Identifier: MIT
//
// The base store: what is put aside and what gives way, and what is kept of what is overwritten.
#include "agent/core/index.h"
#include "tests/unit/sync/base_test.h"

static uint32_t kept(struct rig *rig, const char *path, struct kept_row rows[8])
{
    return store_kept_list(rig->store, rig->arena, rig->folder, slice_text(path), INT64_MAX, 8,
                           rows);
}

static bool is_text(const struct kept_row *row, const char *text)
{
    return digest_equal(row->version.value.content, hash_sha256(slice_text(text)));
}

static uint64_t counter(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.counter;
}

static void test_edit_and_deletion(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    assert_true(rig_base_has(&rig, "one"));
    assert_int_equal(kept(&rig, "a", rows), 0);
    write_and_wait(&rig, "a", "two");
    assert_int_equal(kept(&rig, "a", rows), 1);
    assert_true(is_text(&rows[0], "one") && rows[0].own);
    struct device_id me = identity_device(rig.identity);
    assert_memory_equal(&rows[0].by, &me, sizeof me);
    assert_true(rig_base_has(&rig, "two") && !rig_base_has(&rig, "one"));
    write_and_wait(&rig, "a", NULL);
    assert_int_equal(kept(&rig, "a", rows), 2);
    assert_true(is_text(&rows[0], "two"));
    assert_int_equal(rig.base_count, 0);
    assert_int_equal(counter(&rig), 3); // nothing was minted for it
    rig_close(&rig);
}

static void test_no_change_of_content(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    disk_find(&rig, slice_text("a"))->value.mode = 0600;
    disk_find(&rig, slice_text("a"))->print.mode = 0600;
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("a"));
    rig_wait(&rig, LATER_MS);
    assert_int_equal(counter(&rig), 2);
    // A rename: the same file under another name.
    struct on_disk moved = *disk_find(&rig, slice_text("a"));
    struct on_disk *at = disk_put(&rig, slice_text("b"));
    at->value = moved.value;
    at->print = moved.print;
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("b"));
    write_and_wait(&rig, "a", NULL);
    assert_int_equal(counter(&rig), 4);
    assert_int_equal(kept(&rig, "", rows), 0);
    assert_true(rig_base_has(&rig, "one"));
    rig_close(&rig);
}

static void test_last_change_has_the_right(void **state)
{
    (void)state;
    struct rig rig;
    char path[16];
    open_with_base(&rig);
    for (int i = 0; i < 12; i++) {
        (void)snprintf(path, sizeof path, "f%02d", i);
        // Not in the order of their names.
        rig_save(&rig, path, path, 1000 + (i * 7) % 12);
    }
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, LATER_MS);
    assert_int_equal(rig.base_count, ROOM / BASE_BLOCK_BYTES);
    for (int i = 0; i < 12; i++) {
        (void)snprintf(path, sizeof path, "f%02d", i);
        assert_int_equal(rig_base_has(&rig, path), (i * 7) % 12 >= 4);
    }
    write_and_wait(&rig, "g", "newest");
    assert_int_equal(rig.base_count, ROOM / BASE_BLOCK_BYTES);
    assert_true(rig_base_has(&rig, "newest"));
    rig_base_limit(&rig, 0);
    rig_restart(&rig);
    rig_wait(&rig, LATER_MS);
    assert_int_equal(rig.base_count, 0);
    rig_close(&rig);
}

static void test_rests(void **state)
{
    (void)state;
    struct rig rig;
    open_with_base(&rig);
    for (int i = 0; i < 6; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "f%02d", i);
        rig_write(&rig, path, path);
    }
    rig_wait(&rig, LATER_MS);
    assert_int_equal(rig.base_count, 6);
    uint32_t jobs = rig.base_jobs;
    rig_wait(&rig, 3600 * 1000);
    assert_int_equal(rig.base_jobs, jobs);
    rig_restart(&rig);
    rig_wait(&rig, LATER_MS);
    assert_int_equal(rig.base_jobs, jobs + 1); // which only lists
    assert_int_equal(rig.base_count, 6);
    rig_close(&rig);
}

// A crash, or the folder's own life without this process, has left what no file has.
static void test_what_no_file_has(void **state)
{
    (void)state;
    struct rig rig;
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    struct slice text = slice_text("left");
    rig.base[rig.base_count++] =
        (struct base_stored){{hash_sha256(text), text.size}, 0, BASE_BLOCK_BYTES};
    rig_restart(&rig);
    rig_wait(&rig, LATER_MS);
    assert_true(rig_base_has(&rig, "one"));
    assert_int_equal(rig.base_count, 1);
    // One was lost: it is put there again.
    rig.base_count = 0;
    rig_restart(&rig);
    rig_wait(&rig, LATER_MS);
    assert_true(rig_base_has(&rig, "one"));
    rig_close(&rig);
}

static void test_not_removed_at_first(void **state)
{
    (void)state;
    struct rig rig;
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    rig.base_stuck = true;
    write_and_wait(&rig, "a", NULL);
    assert_true(rig_base_has(&rig, "one"));
    uint32_t jobs = rig.base_jobs;
    rig_wait(&rig, 10 * 60 * 1000);
    assert_in_range(rig.base_jobs - jobs, 5, 20); // tried again, and not all the time
    rig.base_stuck = false;
    rig_wait(&rig, 2 * 60 * 1000);
    assert_int_equal(rig.base_count, 0);
    rig_close(&rig);
}

static void test_edited_while_away(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    rig_save(&rig, "a", "two", rig.now_ms);
    rig.held = 1U << JOB_BASE; // the walk is faster than the list of what is stored
    rig_restart(&rig);
    rig_wait(&rig, LATER_MS);
    assert_int_equal(counter(&rig), 2);
    rig.held = 0;
    rig_wait(&rig, LATER_MS);
    assert_int_equal(kept(&rig, "a", rows), 1);
    assert_true(is_text(&rows[0], "one"));
    rig_close(&rig);
}

static void test_minted_or_not(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    rig_fail_commits(0, 1);
    rig_write(&rig, "a", "two");
    rig_wait(&rig, 60 * 1000);
    assert_true(rig_commits_failed());
    assert_int_equal(counter(&rig), 2);
    assert_int_equal(kept(&rig, "a", rows), 1); // once
    rig_close(&rig);
}

static void test_orderly_end(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    rig_write(&rig, "a", "two");
    rig_settle(&rig);
    assert_int_equal(kept(&rig, "a", rows), 0);
    engine_rest(rig.engine);
    assert_false(engine_rested(rig.engine));
    rig_settle(&rig);
    assert_true(engine_rested(rig.engine));
    assert_int_equal(kept(&rig, "a", rows), 1);
    rig_close(&rig);
}

// A row, and a crash before its file.
static void test_row_without_file(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    write_and_wait(&rig, "a", "two");
    write_and_wait(&rig, "b", "one");
    write_and_wait(&rig, "b", NULL);
    assert_int_equal(kept(&rig, "", rows), 2);
    rig.kept_count = 1;
    rig_restart(&rig);
    rig_wait(&rig, LATER_MS);
    assert_int_equal(kept(&rig, "", rows), 1);
    assert_true(slice_equal(rows[0].version.path, slice_text("a")));
    // One that cannot be made has none for long.
    write_and_wait(&rig, "c", "three");
    rig.kept_full = true;
    write_and_wait(&rig, "c", "four");
    assert_int_equal(kept(&rig, "c", rows), 0);
    rig_close(&rig);
}

static void test_first_and_last(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    static const char *const texts[] = {"one", "two", "three", "four", "five"};
    open_with_base(&rig);
    rig.now_ms += 600 * 1000 - (1700000000000 + rig.now_ms) % (600 * 1000); // ten minutes begin
    for (int i = 0; i < 5; i++)
        write_and_wait(&rig, "a", texts[i]);
    assert_int_equal(kept(&rig, "a", rows), 2);
    assert_true(is_text(&rows[0], "four") && is_text(&rows[1], "one"));
    rig_close(&rig);
}

static bool keeps_what_it_takes(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind == JOB_APPLY) {
        job->apply.steps[0].kept = true;
        job->apply.steps[0].kept_name = slice_text("taken");
    }
    return false;
}

// What an edit replaced is noted later than what a step took away after it, and is not the last.
static void test_last_by_time(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    open_with_base(&rig);
    rig.now_ms += 600 * 1000 - (1700000000000 + rig.now_ms) % (600 * 1000);
    write_and_wait(&rig, "a", "one");
    write_and_wait(&rig, "a", "two");
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_write(&rig, "a", "three");
    rig_wait(&rig, 10);
    rig.instead = keeps_what_it_takes;
    struct version theirs = script_file(peer, "a", "four");
    theirs.vv = vv_join(rig.arena, theirs.vv, rig_item(&rig, "a").heads[0].vv);
    script_push(peer, 0, &theirs, 1, "four");
    rig_wait(&rig, LATER_MS);
    assert_int_equal(kept(&rig, "a", rows), 2);
    assert_true(is_text(&rows[0], "three") && is_text(&rows[1], "one"));
    rig_close(&rig);
}

static void test_undo_is_of_others(void **state)
{
    (void)state;
    struct rig rig;
    struct kept_row rows[8];
    open_with_base(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version theirs = script_file(peer, "b", "theirs");
    script_push(peer, 0, &theirs, 1, "theirs");
    rig_wait(&rig, LATER_MS);
    assert_true(rig_on_disk(&rig, "b"));
    write_and_wait(&rig, "a", "one");
    write_and_wait(&rig, "a", "two");
    assert_int_equal(kept(&rig, "a", rows), 1);
    const struct decision undo = {.kind = DECIDE_UNDO, .folder = "f"};
    engine_decide(rig.engine, 7, &undo);
    rig_wait(&rig, LATER_MS);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 1);
    assert_false(rig_on_disk(&rig, "b"));
    assert_true(rig_on_disk(&rig, "a"));
    rig_close(&rig);
}

// Alone, with nobody to ask: what was held as deleted comes back from what was put aside.
static void test_comes_back(void **state)
{
    (void)state;
    struct rig rig;
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    write_and_wait(&rig, "b", "two");
    rig_write(&rig, "a", NULL);
    rig_write(&rig, "b", NULL);
    rig_wait(&rig, LATER_MS);
    assert_int_equal(rig_status(&rig).held, 2);
    const struct decision revert = {.kind = DECIDE_REVERT, .folder = "f"};
    engine_decide(rig.engine, 7, &revert);
    rig_wait(&rig, LATER_MS);
    assert_true(rig_on_disk(&rig, "a") && rig_on_disk(&rig, "b"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_and_deletion),
        cmocka_unit_test(test_no_change_of_content),
        cmocka_unit_test(test_last_change_has_the_right),
        cmocka_unit_test(test_rests),
        cmocka_unit_test(test_what_no_file_has),
        cmocka_unit_test(test_not_removed_at_first),
        cmocka_unit_test(test_edited_while_away),
        cmocka_unit_test(test_minted_or_not),
        cmocka_unit_test(test_orderly_end),
        cmocka_unit_test(test_row_without_file),
        cmocka_unit_test(test_first_and_last),
        cmocka_unit_test(test_last_by_time),
        cmocka_unit_test(test_undo_is_of_others),
        cmocka_unit_test(test_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
