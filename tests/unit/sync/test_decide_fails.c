// SPDX-License-Identifier: MIT
//
// What a person decides, and what is in its way: paths that others change all the time, an index
// that cannot be written, and several changes of one path in what is taken back.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

static void ask(struct rig *rig, struct decision decision)
{
    decision.folder = "f";
    engine_decide(rig->engine, 7, &decision);
}

static bool shows(struct rig *rig, const char *path, const char *text)
{
    const struct on_disk *at = disk_find(rig, slice_text(path));
    return at != NULL && digest_equal(at->value.content, hash_sha256(slice_text(text)));
}

static uint32_t conflicts(struct rig *rig)
{
    struct conflict list[8];
    return engine_conflicts(rig->engine, rig->arena, "f", 8, list);
}

// Both have made "x".
static void open_conflict(struct rig *rig)
{
    rig_open(rig);
    rig_write(rig, "x", "ours");
    rig_wait(rig, 1000);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    struct version theirs = script_file(peer, "x", "theirs");
    script_push(peer, 0, &theirs, 1, "theirs");
    rig_wait(rig, 5000);
    assert_int_equal(conflicts(rig), 1);
}

static bool always_changed(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++)
        job->apply.steps[i].result = STEP_CHANGED;
    return true;
}

// It is tried some times, given up, and nothing of it was done.
static void test_changed_all_the_time(void **state)
{
    (void)state;
    struct rig rig;
    open_conflict(&rig);
    rig.instead = always_changed;
    ask(&rig, (struct decision){.kind = DECIDE_DISMISS, .path = slice_text("x")});
    assert_int_equal(rig.decisions, 0);
    rig_wait(&rig, 10 * 60 * 1000);
    assert_int_equal(rig.decisions, 1);
    assert_true(rig.decided.err == ERR_CHANGED && rig.decided.changed == 0);
    assert_string_equal(rig.decided.what,
                        "what is to be changed is being changed by somebody else");
    assert_int_equal(conflicts(&rig), 1);
    rig.instead = NULL;
    ask(&rig, (struct decision){.kind = DECIDE_DISMISS, .path = slice_text("x")});
    rig_wait(&rig, 5000);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(conflicts(&rig), 0);
    rig_close(&rig);
}

// ---- what was set aside and is not on this disk yet

// Of "x", by somebody who has not sent its content.
static struct script *open_unseen(struct rig *rig, struct version *out_items, uint32_t count)
{
    static const char *const paths[] = {".cfgsync/conflicts/aaaaaaaaaaaa-x",
                                        ".cfgsync/conflicts/aaaaaaaaaaab-x"};
    rig_open(rig);
    rig_write(rig, "x", "ours");
    rig_wait(rig, 1000);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    for (uint32_t i = 0; i < count; i++) {
        out_items[i] = script_file(peer, paths[i], "set aside");
        out_items[i].origin = slice_text("x");
    }
    script_push(peer, 0, out_items, count, NULL);
    rig_wait(rig, 1000);
    assert_int_equal(conflicts(rig), count);
    assert_false(rig_on_disk(rig, paths[0]));
    return peer;
}

static void test_dismissed_before_it_comes(void **state)
{
    (void)state;
    struct rig rig;
    struct version items[2];
    (void)open_unseen(&rig, items, 2);
    ask(&rig, (struct decision){.kind = DECIDE_DISMISS, .path = slice_text("x")});
    rig_wait(&rig, 1000);
    assert_int_equal(rig.decisions, 1);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_true(rig.decided.changed == 2 && rig.decided.left_alone == 0);
    assert_int_equal(conflicts(&rig), 0);
    const struct item item = rig_item(&rig, ".cfgsync/conflicts/aaaaaaaaaaaa-x");
    assert_true(!item.need && item.head_count == 1);
    assert_true(vv_le(items[0].vv, item.heads[0].vv));
    rig_close(&rig);
}

static void test_dismissed_unwritten(void **state)
{
    (void)state;
    struct rig rig;
    struct version item;
    (void)open_unseen(&rig, &item, 1);
    rig_fail_commits(0, 1);
    ask(&rig, (struct decision){.kind = DECIDE_DISMISS, .path = slice_text("x")});
    rig_wait(&rig, 1000);
    assert_int_equal(rig.decided.err, ERR_IO);
    assert_int_equal(conflicts(&rig), 1);
    rig_close(&rig);
}

// ---- resolved with a file of the person's

static bool reads_file(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_COPY) return false;
    static struct digest leaves[2];
    job->copy.content = (struct content){hash_sha256(slice_text("merged")), 6};
    job->copy.leaves = leaves;
    job->copy.leaf_count = 2;
    return true;
}

