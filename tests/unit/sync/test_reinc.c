// SPDX-License-Identifier: MIT
//
// An index that is older than what it has published: what is evidence, and what a new life keeps.
#include "tests/unit/sync/reinc_test.h"

static void test_a_mark_above_the_counter(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "1");
    rig_write(&rig, "b", "1");
    rig_settle(&rig);
    rig_write(&rig, "a", "2");
    rig_write(&rig, "b", NULL);
    rig_wait(&rig, 1000);
    struct folder_row before = row_of(&rig);
    assert_int_equal(before.counter, 4);
    struct script *peer = script_connect(&rig, 3);
    offer_with_own(peer, before.inc, 9);
    rig_settle(&rig);
    struct folder_row after = row_of(&rig);
    assert_true(after.inc != before.inc);
    assert_int_equal(after.counter, 2); // the file and the deletion, again
    struct item a = rig_item(&rig, "a"), b = rig_item(&rig, "b");
    assert_int_equal(a.head_count, 1);
    assert_true(a.heads[0].dots.count == 1 && a.heads[0].dots.entries[0].inc == after.inc);
    assert_int_equal(vv_get(a.heads[0].vv, before.inc), 0); // what was lost is not covered
    // Who has seen what was lost has not seen this.
    assert_true(a.heads[0].birth.inc == after.inc);
    assert_int_equal(a.heads[0].birth.counter, a.heads[0].dots.entries[0].counter);
    assert_true(digest_equal(a.heads[0].value.content, hash_sha256(slice_text("2"))));
    assert_int_equal(b.heads[0].value.kind, KIND_TOMB);
    assert_true(version_same(&a.local.version, &a.heads[0]));
    assert_int_equal(vv_get(store_k(rig.store, rig.arena, rig.folder), before.inc), 0);
    assert_false(script_is_cut(peer));
    // It speaks of the new life, joins, and what it mints is what it has.
    assert_true(script_last(peer, MSG_OFFER)->offer.inc == after.inc);
    offer_with_own(peer, before.inc, 9);
    rig_settle(&rig);
    const struct msg_rollback *told = &script_last(peer, MSG_ROLLBACK)->rollback;
    assert_true(told->old == before.inc && told->fresh == after.inc && told->end.count == 0);
    assert_true(script_last(peer, MSG_PUSH)->push.inc == after.inc);
    rig_write(&rig, "a", "3");
    rig_settle(&rig);
    assert_int_equal(row_of(&rig).counter, 3);
    assert_int_equal(vv_get(rig_item(&rig, "a").heads[0].vv, after.inc), 3);
    rig_close(&rig);
}

// An index that has counted on as far as what it had published, or further: nobody was told of it
// since the start, and yet a peer knows. A peer that does not is told.
static void test_a_mark_that_was_never_told(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "1");
    rig_settle(&rig);
    rig_restart(&rig);
    rig_write(&rig, "b", "1");
    rig_write(&rig, "c", "1");
    rig_settle(&rig);
    struct folder_row before = row_of(&rig);
    assert_int_equal(before.counter, 3);
    struct script *ignorant = script_connect(&rig, 3);
    const struct msg_offer *offer = &script_last(ignorant, MSG_OFFER)->offer;
    assert_int_equal(vv_get(offer->k, before.inc), 1);
    assert_int_equal(vv_get(offer->a, before.inc), 1);
    assert_true(offer->marks.count == 1 && offer->marks.entries[0].counter == 1);
    struct script *knowing = script_connect(&rig, 4);
    offer_with_own(knowing, before.inc, 2);
    rig_settle(&rig);
    struct folder_row after = row_of(&rig);
    assert_true(after.inc != before.inc && after.counter == 3);
    script_offer(ignorant, (struct vv){0});
    rig_settle(&rig);
    assert_int_equal(script_last(ignorant, MSG_PUSH)->push.upto.counter, 3);
    // What was told may come back.
    offer_with_own(knowing, after.inc, 3);
    rig_settle(&rig);
    assert_true(row_of(&rig).inc == after.inc && !script_is_cut(knowing));
    rig_close(&rig);
}

enum { SAID_AGAIN = 70 };

static bool is_of(const struct version *v, uint64_t inc)
{
    return v->dots.count == 1 && v->dots.entries[0].inc == inc;
}

static void check_again(struct rig *rig, const char *path, const struct folder_row *before)
{
    struct item item = rig_item(rig, path);
    assert_int_equal(item.head_count, 1);
    assert_true(is_of(&item.heads[0], row_of(rig).inc));
    assert_true(version_same(&item.local.version, &item.heads[0]));
    assert_int_equal(vv_get(item.heads[0].vv, before->inc), 0);
}

