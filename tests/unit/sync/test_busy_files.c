// SPDX-License-Identifier: MIT
//
// Files that are written without a pause, change faster than they are read, or take long to read.
#include "agent/core/job.h"
#include "tests/unit/sync/status_test.h"

// A program writes into a file that it has open, and never pauses.
static void test_a_file_that_is_never_closed(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < 150; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%d", i);
        rig_save(&rig, "log", text, rig.now_ms);
        engine_watch(rig.engine, rig.folder, ENGINE_MODIFIED, slice_text("log"));
        rig_wait(&rig, 1000);
        if (i == 50) assert_int_equal(rig_item(&rig, "log").head_count, 0);
        if (i == 70) assert_int_equal(rig_item(&rig, "log").head_count, 1);
    }
    assert_int_equal(rig_item(&rig, "log").own_last, 2); // one a minute
    rig_close(&rig);
}

static uint32_t looks;

static bool changes_while_it_is_read(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_LOOK) return false;
    looks += job->look.count;
    for (uint32_t i = 0; i < job->look.count; i++)
        job->look.looks[i].result = LOOK_MOVING;
    return true;
}

// Its writes do not bring the next look nearer, and it is shown until it has been read.
static void test_a_file_that_changes_faster_than_it_is_read(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.instead = changes_while_it_is_read;
    looks = 0;
    for (int i = 0; i < 600; i++) {
        rig_save(&rig, "vm", "image", rig.now_ms);
        enum engine_watch what = i % 2 == 0 ? ENGINE_WRITTEN : ENGINE_MODIFIED;
        engine_watch(rig.engine, rig.folder, what, slice_text("vm"));
        rig_wait(&rig, 1000);
        struct folder_status status = rig_status(&rig);
        if (i < 10) assert_int_equal(status.error_count, 0);
        if (i < 60) continue;
        assert_int_equal(status.blocked, 1);
        assert_string_equal(error_of(&status, "blocked:busy")->message, "changes while it is read");
    }
    assert_in_range(looks, 10, 20); // one a minute, and a few at first
    rig.instead = NULL;
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(rig_item(&rig, "vm").head_count, 1);
    assert_int_equal(rig_status(&rig).error_count, 0);
    rig_write(&rig, "vm", "the next is not put off");
    rig_wait(&rig, 3000);
    assert_int_equal(rig_item(&rig, "vm").own_last, 2);
    rig_close(&rig);
}

static bool finds_it_large(struct rig *rig, struct job *job)
{
    (void)rig;
    bool any = false;
    for (uint32_t i = 0; job->kind == JOB_LOOK && i < job->look.count; i++) {
        struct look *look = &job->look.looks[i];
        assert_int_equal(look->large, job->look.large);
        any |= look->path.data[0] == 'h' && !look->large;
    }
    for (uint32_t i = 0; any && i < job->look.count; i++) {
        struct look *look = &job->look.looks[i];
        disk_look(rig, look);
        if (look->path.data[0] == 'h') look->result = LOOK_LARGE;
    }
    return any;
}

// However long it takes to read some, others do not wait.
static void test_large_files_hold_up_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    char name[] = "h0";
    rig.instead = finds_it_large;
    rig.large_held = true;
    for (; name[1] < '6'; name[1]++)
        rig_write(&rig, name, "huge");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_jobs(&rig, JOB_LOOK), 4);
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("h1"));
    for (char small[] = "s0"; small[1] < '6'; small[1]++)
        rig_write(&rig, small, "small");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_jobs(&rig, JOB_LOOK), 4);
    assert_true(rig_item(&rig, "s0").own_last > 0 && rig_item(&rig, "s5").own_last > 0);
    assert_int_equal(rig_item(&rig, "h0").own_last, 0);
    // Nor does a walk wait for them, or what comes after it.
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, 1000);
    assert_false(rig_status(&rig).scanning);
    rig.large_held = false;
    rig_wait(&rig, 1000);
    assert_int_equal(rig_jobs(&rig, JOB_LOOK), 0);
    for (name[1] = '0'; name[1] < '6'; name[1]++)
        assert_true(rig_item(&rig, name).own_last > 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_that_is_never_closed),
        cmocka_unit_test(test_a_file_that_changes_faster_than_it_is_read),
        cmocka_unit_test(test_large_files_hold_up_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