static void test_file_with_leaves(void **state)
{
    (void)state;
    struct rig rig;
    const struct decision with = {
        .kind = DECIDE_WITH, .path = slice_text("x"), .file = slice_text("/home/x")};
    open_conflict(&rig);
    rig.instead = reads_file;
    rig_fail_commits(0, 1);
    ask(&rig, with);
    rig_wait(&rig, 5000);
    assert_int_equal(rig.decided.err, ERR_IO);
    assert_string_equal(rig.decided.what, "the index cannot be written");
    assert_true(shows(&rig, "x", "ours") && conflicts(&rig) == 1);
    ask(&rig, with);
    rig_wait(&rig, 5000);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_true(shows(&rig, "x", "merged") && conflicts(&rig) == 0);
    rig_close(&rig);
}

// The folder goes meanwhile: whoever waits is told, once.
static void test_folder_goes_while_it_is_read(void **state)
{
    (void)state;
    struct rig rig;
    open_conflict(&rig);
    rig.instead = reads_file;
    rig.held = 1U << JOB_COPY;
    ask(&rig, (struct decision){
                  .kind = DECIDE_WITH, .path = slice_text("x"), .file = slice_text("/home/x")});
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_COPY), 1);
    engine_folder_remove(rig.engine, "f");
    rig.held = 0;
    rig_settle(&rig);
    assert_int_equal(rig.decisions, 1);
    assert_int_equal(rig.decided.err, ERR_BUSY);
    assert_string_equal(rig.decided.what, "the folder is being closed");
    assert_true(shows(&rig, "x", "ours"));
    rig_close(&rig);
}

// ---- taken back

static bool keeps(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++) {
        struct step *step = &job->apply.steps[i];
        disk_step(rig, step);
        step->kept = step->before.present;
        if (!step->kept) continue;
        step->kept_name = slice_text(arena_printf(rig->arena, "%u-x", rig->kept_count + 1));
        rig->kept[rig->kept_count++] = step->kept_name;
    }
    return true;
}

static void come(struct script *peer, struct version *last, const char *text)
{
    struct version v = script_file(peer, "x", text);
    v.vv = vv_join(peer->rig->arena, v.vv, last->vv);
    script_push(peer, peer->counter - 1, &v, 1, text);
    *last = v;
}

static struct script *open_with_history(struct rig *rig)
{
    struct version last = {0};
    rig_open(rig);
    rig->instead = keeps;
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    come(peer, &last, "one");
    rig_wait(rig, 10 * 1000);
    come(peer, &last, "two");
    rig_wait(rig, 500);
    come(peer, &last, "three");
    rig_wait(rig, 10 * 1000);
    assert_true(shows(rig, "x", "three"));
    assert_int_equal(rig->kept_count, 2);
    return peer;
}

// What was applied in one go is taken back as a whole: the file is what it was before all of it.
static void test_undo_of_two_changes(void **state)
{
    (void)state;
    struct rig rig;
    (void)open_with_history(&rig);
    ask(&rig, (struct decision){.kind = DECIDE_UNDO});
    rig_wait(&rig, 5000);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 1);
    assert_true(shows(&rig, "x", "one"));
    rig_close(&rig);
}

static void test_restore_of_a_time(void **state)
{
    (void)state;
    struct rig rig;
    (void)open_with_history(&rig);
    int64_t now = 1700000000000 + rig.now_ms;
    const struct decision later = {
        .kind = DECIDE_RESTORE, .path = slice_text("x"), .at_ms = now + 1};
    ask(&rig, later);
    rig_wait(&rig, 1000);
    assert_int_not_equal(rig.decided.err, ERR_OK);
    assert_string_equal(rig.decided.what, "what is there was there at that time already");
    ask(&rig, (struct decision){.kind = DECIDE_RESTORE, .kept = 4711});
    rig_wait(&rig, 1000);
    assert_string_equal(rig.decided.what, "no kept version has that number");
    ask(&rig, (struct decision){
                  .kind = DECIDE_RESTORE, .path = slice_text("x"), .at_ms = now - 15 * 1000});
    rig_wait(&rig, 5000);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_true(shows(&rig, "x", "one"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changed_all_the_time),
        cmocka_unit_test(test_dismissed_before_it_comes),
        cmocka_unit_test(test_dismissed_unwritten),
        cmocka_unit_test(test_file_with_leaves),
        cmocka_unit_test(test_folder_goes_while_it_is_read),
        cmocka_unit_test(test_undo_of_two_changes),
        cmocka_unit_test(test_restore_of_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