// All of what is on this disk is said again, and what belongs together stays together: the edit
// that kept its name and the one that was set aside for it.
static void test_all_is_said_again(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < SAID_AGAIN; i++) {
        char path[8];
        (void)snprintf(path, sizeof path, "p%02d", i);
        rig_write(&rig, path, path);
    }
    rig_write(&rig, "secret", "s");
    rig_write(&rig, "x", "mine");
    rig_wait(&rig, 1000);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version v[] = {script_file(peer, "x", "theirs"), script_file(peer, "y", "theirs, too")};
    script_push(peer, 0, v, 2, "theirs");
    rig_wait(&rig, 1000);
    struct conflict conflict;
    char aside[128];
    assert_int_equal(engine_conflicts(rig.engine, rig.arena, "f", 1, &conflict), 1);
    (void)snprintf(aside, sizeof aside, "%.*s", SLICE_ARG(conflict.item));
    rig.left_out = "secret";
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("secret"));
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "secret").local.state, LOCAL_OBSOLETE);
    struct folder_row before = row_of(&rig);
    struct script *knowing = script_connect(&rig, 4);
    offer_with_own(knowing, before.inc, before.counter + 9);
    rig_wait(&rig, 1000);
    assert_true(row_of(&rig).inc != before.inc);
    check_again(&rig, "p00", &before);
    check_again(&rig, "p69", &before);
    check_again(&rig, "x", &before);
    check_again(&rig, aside, &before);
    struct item x = rig_item(&rig, "x"), other = rig_item(&rig, aside);
    assert_int_equal(x.heads[0].bundle.count, 1);
    assert_true(x.heads[0].bundle.entries[0].inc == row_of(&rig).inc);
    assert_true(dots_equal(x.heads[0].bundle, other.heads[0].bundle));
    assert_int_equal(rig_item(&rig, "secret").local.state, LOCAL_OBSOLETE);
    assert_true(is_of(&rig_item(&rig, "y").heads[0], peer->inc)); // not ours to say
    rig_close(&rig);
}

// What was drawn before others last compared counters with ours stays as it is.
static void test_what_others_have_seen_stays(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "old", "1");
    rig_settle(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_settle(&rig);
    assert_true(row_of(&rig).met);
    rig_restart(&rig);
    rig_settle(&rig);
    struct folder_row before = row_of(&rig);
    assert_true(before.base == 1 && !before.met);
    rig_write(&rig, "new", "1");
    rig_settle(&rig);
    peer = script_connect(&rig, 4);
    offer_with_own(peer, before.inc, 5);
    rig_settle(&rig);
    struct folder_row after = row_of(&rig);
    assert_true(after.inc != before.inc && after.counter == 1);
    assert_true(rig_item(&rig, "old").heads[0].dots.entries[0].inc == before.inc);
    assert_true(rig_item(&rig, "new").heads[0].dots.entries[0].inc == after.inc);
    assert_int_equal(vv_get(store_k(rig.store, rig.arena, rig.folder), before.inc), 1);
    rig_close(&rig);
}

// A page with a version under our own dot.
static void page_with_own(struct script *peer, struct dot dot, const char *path, const char *text)
{
    struct rig *rig = peer->rig;
    struct version v = script_file(peer, path, text);
    peer->counter--;
    v.vv = (struct vv){&dot, 1};
    v.dots = (struct dots){&dot, 1};
    v.birth.inc = dot.inc;
    const struct msg_pull *pull = &script_last(peer, MSG_PULL)->pull;
    struct message m = {.kind = MSG_VERSIONS};
    m.versions.folder = rig->id;
    m.versions.round = pull->round;
    m.versions.page = 1;
    m.versions.versions = (struct versions){&v, 1};
    script_send(peer, LANE_CONTROL, &m);
}

static void test_one_dot_two_things(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "mine");
    rig_settle(&rig);
    struct folder_row before = row_of(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_file(peer, "x", "x"); // something to pull
    struct dot k = {peer->inc, 1};
    script_offer(peer, (struct vv){&k, 1});
    rig_settle(&rig);
    page_with_own(peer, (struct dot){before.inc, 1}, "elsewhere", "theirs");
    rig_settle(&rig);
    struct folder_row after = row_of(&rig);
    assert_true(after.inc != before.inc);
    assert_int_equal(rig_item(&rig, "elsewhere").head_count, 0); // nothing of it was stored
    assert_true(rig_item(&rig, "a").heads[0].dots.entries[0].inc == after.inc);
    // Once a day: the next is kept beside ours, and no more.
    script_offer(peer, (struct vv){&k, 1});
    rig_settle(&rig);
    page_with_own(peer, (struct dot){after.inc, 1}, "a", "theirs");
    rig_settle(&rig);
    assert_true(row_of(&rig).inc == after.inc);
    assert_int_equal(rig_item(&rig, "a").head_count, 2);
    assert_true(rig_logged("one dot, two versions"));
    rig_close(&rig);
}

