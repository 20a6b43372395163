// SPDX-License-Identifier: MIT
//
// Two folders that had lives of their own become one, and apart again: whoever joined has the tree
// of before back, the other side loses nothing, and no fault on the way leaves anything between.
#include "agent/core/job.h"
#include "tests/unit/sync/sweep.h"

static void one_each(struct machine *m)
{
    m->put.id.bytes[1] = (uint8_t)m->index;
    m->put.with_all = false;
}

static void have_two(struct lan *lan)
{
    user_write(a_of(lan), "x", "by a");
    user_write(a_of(lan), "own/mine", "of a");
    lan_wait(lan, 2000);
    user_write(b_of(lan), "x", "by b"); // later, so it keeps the name
    user_write(b_of(lan), "theirs/deep/file", "of b");
    for (uint32_t i = 0; i < lan->count; i++)
        user_write(&lan->machines[i], "same", "same");
    lan_wait(lan, 5000);
    for (uint32_t i = 0; i < lan->count; i++) {
        lan->machines[i].put.with_all = true;
        machine_put(&lan->machines[i]);
    }
    lan_wait(lan, 5000);
}

static bool is_joined(struct lan *lan)
{
    struct folder_row rows[2];
    for (uint32_t i = 0; i < 2; i++)
        assert_true(
            store_folder_get(lan->machines[i].store, lan->arena, slice_text("f"), &rows[i]));
    return memcmp(rows[0].id.bytes, rows[1].id.bytes, sizeof rows[0].id.bytes) == 0;
}

static enum err join(struct lan *lan)
{
    const char *what;
    enum err err = engine_folder_accept(a_of(lan)->engine, "f", b_of(lan)->id, &what);
    lan_wait(lan, 10000);
    return err;
}

static void have_joined(struct lan *lan)
{
    have_two(lan);
    assert_false(is_joined(lan));
    assert_int_equal(join(lan), ERR_OK);
    laws_hold(lan, false);
    assert_true(is_joined(lan));
    assert_true(shows(b_of(lan), "own/mine", "of a"));
}

static const struct decision_result *undo(struct machine *m)
{
    return decide(m, &(struct decision){.kind = DECIDE_UNDO, .folder = "f"});
}

// The tree of before on the one, all of both on the other.
static void is_apart(struct lan *lan)
{
    struct conflict conflicts[4];
    assert_false(is_joined(lan));
    assert_true(shows(a_of(lan), "x", "by a"));
    assert_true(shows(a_of(lan), "own/mine", "of a"));
    assert_true(shows(a_of(lan), "same", "same"));
    assert_true(shows(a_of(lan), "theirs", NULL));
    assert_int_equal(conflicts_of(a_of(lan), conflicts, 4), 0);
    assert_true(shows(b_of(lan), "own/mine", "of a"));
    assert_true(shows(b_of(lan), "theirs/deep/file", "of b"));
    assert_true(shows(b_of(lan), "same", "same"));
}

static void test_taken_back(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_joined(&lan);
    const struct decision_result *result = undo(a_of(&lan));
    assert_int_equal(result->err, ERR_OK);
    assert_true(result->apart);
    assert_int_equal(result->left_alone, 0);
    is_apart(&lan);
    user_write(a_of(&lan), "x", "edited since");
    lan_wait(&lan, 60000);
    assert_false(shows(b_of(&lan), "x", "edited since")); // nobody hears of it
    assert_string_equal(undo(a_of(&lan))->what,
                        "no change of another device has been applied here");
    lan_close(&lan);
}

// A person on each side says yes at the same moment: it is one folder all the same.
static void test_accepted_on_both_sides(void **state)
{
    struct lan lan;
    const char *what;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_two(&lan);
    assert_int_equal(engine_folder_accept(a_of(&lan)->engine, "f", b_of(&lan)->id, &what), ERR_OK);
    assert_int_equal(engine_folder_accept(b_of(&lan)->engine, "f", a_of(&lan)->id, &what), ERR_OK);
    lan_wait(&lan, 10000);
    laws_hold(&lan, false);
    assert_true(is_joined(&lan));
    assert_true(shows(b_of(&lan), "own/mine", "of a"));
    assert_true(shows(a_of(&lan), "theirs/deep/file", "of b"));
    lan_close(&lan);
}

// What has come later is taken back alone, and what was decided since: they stay joined.
static void test_no_longer_the_last(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_joined(&lan);
    user_write(b_of(&lan), "same", "later");
    lan_wait(&lan, 5000);
    assert_true(shows(a_of(&lan), "same", "later"));
    const struct decision_result *result = undo(a_of(&lan));
    assert_true(result->err == ERR_OK && !result->apart);
    laws_hold(&lan, false);
    assert_true(is_joined(&lan));
    assert_true(shows(b_of(&lan), "same", "same"));
    lan_close(&lan);
}

