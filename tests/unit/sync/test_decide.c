// SPDX-License-Identifier: MIT
//
// What a person decides, carried out on real disks: conflicts taken, dismissed, resolved with a
// file; kept versions brought back; what was applied last undone; and whatever goes wrong while it
// is carried out. A decision is done whole, or says what was not.
#include "tests/unit/sync/sweep.h"

static const struct decision_result *take(struct machine *m, const char *path,
                                          const struct machine *from)
{
    struct decision d = {.kind = DECIDE_TAKE, .folder = "f", .path = slice_text(path)};
    d.has_from = from != NULL;
    if (from != NULL) d.from = from->id;
    return decide(m, &d);
}

static const struct decision_result *with_file(struct machine *m, const char *path,
                                               const char *file)
{
    return decide(m, &(struct decision){.kind = DECIDE_WITH,
                                        .folder = "f",
                                        .path = slice_text(path),
                                        .file = slice_text(file)});
}

static const struct decision_result *dismiss(struct machine *m, const char *path)
{
    return decide(
        m, &(struct decision){.kind = DECIDE_DISMISS, .folder = "f", .path = slice_text(path)});
}

static const struct decision_result *undo(struct machine *m)
{
    return decide(m, &(struct decision){.kind = DECIDE_UNDO, .folder = "f"});
}

static const struct decision_result *restore(struct machine *m, const char *path, int64_t at_ms)
{
    return decide(
        m, &(struct decision){
               .kind = DECIDE_RESTORE, .folder = "f", .path = slice_text(path), .at_ms = at_ms});
}

static const struct decision_result *restore_number(struct machine *m, uint64_t number)
{
    return decide(m, &(struct decision){.kind = DECIDE_RESTORE, .folder = "f", .kept = number});
}

static void is_refused(const struct decision_result *result, const char *what)
{
    assert_int_not_equal(result->err, ERR_OK);
    assert_string_equal(result->what, what);
    assert_int_equal(result->changed, 0);
}

static void is_done(const struct decision_result *result, uint64_t changed)
{
    assert_int_equal(result->err, ERR_OK);
    assert_null(result->what);
    assert_int_equal(result->changed, changed);
    assert_int_equal(result->left_alone, 0);
}

// All have edited "x" while they did not see each other.
static void have_conflict(struct lan *lan)
{
    user_write(a_of(lan), "x", "first");
    lan_wait(lan, 3000);
    lan_cut(lan);
    for (uint32_t i = 0; i < lan->count; i++) {
        char text[] = {'b', 'y', ' ', (char)('a' + i), 0};
        user_write(&lan->machines[i], "x", text);
        lan_wait(lan, 2000);
    }
    lan_join(lan);
    lan_wait(lan, 10000);
    struct conflict conflicts[8];
    assert_int_equal(conflicts_of(a_of(lan), conflicts, 8), lan->count - 1);
    assert_true(lan_in_step(lan) && trees_equal(lan));
}

// Whose edit lost.
static struct machine *loser_of(struct lan *lan)
{
    struct conflict conflicts[8];
    assert_true(conflicts_of(a_of(lan), conflicts, 8) > 0);
    for (uint32_t i = 0; i < lan->count; i++) {
        if (memcmp(&lan->machines[i].id, &conflicts[0].by, sizeof conflicts[0].by) == 0)
            return &lan->machines[i];
    }
    fail_msg("a conflict item of nobody");
    return NULL;
}

static const char *text_of(const struct machine *m)
{
    static const char *const texts[] = {"by a", "by b", "by c"};
    return texts[m->index];
}

static uint32_t conflicts_left(struct lan *lan)
{
    struct conflict conflicts[8];
    return conflicts_of(b_of(lan), conflicts, 8);
}

// ---- conflicts

static void test_take(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_conflict(&lan);
    const struct machine *loser = loser_of(&lan);
    is_refused(take(a_of(&lan), "y", NULL), "there is no conflict over it");
    is_refused(take(a_of(&lan), "x", &lan.machines[1 - loser->index]),
               "no edit of that device is set aside for it");
    is_done(take(a_of(&lan), "x", loser), 2);
    laws_hold(&lan, false);
    assert_true(shows(b_of(&lan), "x", text_of(loser)));
    assert_int_equal(conflicts_left(&lan), 0);
    lan_close(&lan);
}

static void test_take_of_several(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 3);
    have_conflict(&lan);
    const struct machine *loser = loser_of(&lan);
    is_refused(take(a_of(&lan), "x", NULL),
               "several edits of it are set aside: say which with --from DEVICE");
    is_done(take(b_of(&lan), "x", loser), 3);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "x", text_of(loser)));
    assert_int_equal(conflicts_left(&lan), 0);
    lan_close(&lan);
}

static void test_dismiss(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_conflict(&lan);
    const struct machine *loser = loser_of(&lan);
    is_done(dismiss(a_of(&lan), "x"), 1);
    laws_hold(&lan, false);
    assert_true(shows(b_of(&lan), "x", text_of(&lan.machines[1 - loser->index])));
    assert_int_equal(conflicts_left(&lan), 0);
    is_refused(dismiss(a_of(&lan), "x"), "there is no conflict over it");
    lan_close(&lan);
}