static void rollback_send(struct script *peer, uint64_t old, struct mark *end, uint64_t fresh)
{
    struct message m = {.kind = MSG_ROLLBACK, .rollback = {.folder = peer->rig->id, .old = old}};
    m.rollback.end = (struct marks){end, 1};
    m.rollback.fresh = fresh;
    script_send(peer, LANE_CONTROL, &m);
}

static void test_rollback_of_others(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3), *other = script_connect(&rig, 4);
    script_offer(peer, (struct vv){0});
    script_offer(other, (struct vv){0});
    struct owner fresh = owner_of(&rig, peer->device, 77);
    struct message owners = {.kind = MSG_OWNERS,
                             .owners = {.folder = rig.id, .owners = &fresh, .count = 1}};
    script_send(peer, LANE_CONTROL, &owners);
    struct mark end = script_mark(peer, 5), nobodys = {.inc = 12345, .counter = 1, .first = 1};
    rollback_send(peer, 12345, &nobodys, fresh.inc);
    rollback_send(peer, peer->inc, &end, other->inc); // goes on as somebody else
    rig_settle(&rig);
    assert_int_equal(script_heard(other, MSG_ROLLBACK), 0);
    rollback_send(peer, peer->inc, &end, fresh.inc);
    rollback_send(peer, peer->inc, &end, fresh.inc);
    rig_settle(&rig);
    assert_int_equal(script_heard(other, MSG_ROLLBACK), 1); // passed on once
    assert_false(script_is_cut(peer));
    struct peer_row row;
    rig_wait(&rig, 2000);
    assert_true(store_peer_get(rig.store, rig.arena, rig.folder, other->device, &row));
    assert_true(row.audit_due && row.told == 1);
    end.signature.bytes[0] ^= 1;
    struct owner later = owner_of(&rig, peer->device, 78);
    owners.owners.owners = &later;
    script_send(peer, LANE_CONTROL, &owners);
    rollback_send(peer, peer->inc, &end, later.inc);
    assert_true(script_is_cut(peer));
    assert_true(rig_logged("a mark that its owner did not sign"));
    rig_close(&rig);
}

// The index cannot be written for a while: nothing is told of the old life, and then it is over.
static void test_not_written(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "1");
    rig_wait(&rig, 1000);
    struct folder_row before = row_of(&rig);
    struct script *peer = script_connect(&rig, 3);
    rig_fail_commits(1, 3); // whose incarnation the peer speaks for is noted
    offer_with_own(peer, before.inc, 9);
    rig_settle(&rig);
    assert_true(row_of(&rig).inc == before.inc);
    rig_wait(&rig, 60 * 1000);
    assert_true(rig_commits_failed());
    assert_true(row_of(&rig).inc != before.inc);
    assert_true(is_of(&rig_item(&rig, "a").heads[0], row_of(&rig).inc));
    assert_int_equal(script_heard(peer, MSG_PUSH), 0);
    rig_close(&rig);
}

// A peer that was restored knows less by now than it has said: it is not asked again and again.
static void test_a_peer_that_knows_less(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct dot said = {peer->inc, 4}, knows = {peer->inc, 1};
    script_offer(peer, (struct vv){&said, 1});
    rig_settle(&rig);
    const struct msg_pull *pull = &script_last(peer, MSG_PULL)->pull;
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig.id, .round = pull->round}};
    done.done.k = (struct vv){&knows, 1};
    script_send(peer, LANE_CONTROL, &done);
    rig_wait(&rig, 1000);
    assert_int_equal(script_heard(peer, MSG_PULL), 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mark_above_the_counter),
        cmocka_unit_test(test_a_mark_that_was_never_told),
        cmocka_unit_test(test_all_is_said_again),
        cmocka_unit_test(test_what_others_have_seen_stays),
        cmocka_unit_test(test_one_dot_two_things),
        cmocka_unit_test(test_rollback_of_others),
        cmocka_unit_test(test_not_written),
        cmocka_unit_test(test_a_peer_that_knows_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