static void test_decided_since(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_joined(&lan);
    const struct decision take = {.kind = DECIDE_TAKE, .folder = "f", .path = slice_text("x")};
    assert_true(shows(a_of(&lan), "x", "by b"));
    assert_int_equal(decide(a_of(&lan), &take)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(shows(b_of(&lan), "x", "by a"));
    const struct decision_result *result = undo(a_of(&lan));
    assert_true(result->err == ERR_OK && !result->apart);
    laws_hold(&lan, false);
    assert_true(is_joined(&lan));
    assert_true(shows(b_of(&lan), "x", "by b"));
    lan_close(&lan);
}

// The join is the undo of the one that it was last, whatever this machine's own edits.
static void test_edit_since_is_left_alone(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_joined(&lan);
    user_write(a_of(&lan), "theirs/deep/file", "edited by a");
    lan_wait(&lan, 5000);
    const struct decision_result *result = undo(a_of(&lan));
    assert_true(result->err == ERR_OK && result->apart);
    assert_true(result->left_alone > 0);
    assert_false(is_joined(&lan));
    assert_true(shows(a_of(&lan), "theirs/deep/file", "edited by a"));
    assert_true(shows(a_of(&lan), "x", "by a"));
    lan_close(&lan);
}

// Steps under way end first, what has not begun never does, and nobody is asked for more.
static void test_midway(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_two(&lan);
    a_of(&lan)->held = 1U << JOB_APPLY;
    assert_int_equal(join(&lan), ERR_OK);
    assert_true(shows(a_of(&lan), "theirs", NULL));
    engine_decide(a_of(&lan)->engine, 1, &(struct decision){.kind = DECIDE_UNDO, .folder = "f"});
    lan_wait(&lan, 5000);
    assert_int_equal(a_of(&lan)->decisions, 0);
    // Nothing else is decided meanwhile.
    engine_decide(a_of(&lan)->engine, 2, &(struct decision){.kind = DECIDE_UNDO, .folder = "f"});
    assert_int_equal(a_of(&lan)->decided.err, ERR_UNREACHABLE);
    a_of(&lan)->held = 0;
    lan_wait(&lan, 10000);
    assert_int_equal(a_of(&lan)->decisions, 2);
    assert_true(a_of(&lan)->decided.err == ERR_OK && a_of(&lan)->decided.apart);
    is_apart(&lan);
    lan_close(&lan);
}

// Whoever asked has gone: it is carried out all the same.
static void test_nobody_waits(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_joined(&lan);
    engine_decide(a_of(&lan)->engine, 1, &(struct decision){.kind = DECIDE_UNDO, .folder = "f"});
    engine_decide_cancel(a_of(&lan)->engine, 1);
    lan_wait(&lan, 10000);
    assert_int_equal(a_of(&lan)->decisions, 0);
    is_apart(&lan);
    lan_close(&lan);
}

static void test_closed_meanwhile(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_joined(&lan);
    a_of(&lan)->held = 1U << JOB_LOOK;
    user_write(a_of(&lan), "own/mine", "edited");
    lan_settle(&lan);
    engine_decide(a_of(&lan)->engine, 1, &(struct decision){.kind = DECIDE_UNDO, .folder = "f"});
    engine_folder_remove(a_of(&lan)->engine, "f");
    a_of(&lan)->held = 0;
    lan_settle(&lan);
    assert_int_equal(a_of(&lan)->decisions, 1);
    assert_string_equal(a_of(&lan)->decided.what, "the folder is being closed");
    lan_close(&lan);
}

static void test_not_written(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_joined(&lan);
    lan_arm(&lan, &(struct lan_fault){.kind = FAULT_COMMIT, .at = 1});
    const struct decision_result *result = undo(a_of(&lan));
    assert_int_equal(result->err, ERR_IO);
    assert_string_equal(result->what, "the index cannot be written");
    laws_hold(&lan, false);
    assert_true(is_joined(&lan));
    assert_true(undo(a_of(&lan))->apart);
    is_apart(&lan);
    lan_close(&lan);
}

// What cannot be had any more is left as it is and counted, and the rest is done.
static void test_content_not_to_be_had(void **state)
{
    static const char *const stores[] = {".cfgsync/kept", ".cfgsync/base"};
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_joined(&lan);
    assert_true(shows(a_of(&lan), "x", "by b"));
    user_remove(a_of(&lan), ".cfgsync/conflicts"); // what was set aside of its own
    lan_wait(&lan, 5000);
    lan_cut(&lan);
    for (int i = 0; i < 2; i++) {
        user_remove(a_of(&lan), stores[i]);
        user_mkdir(a_of(&lan), stores[i]);
    }
    const struct decision_result *result = undo(a_of(&lan));
    assert_true(result->err == ERR_OK && result->apart);
    assert_int_equal(result->left_alone, 1);
    assert_true(shows(a_of(&lan), "x", "by b"));
    assert_true(shows(a_of(&lan), "theirs", NULL));
    assert_false(is_joined(&lan));
    lan_close(&lan);
}

// ---- the root's marker

static void read_marker(const struct machine *m, char out[64])
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/.cfgsync/root", m->root);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    out[fread(out, 1, 63, file)] = 0;
    assert_int_equal(fclose(file), 0);
}