static void test_with_file(void **state)
{
    struct lan lan;
    char file[80];
    (void)state;
    lan_open(&lan, 2);
    have_conflict(&lan);
    (void)snprintf(file, sizeof file, "%s/.cfgsync/merged", a_of(&lan)->root);
    is_refused(with_file(a_of(&lan), "x", file),
               "the file it is to be resolved with cannot be read");
    assert_int_equal(conflicts_left(&lan), 1);
    user_write(a_of(&lan), ".cfgsync/merged", "by both");
    is_done(with_file(a_of(&lan), "x", file), 2);
    laws_hold(&lan, false);
    assert_true(shows(b_of(&lan), "x", "by both"));
    assert_int_equal(conflicts_left(&lan), 0);
    lan_close(&lan);
}

static void test_with_what_is_there(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_conflict(&lan);
    const struct machine *loser = loser_of(&lan);
    is_done(with_file(b_of(&lan), "x", ""), 1);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "x", text_of(&lan.machines[1 - loser->index])));
    lan_close(&lan);
}

// ---- kept versions

static void have_kept(struct lan *lan)
{
    user_write(a_of(lan), "d/x", "one");
    user_write(a_of(lan), "d/y", "other");
    user_write(a_of(lan), "z", "stays");
    lan_wait(lan, 3000);
    user_write(a_of(lan), "d/x", "two");
    lan_wait(lan, 3000);
    user_remove(a_of(lan), "d");
    lan_wait(lan, 10000);
    assert_true(shows(b_of(lan), "d", NULL));
}

static void test_restore(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    int64_t before_ms = lan.wall_ms + lan.now_ms;
    have_kept(&lan);
    is_refused(restore(b_of(&lan), "z", 0), "no version of it is kept");
    is_refused(restore(b_of(&lan), "d/x", lan.wall_ms + lan.now_ms),
               "what is there was there at that time already");
    is_refused(restore_number(b_of(&lan), 4711), "no kept version has that number");
    is_done(restore(b_of(&lan), "d/x", 0), 1);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "d/x", "two"));
    is_done(restore(b_of(&lan), "d/x", before_ms), 1);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "d/x", "one"));
    is_done(restore(b_of(&lan), "d/x", before_ms), 0); // it is there
    lan_close(&lan);
}

static void test_restore_tree(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_kept(&lan);
    user_write(a_of(&lan), "d/y", "new");
    lan_wait(&lan, 3000);
    assert_int_equal(restore(b_of(&lan), "d", 0)->err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "d/x", "two"));
    assert_true(shows(a_of(&lan), "d/y", "new"));
    is_refused(restore(b_of(&lan), "d", 0), "no version of it is kept");
    lan_close(&lan);
}

static void test_restore_number(void **state)
{
    struct lan lan;
    struct kept_row rows[16];
    (void)state;
    lan_open(&lan, 2);
    have_kept(&lan);
    uint32_t count =
        engine_kept(b_of(&lan)->engine, lan.arena, "f", slice_text("d/x"), 0, 16, rows);
    assert_int_equal(count, 2);
    struct decision other = {.kind = DECIDE_RESTORE, .folder = "f", .path = slice_text("d/y")};
    other.kept = rows[1].number;
    is_refused(decide(b_of(&lan), &other), "the kept version of that number is of another path");
    is_done(restore_number(b_of(&lan), rows[1].number), 1);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "d/x", "one"));
    lan_close(&lan);
}

// ---- undo

static void have_batch(struct lan *lan)
{
    user_write(a_of(lan), "old", "was");
    user_write(a_of(lan), "gone/deep/file", "was, too");
    user_write(a_of(lan), "kind", "a file");
    lan_wait(lan, 5000);
    lan_cut(lan);
    user_write(a_of(lan), "old", "is");
    user_remove(a_of(lan), "gone");
    user_write(a_of(lan), "fresh/deep/file", "new");
    user_remove(a_of(lan), "kind");
    user_write(a_of(lan), "kind/inner", "a directory");
    lan_wait(lan, 5000);
    lan_join(lan);
    lan_wait(lan, 10000);
    assert_true(lan_in_step(lan) && trees_equal(lan));
}

static void undone(struct lan *lan)
{
    assert_true(shows(a_of(lan), "old", "was"));
    assert_true(shows(a_of(lan), "gone/deep/file", "was, too"));
    assert_true(shows(a_of(lan), "fresh/deep/file", NULL));
    assert_true(shows(a_of(lan), "kind", "a file"));
}

static void test_undo(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    is_refused(undo(b_of(&lan)), "no change of another device has been applied here");
    have_batch(&lan);
    assert_int_equal(undo(b_of(&lan))->err, ERR_OK);
    laws_hold(&lan, false);
    undone(&lan);
    lan_close(&lan);
}

