// SPDX-License-Identifier: MIT
//
// Forgetting deletions: what must hold before one goes, and what the floor does to whoever was
// away.
#include "tests/unit/sync/rig.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static struct vv own_k(struct rig *rig)
{
    return store_k(rig->store, rig->arena, rig->folder);
}

static struct vv floor_of(struct rig *rig)
{
    return store_gcfloor(rig->store, rig->arena, rig->folder);
}

static void say_applied(struct script *script, struct vv a, const char *blocked, uint64_t total)
{
    struct message m = {.kind = MSG_APPLIED, .applied = {.folder = script->rig->id, .a = a}};
    struct blocked_item item = {.reason = slice_text("no-space")};
    if (blocked != NULL) {
        item.path = slice_text(blocked);
        m.applied.blocked = &item;
        m.applied.blocked_count = 1;
    }
    m.applied.blocked_total = total;
    script_send(script, LANE_CONTROL, &m);
}

// 30 days pass by steps that the clock of ageing believes.
static void month(struct rig *rig, struct script *script)
{
    for (int day = 0; day < 32; day++) {
        rig_wait(rig, DAY_MS);
        if (script != NULL) (void)script_answer(script, NULL, 0, NULL, 0);
    }
}

static void write_and_delete(struct rig *rig, const char *path)
{
    rig_write(rig, path, "x");
    rig_settle(rig);
    rig_write(rig, path, NULL);
    rig_wait(rig, 1000);
    assert_int_equal(rig_item(rig, path).heads[0].value.kind, KIND_TOMB);
}

static void test_alone(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    write_and_delete(&rig, "a");
    rig_write(&rig, "stays", "x");
    rig_wait(&rig, 20 * (int64_t)DAY_MS);
    assert_int_equal(rig_item(&rig, "a").head_count, 1); // too young
    month(&rig, NULL);
    assert_int_equal(rig_item(&rig, "a").head_count, 0);
    assert_int_equal(rig_item(&rig, "stays").head_count, 1);
    struct folder_row row;
    assert_true(store_folder_reload(rig.store, rig.arena, rig.folder, &row));
    assert_int_equal(vv_get(floor_of(&rig), row.inc), 2);
    assert_int_equal(vv_get(own_k(&rig), row.inc), 3); // K goes on covering it
    // Made anew it is a version like any other, and its own chain is not broken.
    rig_write(&rig, "a", "again");
    rig_settle(&rig);
    assert_int_equal(rig_item(&rig, "a").heads[0].dots.entries[0].counter, 4);
    rig_close(&rig);
}

// A message that was on its way all the time: the deletion of what it brings is forgotten.
static void test_late_message(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version file = script_file(peer, "a", "x");
    script_push(peer, 0, &file, 1, "x");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "a").local.state, LOCAL_OK);
    rig_write(&rig, "a", NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "a").heads[0].value.kind, KIND_TOMB);
    month(&rig, peer);
    say_applied(peer, own_k(&rig), NULL, 0);
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "a").head_count, 0);
    script_push(peer, 0, &file, 1, "x");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "a").head_count, 0);
    assert_false(rig_on_disk(&rig, "a"));
    rig_close(&rig);
}

static void test_not_before_the_peer_has_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct version own = script_file(peer, "own", "own");
    script_offer(peer, (struct vv){0});
    script_push(peer, 0, &own, 1, "own");
    write_and_delete(&rig, "a");
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "a").head_count, 1); // it has said nothing
    say_applied(peer, own_k(&rig), "a", 1);
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "a").head_count, 1); // it cannot do it there
    say_applied(peer, own_k(&rig), NULL, 2);
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "a").head_count, 1); // its list says nothing
    say_applied(peer, own_k(&rig), NULL, 0);
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "a").head_count, 0);
    rig_close(&rig);
}

// A peer that was never seen may have it; one that was seen without the folder has not.
static void test_who_counts(void **state)
{
    (void)state;
    struct rig rig;
    uint8_t seed[32] = {9, 9};
    rig_open(&rig);
    AUTO(identity_destroy) struct identity *away = identity_from_seed(seed);
    engine_peer_put(rig.engine, identity_device(away), "away");
    write_and_delete(&rig, "a");
    month(&rig, NULL);
    assert_int_equal(rig_item(&rig, "a").head_count, 1);
    engine_peer_remove(rig.engine, identity_device(away));
    struct script *other = script_connect(&rig, 4); // says nothing of the folder
    rig_settle(&rig);
    (void)other;
    month(&rig, NULL);
    assert_int_equal(rig_item(&rig, "a").head_count, 0);
    rig_close(&rig);
}

// ---- the floor: S has forgotten deletions that we never heard of

static void answer_ranges(struct script *script, struct version *has, uint32_t count)
{
    const struct msg_ranges *open = &script_last(script, MSG_RANGES)->ranges;
    struct range all = {.what = RANGE_ITEMS};
    struct message m = {.kind = MSG_RANGES};
    assert_int_equal(open->step, RANGES_OPEN);
    assert_true(open->reconcile);
    m.ranges.folder = script->rig->id;
    m.ranges.audit = open->audit;
    m.ranges.step = RANGES_GO;
    m.ranges.reconcile = true;
    m.ranges.ranges = &all;
    m.ranges.range_count = 1;
    m.ranges.versions = (struct versions){has, count};
    script_send(script, LANE_CONTROL, &m);
    assert_int_equal(script_last(script, MSG_RANGES)->ranges.step, RANGES_END);
    struct message end = {.kind = MSG_RANGES, .ranges = {.folder = script->rig->id}};
    end.ranges.audit = open->audit;
    end.ranges.step = RANGES_END;
    script_send(script, LANE_CONTROL, &end);
}

