// SPDX-License-Identifier: MIT
//
// Kept versions let go: after as many days as were chosen, all of them and nothing else, and only
// with their files.
#include "agent/core/index.h"
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)
#define LONG_MS (50 * 365 * DAY_MS)

enum { FILES = 300, ROWS_MAX = 512 };

static uint32_t rows_of(struct rig *rig, const char *path, struct kept_row *rows)
{
    return store_kept_list(rig->store, rig->arena, rig->folder, slice_text(path), INT64_MAX,
                           ROWS_MAX, rows);
}

static uint32_t count_of(struct rig *rig, const char *path)
{
    static struct kept_row rows[ROWS_MAX];
    return rows_of(rig, path, rows);
}

// The disk keeps what a step replaces.
static bool keeps(struct rig *rig, struct job *job)
{
    for (uint32_t i = 0; job->kind == JOB_APPLY && i < job->apply.count; i++) {
        struct step *step = &job->apply.steps[i];
        step->kept = disk_find(rig, step->path) != NULL;
        if (step->kept)
            step->kept_name =
                slice_text(arena_printf(job->arena, "k-%.*s-%llu", SLICE_ARG(step->path),
                                        (unsigned long long)job->apply.journal));
    }
    return false;
}

static void keep_for_a_day(struct rig *rig, uint64_t base_bytes_max)
{
    const struct engine_folder folder = {.name = "f",
                                         .path = "/f",
                                         .id = rig->id,
                                         .with_all = true,
                                         .kept_days = 1,
                                         .base_bytes_max = base_bytes_max};
    uint32_t number;
    assert_int_equal(engine_folder_put(rig->engine, &folder, &number), ERR_OK);
}

// A peer makes files, and then others of them.
static struct script *open_kept(struct rig *rig)
{
    static struct version v[FILES];
    rig_open(rig);
    rig->instead = keeps;
    keep_for_a_day(rig, 0);
    rig_write(rig, "x", "mine");
    rig_wait(rig, 1000);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < FILES; i++) {
            char path[16];
            (void)snprintf(path, sizeof path, "file%03u", i);
            struct vv before = round > 0 ? v[i].vv : (struct vv){0};
            v[i] = script_file(peer, path, "same");
            v[i].vv = vv_join(rig->arena, v[i].vv, before);
            v[i].value.mode = round == 0 ? 0644 : 0600;
        }
        script_push(peer, round * FILES, v, FILES, "same");
        rig_wait(rig, 5000);
    }
    assert_int_equal(count_of(rig, ""), FILES);
    return peer;
}

static struct version edit_of_x(struct script *peer, const char *text)
{
    struct rig *rig = peer->rig;
    struct version v = script_file(peer, "x", text);
    v.vv = vv_join(rig->arena, v.vv, rig_item(rig, "x").heads[0].vv);
    return v;
}

static void test_old_ones_go(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_kept(&rig);
    script_down(peer);
    rig_wait(&rig, 23 * HOUR_MS);
    assert_int_equal(count_of(&rig, ""), FILES);
    rig_wait(&rig, 3 * HOUR_MS);
    assert_int_equal(count_of(&rig, ""), 0);
    assert_true(rig_on_disk(&rig, "file299") && rig_on_disk(&rig, "x"));
    rig_close(&rig);
}

// What cannot be removed keeps its row, or it would stay for ever; it is tried again.
static uint32_t failures;
static bool whole_job;

static bool removes_badly(struct rig *rig, struct job *job)
{
    (void)keeps(rig, job);
    if (job->kind != JOB_RECOVER || job->apply.drop_kept_count == 0 || failures == 0) return false;
    failures--;
    if (whole_job)
        job->err = ERR_IO;
    else
        job->apply.drop_numbers[0] = 0; // one is still there
    return true;
}

static void goes_in_the_end(bool whole, uint32_t left)
{
    static struct rig rig;
    struct script *peer = open_kept(&rig);
    script_down(peer);
    rig_wait(&rig, 20 * HOUR_MS);
    rig.instead = removes_badly;
    failures = UINT32_MAX;
    whole_job = whole;
    rig_wait(&rig, 6 * HOUR_MS);
    assert_int_equal(count_of(&rig, ""), left);
    assert_true(rig_logged("kept versions not forgotten"));
    failures = 0;
    rig_wait(&rig, 2 * HOUR_MS);
    assert_int_equal(count_of(&rig, ""), 0);
    rig_close(&rig);
}