// The index knows the new id, and the marker could not be written, or the process died before.
static void marker_written_late(const struct lan_fault *fault)
{
    struct lan lan;
    lan_open_tuned(&lan, 2, one_each);
    have_two(&lan);
    lan_arm(&lan, fault);
    assert_int_equal(join(&lan), ERR_OK);
    assert_true(lan.fired);
    laws_hold(&lan, false);
    assert_true(is_joined(&lan));
    assert_true(shows(b_of(&lan), "own/mine", "of a"));
    lan_close(&lan);
}

static void test_marker_written_late(void **state)
{
    (void)state;
    marker_written_late(&(struct lan_fault){.kind = FAULT_CRASH, .at = 1});
    marker_written_late(&(struct lan_fault){
        .kind = FAULT_JOB, .at = 1, .count = 3, .err = ERR_NO_SPACE, .jobs = 1U << JOB_HEALTH});
}

// A root that was put back from a copy of before is not taken for one that lags behind.
static void test_marker_of_before(void **state)
{
    struct lan lan;
    char before[64], after[64], is[64];
    (void)state;
    lan_open_tuned(&lan, 2, one_each);
    have_two(&lan);
    read_marker(a_of(&lan), before);
    assert_int_equal(join(&lan), ERR_OK);
    read_marker(a_of(&lan), after);
    assert_string_not_equal(before, after);
    user_write(a_of(&lan), ".cfgsync/root", before);
    machine_restart(a_of(&lan));
    lan_wait(&lan, 60000);
    assert_string_equal(status_of(a_of(&lan)).code, "root-missing");
    read_marker(a_of(&lan), is);
    assert_string_equal(is, before);
    lan_close(&lan);
}

// ---- when things go wrong

// However far either came, it is one or the other.
static void back_and_forth(struct lan *lan)
{
    (void)join(lan);
    const struct decision_result *result = undo(a_of(lan));
    bool died = result->err == ERR_UNREACHABLE, left = result->left_alone > 0;
    for (int s = 0; s < 120 && (died || lan->fired); s += 20)
        lan_wait(lan, 20000);
    if (!is_joined(lan) && !left) is_apart(lan);
    for (int tries = 0; tries < 3 && !is_joined(lan); tries++)
        (void)join(lan);
}

static void is_all_there(struct lan *lan)
{
    assert_true(is_joined(lan));
    assert_true(shows(a_of(lan), "own/mine", "of a"));
    assert_true(shows(b_of(lan), "theirs/deep/file", "of b"));
}

static const struct scenario there_and_back = {.machines = 2,
                                               .tune = one_each,
                                               .before = have_two,
                                               .act = back_and_forth,
                                               .after = is_all_there};

static void test_index_fails(void **state)
{
    (void)state;
    sweep_commits(&there_and_back, 1, 1);
}

static void test_jobs_fail(void **state)
{
    (void)state;
    sweep_jobs(&there_and_back, 1, 11);
}

static void test_crashes(void **state)
{
    (void)state;
    sweep_crashes(&there_and_back, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_accepted_on_both_sides),
        cmocka_unit_test(test_no_longer_the_last),
        cmocka_unit_test(test_decided_since),
        cmocka_unit_test(test_edit_since_is_left_alone),
        cmocka_unit_test(test_midway),
        cmocka_unit_test(test_nobody_waits),
        cmocka_unit_test(test_closed_meanwhile),
        cmocka_unit_test(test_not_written),
        cmocka_unit_test(test_content_not_to_be_had),
        cmocka_unit_test(test_marker_written_late),
        cmocka_unit_test(test_marker_of_before),
        cmocka_unit_test(test_index_fails),
        cmocka_unit_test(test_jobs_fail),
        cmocka_unit_test(test_crashes),
    };
    return cmocka_run_group_tests_name("sync/join", tests, NULL, NULL);
}
