// SPDX-License-Identifier: MIT
//
// Index and root of different times, as the witness tells: a new life, and what it takes for what.
#include "tests/unit/sync/reinc_test.h"

// Index and root of different times: what is not there is not taken for deleted.
static void test_another_root(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "here", "1");
    rig_write(&rig, "away", "2");
    rig_settle(&rig);
    struct folder_row before = row_of(&rig);
    rig.disk_count = 0;
    rig.witness[0] ^= 1;
    rig_restart(&rig);
    rig_write(&rig, "here", "1");
    rig_settle(&rig);
    struct folder_row after = row_of(&rig);
    assert_true(after.inc != before.inc && !after.doubt);
    struct item away = rig_item(&rig, "away");
    assert_true(away.head_count == 1 && version_live(&away.heads[0]));
    assert_int_equal(away.local.state, LOCAL_NONE);
    assert_true(away.need);
    assert_int_equal(after.counter, 0);
    // From now on it is.
    rig_write(&rig, "here", NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "here").heads[0].value.kind, KIND_TOMB);
    rig_close(&rig);
}

// A peer has shown it before the root was looked at: one new life answers both.
static void test_another_root_and_a_mark(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "1");
    rig_settle(&rig);
    struct folder_row before = row_of(&rig);
    rig.witness[0] ^= 1;
    rig.held = 1U << JOB_HEALTH;
    rig_restart(&rig);
    struct script *peer = script_connect(&rig, 3);
    offer_with_own(peer, before.inc, 5);
    rig_settle(&rig);
    assert_true(row_of(&rig).inc == before.inc);
    assert_true(rig_logged("index is older than what it published"));
    rig.held = 0;
    rig_settle(&rig);
    struct folder_row after = row_of(&rig);
    assert_true(after.inc != before.inc);
    assert_true(script_last(peer, MSG_OFFER)->offer.inc == after.inc);
    offer_with_own(peer, before.inc, 5);
    rig_settle(&rig);
    const struct msg_rollback *told = &script_last(peer, MSG_ROLLBACK)->rollback;
    assert_true(told->old == before.inc && told->fresh == after.inc);
    assert_int_equal(script_heard(peer, MSG_ROLLBACK), 1);
    rig_close(&rig);
}

// And what is older there than here stands beside it all the same.
static void test_another_root_a_mark_and_an_older_file(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_save(&rig, "a", "version two", 5000);
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, 1000);
    rig.witness[0] ^= 1;
    rig.held = 1U << JOB_HEALTH;
    rig_restart(&rig);
    rig_save(&rig, "a", "one", 1000);
    offer_with_own(script_connect(&rig, 3), row_of(&rig).inc, 5);
    rig_settle(&rig);
    rig.held = 0;
    rig_wait(&rig, 30 * 1000);
    assert_int_equal(rig_item(&rig, "a").head_count, 2);
    rig_close(&rig);
}

static bool recovery_fails(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_RECOVER || job->apply.count == 0) return false;
    job->err = ERR_IO;
    return true;
}

// Recovery is tried again and again; the new life is one, until the root is another once more.
static void test_another_root_and_no_recovery(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig.held = 1U << JOB_APPLY;
    struct version v = script_file(peer, "theirs", "x");
    script_push(peer, 0, &v, 1, "x");
    rig_wait(&rig, 1000);
    uint64_t first = row_of(&rig).inc;
    rig.held = 0;
    rig.instead = recovery_fails;
    rig.witness[0] ^= 1;
    rig_restart(&rig);
    rig_wait(&rig, 1000);
    uint64_t second = row_of(&rig).inc;
    assert_true(second != first);
    rig_wait(&rig, 60 * 1000);
    assert_true(row_of(&rig).inc == second);
    rig.witness[0] ^= 2;
    rig_wait(&rig, 10 * 1000);
    uint64_t third = row_of(&rig).inc;
    assert_true(third != second);
    rig.instead = NULL;
    rig_wait(&rig, 10 * 1000);
    assert_true(rig_on_disk(&rig, "theirs"));
    rig_restart(&rig);
    rig_wait(&rig, 1000);
    assert_true(row_of(&rig).inc == third);
    rig_close(&rig);
}

// What the copy of the witness beside the index says; it is looked at when a process starts.
static enum twin twin_is;
static bool twin_differs, witness_is_gone;

static bool has_twin(struct rig *rig, struct job *job)
{
    struct job_health *health = &job->health;
    if (job->kind != JOB_HEALTH || health->set_witness) return false;
    health->twin = twin_is;
    memcpy(health->twin_witness, rig->witness, sizeof rig->witness);
    health->twin_witness[0] ^= twin_differs;
    if (!witness_is_gone) return false;
    health->healthy = health->has_id = true;
    health->found = health->id;
    return true;
}

static bool draws_another_life(enum twin twin, bool differs, bool gone)
{
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "1");
    rig_wait(&rig, 1000);
    uint64_t before = row_of(&rig).inc;
    rig.instead = has_twin;
    twin_is = twin;
    twin_differs = differs;
    witness_is_gone = gone;
    rig_restart(&rig);
    rig_wait(&rig, 1000);
    uint64_t after = row_of(&rig).inc;
    assert_int_equal(rig_item(&rig, "a").head_count, 1);
    rig_close(&rig);
    return before != after;
}

// The index may be a copy, or older than it should be, whichever of the three is of another time.
static void test_witness_and_twin(void **state)
{
    (void)state;
    assert_false(draws_another_life(TWIN_NONE, false, false));
    assert_false(draws_another_life(TWIN_THERE, false, false));
    assert_true(draws_another_life(TWIN_THERE, true, false));
    assert_true(draws_another_life(TWIN_MISSING, false, false));
    assert_true(draws_another_life(TWIN_NONE, false, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_root),
        cmocka_unit_test(test_another_root_and_a_mark),
        cmocka_unit_test(test_another_root_a_mark_and_an_older_file),
        cmocka_unit_test(test_another_root_and_no_recovery),
        cmocka_unit_test(test_witness_and_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