static void test_not_removed(void **state)
{
    (void)state;
    goes_in_the_end(true, FILES);
    goes_in_the_end(false, 1);
}

// A peer brings back what was replaced long ago, and what is kept of it is where it comes from.
static void test_wanted_again(void **state)
{
    (void)state;
    static struct rig rig;
    struct kept_row rows[ROWS_MAX];
    struct script *peer = open_kept(&rig);
    keep_for_a_day(&rig, 8 * BASE_BLOCK_BYTES);
    struct version v = edit_of_x(peer, "theirs");
    script_push(peer, 2 * FILES, &v, 1, "theirs");
    rig_wait(&rig, 5000);
    rig_write(&rig, "x", "mine again");
    rig_wait(&rig, 5000);
    assert_int_equal(rows_of(&rig, "x", rows), 2);
    rig.held = 1U << JOB_APPLY;
    v = edit_of_x(peer, "theirs");
    script_push(peer, 2 * FILES + 1, &v, 1, NULL);
    rig_wait(&rig, 1000);
    script_down(peer);
    rig_wait(&rig, 30 * HOUR_MS);
    assert_int_equal(rows_of(&rig, "file000", rows), 0);
    assert_int_equal(rows_of(&rig, "x", rows), 1);
    rig.held = 0;
    rig_wait(&rig, 60 * 1000);
    assert_false(rig_item(&rig, "x").need);
    rig_close(&rig);
}

// A machine that does not know the time until the network is there: neither is what it keeps as old
// as its clock, nor does it stay for ever.
static void test_start_in_the_past(void **state)
{
    (void)state;
    static struct rig rig;
    (void)open_kept(&rig);
    rig.skew_ms = -LONG_MS;
    rig_restart(&rig);
    keep_for_a_day(&rig, 0);
    rig_wait(&rig, HOUR_MS);
    struct script *other = script_connect(&rig, 4);
    script_offer(other, (struct vv){0});
    struct version v = edit_of_x(other, "theirs");
    script_push(other, 0, &v, 1, "theirs");
    rig_wait(&rig, 5000);
    assert_int_equal(count_of(&rig, "x"), 1);
    rig.skew_ms = 0;
    rig_wait(&rig, 3 * HOUR_MS);
    assert_int_equal(count_of(&rig, ""), FILES + 1);
    rig_wait(&rig, 25 * HOUR_MS);
    assert_int_equal(count_of(&rig, ""), 0);
    rig_close(&rig);
}

// What was noted in 2073 does not keep what was noted after it.
static void test_noted_ahead(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    keep_for_a_day(&rig, 0);
    rig_write(&rig, "x", "x");
    rig_settle(&rig);
    struct kept_row row = {.file = slice_text("ahead"), .when_ms = 1700000000000 + LONG_MS};
    row.version = rig_item(&rig, "x").heads[0];
    store_kept_add(rig.store, rig.folder, &row);
    row.when_ms = 1700000000000;
    row.file = slice_text("right");
    store_kept_add(rig.store, rig.folder, &row);
    rig_wait(&rig, 23 * HOUR_MS);
    assert_int_equal(count_of(&rig, ""), 2);
    rig_wait(&rig, 3 * HOUR_MS);
    assert_int_equal(count_of(&rig, ""), 1);
    rig_close(&rig);
}

// The age was wrong, not the clock: a day later it goes on from there.
static void test_the_age_was_wrong(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    int64_t wrong = 1700000000000 + LONG_MS;
    store_begin(rig.store);
    store_meta_put(rig.store, "age-ms", slice_of(&wrong, sizeof wrong));
    assert_int_equal(store_commit(rig.store), ERR_OK);
    rig_restart(&rig);
    rig_write(&rig, "gone", "x");
    rig_wait(&rig, 2 * DAY_MS);
    rig_write(&rig, "gone", NULL);
    for (int day = 0; day < 32; day++)
        rig_wait(&rig, DAY_MS);
    assert_int_equal(rig_item(&rig, "gone").head_count, 0); // the deletion is forgotten
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_ones_go),  cmocka_unit_test(test_not_removed),
        cmocka_unit_test(test_wanted_again), cmocka_unit_test(test_start_in_the_past),
        cmocka_unit_test(test_noted_ahead),  cmocka_unit_test(test_the_age_was_wrong),
    };
    return cmocka_run_group_tests_name("sync/kept", tests, NULL, NULL);
}
