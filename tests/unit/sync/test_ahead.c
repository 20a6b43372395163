// SPDX-License-Identifier: MIT
//
// A group of steps is on the disk, and the next one has its journal row already: whatever becomes
// of the first, the second is done once, or was never begun.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { MANY = 40 };

static uint32_t rows(struct rig *rig)
{
    struct journal_row list[4];
    return store_journal_list(rig->store, rig->arena, rig->folder, 4, list);
}

static const char *name(struct rig *rig, uint32_t i)
{
    return arena_printf(rig->arena, "d%02u", i);
}

static struct version directory(struct script *peer, const char *path)
{
    struct version v = script_file(peer, path, "");
    v.value = (struct value){.kind = KIND_DIR, .mode = 0755};
    return v;
}

// One step is being carried out, and many others come.
static void have_two_groups(struct rig *rig)
{
    rig_open(rig);
    rig->held = 1U << JOB_APPLY;
    struct script *peer = script_connect(rig, 7);
    script_offer(peer, (struct vv){0});
    struct version first = directory(peer, "first");
    script_push(peer, 0, &first, 1, NULL);
    rig_settle(rig);
    assert_int_equal(rig_jobs(rig, JOB_APPLY), 1);
    struct version many[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        many[i] = directory(peer, name(rig, i));
    script_push(peer, 1, many, MANY, NULL);
    rig_settle(rig);
    assert_int_equal(rig_jobs(rig, JOB_APPLY), 1);
    assert_int_equal(rows(rig), 2);
    assert_false(rig_on_disk(rig, name(rig, 0)));
}

static void all_is_done(struct rig *rig)
{
    rig_wait(rig, 60 * 1000);
    assert_true(rig_on_disk(rig, "first"));
    for (uint32_t i = 0; i < MANY; i++) {
        struct item item = rig_item(rig, name(rig, i));
        assert_true(rig_on_disk(rig, name(rig, i)) && item_local_live(&item));
        assert_true(!item.need && item.own_last == 0);
    }
    assert_int_equal(rows(rig), 0);
    rig_close(rig);
}

static void test_one_after_the_other(void **state)
{
    (void)state;
    struct rig rig;
    have_two_groups(&rig);
    rig.held = 0;
    all_is_done(&rig);
}

static void test_killed(void **state)
{
    (void)state;
    struct rig rig;
    have_two_groups(&rig);
    rig.held = 0;
    rig_restart(&rig);
    all_is_done(&rig);
}

static bool apply_fails(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_APPLY) return false;
    rig->instead = NULL;
    job->err = ERR_IO;
    return true;
}

static void test_first_fails(void **state)
{
    (void)state;
    struct rig rig;
    have_two_groups(&rig);
    rig.instead = apply_fails;
    rig.held = 0;
    all_is_done(&rig);
    assert_null(rig.instead);
}

static void test_root_goes(void **state)
{
    (void)state;
    struct rig rig;
    have_two_groups(&rig);
    rig.away = true;
    rig.held = 0;
    rig_wait(&rig, 1000);
    assert_false(rig_on_disk(&rig, name(&rig, 0)));
    assert_int_equal(rows(&rig), 1); // of the one that may have been carried out
    rig.away = false;
    all_is_done(&rig);
}

// What its row was not written for is not begun either.
static void test_no_row(void **state)
{
    (void)state;
    struct rig rig;
    have_two_groups(&rig);
    rig_fail_commits(0, 1);
    rig.held = 0;
    rig_settle(&rig);
    assert_true(rig_commits_failed());
    all_is_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_first_fails),
        cmocka_unit_test(test_root_goes),
        cmocka_unit_test(test_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
