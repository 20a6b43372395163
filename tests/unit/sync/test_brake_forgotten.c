// SPDX-License-Identifier: MIT
//
// Brakes on what a reconciliation drops: a peer that says it has known and forgotten everything
// takes nothing off this disk unless a person agrees.
#include "tests/unit/sync/brake_test.h"

// It has made something since, deleted it, and forgotten that, and all that it had.
static void forgets_all(struct script *peer)
{
    struct rig *rig = peer->rig;
    peer->counter++;
    struct dot last = {peer->inc, peer->counter};
    struct vv k = {&last, 1};
    struct mark mark = script_mark(peer, peer->counter);
    struct message news = {.kind = MSG_NEWS, .news = {.folder = rig->id, .k = k}};
    news.news.marks = (struct marks){&mark, 1};
    script_send(peer, LANE_CONTROL, &news);
    rig_wait(rig, 200);
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig->id, .k = k, .gcfloor = k}};
    done.done.round = script_last(peer, MSG_PULL)->pull.round;
    script_send(peer, LANE_CONTROL, &done);
    rig_settle(rig);
    struct range all = {.what = RANGE_ITEMS};
    struct message items = {.kind = MSG_RANGES, .ranges = {.folder = rig->id}};
    items.ranges.audit = script_last(peer, MSG_RANGES)->ranges.audit;
    items.ranges.step = RANGES_GO;
    items.ranges.reconcile = true;
    items.ranges.ranges = &all;
    items.ranges.range_count = 1;
    script_send(peer, LANE_CONTROL, &items);
    rig_wait(rig, 200);
    items.ranges.step = RANGES_END;
    items.ranges.range_count = 0;
    script_send(peer, LANE_CONTROL, &items);
    rig_wait(rig, 3000);
    assert_false(script_is_cut(peer));
}

static struct script *open_forgotten(struct rig *rig, struct theirs *theirs)
{
    struct script *peer = open_theirs(rig, theirs);
    forgets_all(peer);
    assert_int_equal(rig_item(rig, name(0)).head_count, 0);
    assert_held(rig, "mass-delete", FILES);
    assert_int_equal(on_disk(rig), FILES);
    return peer;
}

static void test_approved(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_forgotten(&rig, &theirs);
    uint32_t said = script_heard(peer, MSG_APPROVALS);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(rig.decided.changed, FILES);
    assert_int_equal(on_disk(&rig), 0);
    assert_free(&rig);
    assert_int_equal(script_heard(peer, MSG_APPROVALS), said); // nothing has a dot to sign for
    // What comes next is not counted with what was approved.
    uint64_t after = peer->counter;
    struct version one[2] = {script_file(peer, "x", "x"), script_file(peer, "y", "y")};
    script_push(peer, after, one, 2, NULL);
    rig_wait(&rig, 500);
    while (script_answer(peer, one, 2, (const char *[]){"x", "y"}, 2))
        rig_wait(&rig, 500);
    assert_true(rig_on_disk(&rig, "x"));
    after = peer->counter;
    struct version gone = changed(peer, &one[0], NULL);
    script_push(peer, after, &gone, 1, NULL);
    rig_wait(&rig, 3000);
    assert_free(&rig);
    assert_false(rig_on_disk(&rig, "x"));
    rig_close(&rig);
}

static void test_reverted(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    (void)open_forgotten(&rig, &theirs);
    uint64_t before = counter(&rig);
    decide(&rig, DECIDE_REVERT);
    assert_int_equal(rig.decided.changed, FILES);
    assert_int_equal(counter(&rig), before + FILES); // others get them as new
    assert_int_equal(on_disk(&rig), FILES);
    assert_int_equal(rig_status(&rig).items, FILES);
    assert_free(&rig);
    rig_close(&rig);
}

static void test_after_a_restart(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    (void)open_forgotten(&rig, &theirs);
    rig_write(&rig, name(1), "edited meanwhile");
    rig_wait(&rig, 1000);
    rig_restart(&rig);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", FILES - 1);
    assert_int_equal(on_disk(&rig), FILES);
    assert_true(version_live(&rig_item(&rig, name(1)).heads[0])); // is its user's now
    rig_close(&rig);
}

// What a peer holds for that cannot be let go from here.
static void test_held_there(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    struct script *peer = script_connect(&rig, 3);
    join(peer);
    struct message m = {.kind = MSG_HELD, .hold = {.folder = rig.id, .changes = 7}};
    m.hold.brake = slice_text("mass-delete");
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(&rig);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(rig.decided.err, ERR_DENIED);
    assert_int_equal(script_heard(peer, MSG_APPROVALS), 0);
    struct span span = {peer->inc, 1, 7};
    m.hold.spans = &span;
    m.hold.span_count = 1;
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(&rig);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(rig.decided.err, ERR_OK);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approved),
        cmocka_unit_test(test_reverted),
        cmocka_unit_test(test_after_a_restart),
        cmocka_unit_test(test_held_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