// What somebody has saved since is left alone.
static void test_undo_leaves_edits(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_batch(&lan);
    user_write(b_of(&lan), "old", "edited since");
    lan_wait(&lan, 3000);
    const struct decision_result *result = undo(b_of(&lan));
    assert_int_equal(result->err, ERR_OK);
    assert_true(result->left_alone > 0);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "old", "edited since"));
    assert_true(shows(a_of(&lan), "gone/deep/file", "was, too"));
    lan_close(&lan);
}

// ---- many at once, nobody waiting, nothing to be had

enum { MANY = 40 };

static void name_of(int i, char out[16])
{
    (void)snprintf(out, 16, "many/%02d", i);
}

static void have_many(struct lan *lan)
{
    char path[16];
    for (int i = 0; i < MANY; i++) {
        name_of(i, path);
        user_write(a_of(lan), path, path);
    }
    lan_wait(lan, 5000);
    assert_true(lan_in_step(lan) && trees_equal(lan));
}

// Two decisions, one after the other; what a person has decided about many holds no brake.
static void test_undo_many(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_many(&lan);
    const struct decision d = {.kind = DECIDE_UNDO, .folder = "f"};
    engine_decide(b_of(&lan)->engine, 1, &d);
    engine_decide(b_of(&lan)->engine, 2, &d);
    engine_decide_cancel(b_of(&lan)->engine, 2);
    lan_wait(&lan, 20000);
    assert_int_equal(b_of(&lan)->decisions, 1);
    assert_int_equal(b_of(&lan)->decided.err, ERR_OK);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "many", NULL));
    assert_int_equal(status_of(a_of(&lan)).held, 0);
    lan_close(&lan);
}

static void test_folder_goes_meanwhile(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_many(&lan);
    engine_decide(b_of(&lan)->engine, 1, &(struct decision){.kind = DECIDE_UNDO, .folder = "f"});
    engine_folder_remove(b_of(&lan)->engine, "f");
    lan_settle(&lan);
    assert_int_equal(b_of(&lan)->decisions, 1);
    assert_string_equal(b_of(&lan)->decided.what, "the folder is being closed");
    is_refused(undo(b_of(&lan)), "the folder is not ready: see cfgsync-agent status");
    lan_close(&lan);
}

// The kept file is gone, and nobody else is there.
static void test_content_not_to_be_had(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_kept(&lan);
    lan_cut(&lan);
    user_remove(b_of(&lan), ".cfgsync/kept");
    user_mkdir(b_of(&lan), ".cfgsync/kept");
    const struct decision_result *result = restore(b_of(&lan), "d/x", 0);
    assert_int_equal(result->err, ERR_BUSY);
    assert_int_equal(result->changed, 0);
    lan_join(&lan);
    laws_hold(&lan, false);
    lan_close(&lan);
}

// ---- when things go wrong

static void do_take(struct lan *lan)
{
    (void)take(b_of(lan), "x", NULL);
}

// Nothing of either edit is lost: both are there, or it was decided.
static void taken_or_not(struct lan *lan)
{
    struct conflict conflicts[8];
    if (conflicts_of(b_of(lan), conflicts, 8) > 0) is_done(take(b_of(lan), "x", NULL), 2);
    laws_hold(lan, false);
    assert_int_equal(conflicts_left(lan), 0);
}

static void do_undo(struct lan *lan)
{
    (void)undo(b_of(lan));
}

static void do_restore(struct lan *lan)
{
    (void)restore(b_of(lan), "d", 0);
}

static void restored(struct lan *lan)
{
    if (!shows(b_of(lan), "d/x", "two")) (void)restore(b_of(lan), "d/x", 0);
    if (!shows(b_of(lan), "d/y", "other")) (void)restore(b_of(lan), "d/y", 0);
    laws_hold(lan, false);
    assert_true(shows(a_of(lan), "d/x", "two"));
    assert_true(shows(a_of(lan), "d/y", "other"));
}

static const struct scenario scenarios[] = {
    {.machines = 2, .before = have_conflict, .act = do_take, .after = taken_or_not},
    {.machines = 2, .before = have_kept, .act = do_restore, .after = restored},
    {.machines = 2, .before = have_batch, .act = do_undo},
};

enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static void test_index_fails(void **state)
{
    (void)state;
    sweep_commits(scenarios, SCENARIOS, 1);
}

static void test_jobs_fail(void **state)
{
    (void)state;
    sweep_jobs(scenarios, SCENARIOS, 7);
}

static void test_crashes(void **state)
{
    (void)state;
    sweep_crashes(scenarios, SCENARIOS, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_take_of_several),
        cmocka_unit_test(test_dismiss),
        cmocka_unit_test(test_with_file),
        cmocka_unit_test(test_with_what_is_there),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_restore_tree),
        cmocka_unit_test(test_restore_number),
        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_undo_leaves_edits),
        cmocka_unit_test(test_undo_many),
        cmocka_unit_test(test_folder_goes_meanwhile),
        cmocka_unit_test(test_content_not_to_be_had),
        cmocka_unit_test(test_index_fails),
        cmocka_unit_test(test_jobs_fail),
        cmocka_unit_test(test_crashes),
    };
    return cmocka_run_group_tests_name("sync/decide", tests, NULL, NULL);
}
