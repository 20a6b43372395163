// SPDX-License-Identifier: MIT
//
// Very many intents: how many are under way at a time, and a start that finds more of them in the
// journal than it reads at once.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { ROWS = 600, CONFLICTS = 200, UNDER_WAY_MAX = 64 };

static uint32_t rows_left(struct rig *rig)
{
    static struct journal_row rows[ROWS];
    return store_journal_list(rig->store, rig->arena, rig->folder, ROWS, rows);
}

static uint32_t cleared_away;

// What names no row clears away all that is nobody's in staging.
static bool clears_last(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_RECOVER || job->apply.journal != 0) return false;
    assert_int_equal(rows_left(rig), 0);
    cleared_away++;
    return false;
}

static void test_all_rows_are_looked_at(void **state)
{
    (void)state;
    static struct rig rig;
    AUTO(buf_fini) struct buf record = {0};
    const struct job_apply none = {.count = 0};
    rig_open(&rig);
    rig_settle(&rig);
    journal_encode(&none, &record);
    store_begin(rig.store);
    for (int i = 0; i < ROWS; i++)
        (void)store_journal_add(rig.store, rig.folder, buf_slice(&record));
    assert_int_equal(store_commit(rig.store), ERR_OK);
    assert_int_equal(rows_left(&rig), ROWS);
    cleared_away = 0;
    rig.instead = clears_last;
    rig_restart(&rig);
    rig_wait(&rig, 1000);
    assert_int_equal(cleared_away, 1);
    assert_int_equal(rows_left(&rig), 0);
    rig_close(&rig);
}

static void test_few_are_under_way(void **state)
{
    (void)state;
    static struct rig rig;
    static struct version versions[CONFLICTS];
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    for (int i = 0; i < CONFLICTS; i++) {
        char *path = arena_printf(rig.arena, "f%d", i);
        rig_write(&rig, path, "ours");
        versions[i] = script_file(peer, path, "");
    }
    rig_wait(&rig, 1000);
    rig.held = 1U << JOB_APPLY;
    script_push(peer, 0, versions, CONFLICTS, "");
    rig_wait(&rig, 5000);
    assert_in_range(rig_jobs(&rig, JOB_APPLY), UNDER_WAY_MAX / 2, UNDER_WAY_MAX);
    rig.held = 0;
    rig_wait(&rig, 10 * 1000);
    for (int i = 0; i < CONFLICTS; i++)
        assert_int_equal(rig_item(&rig, arena_printf(rig.arena, "f%d", i)).head_count, 1);
    assert_int_equal(rows_left(&rig), 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_rows_are_looked_at),
        cmocka_unit_test(test_few_are_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