static void test_the_floor(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version list[3] = {script_file(peer, "gone", "g"), script_file(peer, "edited", "e"),
                              script_file(peer, "stays", "s")};
    for (uint32_t i = 0; i < 3; i++) {
        peer->counter = i + 1;
        script_push(peer, i, &list[i], 1, i == 0 ? "g" : i == 1 ? "e" : "s");
    }
    rig_wait(&rig, 500);
    assert_int_equal(rig_item(&rig, "gone").local.state, LOCAL_OK);
    rig_write(&rig, "edited", "by me"); // while the peer deletes it, and forgets
    rig_settle(&rig);
    struct dot k = {peer->inc, 5}, floor = {peer->inc, 5};
    peer->counter = 5;
    struct mark mark = script_mark(peer, 5);
    struct message news = {.kind = MSG_NEWS, .news = {.folder = rig.id}};
    news.news.k = (struct vv){&k, 1};
    news.news.marks = (struct marks){&mark, 1};
    script_send(peer, LANE_CONTROL, &news);
    rig_wait(&rig, 200);
    const struct msg_pull *pull = &script_last(peer, MSG_PULL)->pull;
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig.id, .round = pull->round}};
    done.done.k = (struct vv){&k, 1};
    done.done.gcfloor = (struct vv){&floor, 1};
    script_send(peer, LANE_CONTROL, &done);
    assert_int_equal(vv_get(own_k(&rig), peer->inc), 3); // not before all is compared
    answer_ranges(peer, &list[2], 1);
    rig_wait(&rig, 1000);
    assert_false(script_is_cut(peer));
    assert_int_equal(vv_get(own_k(&rig), peer->inc), 5);
    assert_int_equal(vv_get(floor_of(&rig), peer->inc), 5);
    struct item gone = rig_item(&rig, "gone"), stays = rig_item(&rig, "stays");
    struct item edited = rig_item(&rig, "edited");
    assert_true(gone.head_count == 0 && gone.local.state == LOCAL_NONE); // off this disk, too
    for (uint32_t i = 0; i < rig.disk_count; i++)
        assert_false(slice_equal(rig.disk[i].path, slice_text("gone")));
    assert_true(stays.head_count == 1 && stays.local.state == LOCAL_OK);
    assert_true(edited.head_count == 1 && edited.local.state == LOCAL_OK); // a dot it did not know
    rig_close(&rig);
}

// A device that joins after a deletion was forgotten has never seen it; who comes back to it after
// a year hears of the floor all the same.
static void test_the_floor_is_passed_on(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    peer->counter = 2;
    struct version v = script_file(peer, "stays", "s");
    struct dot k = {peer->inc, 3}, floor = {peer->inc, 2};
    script_offer(peer, (struct vv){&k, 1});
    rig_settle(&rig);
    const struct msg_pull *pull = &script_last(peer, MSG_PULL)->pull;
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig.id, .round = pull->round}};
    done.done.k = (struct vv){&k, 1};
    done.done.gcfloor = (struct vv){&floor, 1};
    script_send(peer, LANE_CONTROL, &done);
    answer_ranges(peer, &v, 1);
    rig_wait(&rig, 1000);
    assert_int_equal(vv_get(floor_of(&rig), peer->inc), 2);
    struct script *away = script_connect(&rig, 5);
    script_offer(away, (struct vv){0});
    struct message ask = {.kind = MSG_PULL, .pull = {.folder = rig.id, .round = 1}};
    script_send(away, LANE_CONTROL, &ask);
    rig_wait(&rig, 1000);
    while (script_heard(away, MSG_DONE) == 0) {
        const struct msg_versions *page = &script_last(away, MSG_VERSIONS)->versions;
        struct message ack = {.kind = MSG_ACK, .ack = {.folder = rig.id, .round = 1}};
        ack.ack.page = page->page;
        script_send(away, LANE_CONTROL, &ack);
        rig_wait(&rig, 1000);
    }
    assert_int_equal(vv_get(script_last(away, MSG_DONE)->done.gcfloor, peer->inc), 2);
    rig_close(&rig);
}

static void test_a_lying_floor(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct version v = script_file(peer, "x", "x");
    struct dot k = {peer->inc, 1}, floor = {peer->inc, PROTO_COUNTER_MAX};
    script_offer(peer, (struct vv){&k, 1});
    rig_settle(&rig);
    const struct msg_pull *pull = &script_last(peer, MSG_PULL)->pull;
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig.id, .round = pull->round}};
    done.done.k = (struct vv){&k, 1};
    done.done.gcfloor = (struct vv){&floor, 1};
    script_send(peer, LANE_CONTROL, &done);
    (void)v;
    assert_true(script_is_cut(peer));
    assert_true(rig_logged("a floor above what is known"));
    assert_int_equal(floor_of(&rig).count, 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_late_message),
        cmocka_unit_test(test_not_before_the_peer_has_it),
        cmocka_unit_test(test_who_counts),
        cmocka_unit_test(test_the_floor),
        cmocka_unit_test(test_the_floor_is_passed_on),
        cmocka_unit_test(test_a_lying_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
