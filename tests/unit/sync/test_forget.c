// SPDX-License-Identifier: MIT
//
// Forgetting deletions: what must hold before one goes, and what the floor does to whoever was
// away.
#include "agent/core/job.h"
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

// More cannot be done there than one message names. Deletions come first: if the last that is named
// is none, all of them were named.
static void test_the_peer_names_some(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct version own = script_file(peer, "own", "own");
    script_offer(peer, (struct vv){0});
    script_push(peer, 0, &own, 1, "own");
    write_and_delete(&rig, "a");
    write_and_delete(&rig, "b");
    month(&rig, peer);
    say_applied(peer, own_k(&rig), "b", 100);
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "a").head_count, 1); // perhaps that is one of the others
    say_applied(peer, own_k(&rig), "b", 1);
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "a").head_count, 0);
    assert_int_equal(rig_item(&rig, "b").head_count, 1);
    write_and_delete(&rig, "c");
    month(&rig, peer);
    say_applied(peer, own_k(&rig), "own", 100);
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "c").head_count, 0);
    rig_close(&rig);
}

// While its file is still on this disk, a deletion that everybody else has done is needed here.
static void test_not_before_it_is_done_here(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version file = script_file(peer, "a", "x");
    script_push(peer, 0, &file, 1, "x");
    rig_wait(&rig, 1000);
    assert_true(rig_on_disk(&rig, "a"));
    rig.held = 1U << JOB_APPLY;
    struct version tomb = script_file(peer, "a", "");
    tomb.value = (struct value){.kind = KIND_TOMB};
    tomb.vv = vv_join(rig.arena, tomb.vv, file.vv);
    script_push(peer, 1, &tomb, 1, NULL);
    rig_wait(&rig, 1000);
    month(&rig, peer);
    say_applied(peer, own_k(&rig), NULL, 0);
    month(&rig, peer);
    assert_true(rig_on_disk(&rig, "a"));
    assert_int_equal(rig_item(&rig, "a").head_count, 1);
    rig.held = 0;
    month(&rig, peer);
    assert_false(rig_on_disk(&rig, "a"));
    say_applied(peer, own_k(&rig), NULL, 0);
    month(&rig, peer);
    assert_int_equal(rig_item(&rig, "a").head_count, 0);
    rig_close(&rig);
}

// What is there again, and was not looked at yet, descends from the deletion.
static void test_not_what_comes_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    write_and_delete(&rig, "a");
    rig.held = 1U << JOB_LOOK;
    rig_write(&rig, "a", "again");
    month(&rig, NULL);
    assert_int_equal(rig_item(&rig, "a").head_count, 1);
    rig.held = 0;
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_int_equal(item.head_count, 1);
    assert_int_equal(item.heads[0].value.kind, KIND_FILE);
    assert_int_equal(vv_get(item.heads[0].vv, item.heads[0].birth.inc), 3);
    rig_close(&rig);
}

enum { MANY = 300, HALF_HOUR_MS = 30 * 60 * 1000 };

static struct slice many(struct rig *rig, int i)
{
    return slice_text(arena_printf(rig->arena, "f%03d", i));
}

static uint32_t known_of_many(struct rig *rig)
{
    uint32_t known = 0;
    for (int i = 0; i < MANY; i++)
        known += rig_item(rig, (const char *)many(rig, i).data).head_count;
    return known;
}

// More than is looked at in one go are gone all the same within one look, and none if the index
// cannot be written.
static void test_many(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig.id, .with_all = true, .brake = {.off = true}};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    for (int i = 0; i < MANY; i++)
        rig_save(&rig, (const char *)many(&rig, i).data, "x", 2000);
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, 1000);
    for (int i = 0; i < MANY; i++)
        rig_write(&rig, (const char *)many(&rig, i).data, NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(known_of_many(&rig), MANY);
    rig_wait(&rig, 30 * (int64_t)DAY_MS - HALF_HOUR_MS);
    rig_fail_commits(0, 1000);
    rig_wait(&rig, 3 * HALF_HOUR_MS);
    rig_fail_commits(0, 0);
    assert_int_equal(known_of_many(&rig), MANY);
    assert_int_equal(floor_of(&rig).count, 0);
    for (int i = 0; i < 10 && known_of_many(&rig) == MANY; i++)
        rig_wait(&rig, HALF_HOUR_MS);
    assert_int_equal(known_of_many(&rig), 0);
    assert_int_equal(floor_of(&rig).count, 1);
    rig_close(&rig);
}

// A peer that was never seen may have it, and one that has not said all its folders yet; one that
// has said them without this one has not.
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
    month(&rig, NULL);
    assert_int_equal(rig_item(&rig, "a").head_count, 1);
    script_reconnect(other);
    rig_settle(&rig);
    assert_true(script_answer(other, NULL, 0, NULL, 0)); // a PONG, and no OFFER before it
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

// A peer with files that are here, too. It deletes some of them and forgets that it did.
static void forget_there(struct script *peer, uint64_t counter)
{
    struct rig *rig = peer->rig;
    struct dot k = {peer->inc, counter}, floor = k;
    peer->counter = counter;
    struct mark mark = script_mark(peer, counter);
    struct message news = {.kind = MSG_NEWS, .news = {.folder = rig->id}};
    news.news.k = (struct vv){&k, 1};
    news.news.marks = (struct marks){&mark, 1};
    script_send(peer, LANE_CONTROL, &news);
    rig_wait(rig, 200);
    const struct msg_pull *pull = &script_last(peer, MSG_PULL)->pull;
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig->id, .round = pull->round}};
    done.done.k = (struct vv){&k, 1};
    done.done.gcfloor = (struct vv){&floor, 1};
    script_send(peer, LANE_CONTROL, &done);
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
    forget_there(peer, 5);
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

// A folder that only sends keeps what others have deleted and forgotten. A person may publish it
// anew: it is a file that nobody knows of.
static void test_the_floor_and_override(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version list[2] = {script_file(peer, "gone", "g"), script_file(peer, "stays", "s")};
    for (uint32_t i = 0; i < 2; i++) {
        peer->counter = i + 1;
        script_push(peer, i, &list[i], 1, i == 0 ? "g" : "s");
    }
    rig_wait(&rig, 500);
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig.id, .with_all = true, .mode = MODE_SEND_ONLY};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    rig_wait(&rig, 1000);
    forget_there(peer, 4);
    answer_ranges(peer, &list[1], 1);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "gone").head_count, 0);
    assert_int_equal(rig_item(&rig, "gone").blocked, BLOCKED_SEND_ONLY);
    assert_true(rig_on_disk(&rig, "gone"));
    const struct decision decision = {.kind = DECIDE_OVERRIDE, .folder = "f"};
    engine_decide(rig.engine, 7, &decision);
    rig_wait(&rig, 1000);
    assert_true(rig.decided.err == ERR_OK && rig.decided.changed == 1);
    struct item gone = rig_item(&rig, "gone");
    assert_true(gone.head_count == 1 && !gone.need && gone.local.state == LOCAL_OK);
    assert_int_equal(gone.heads[0].value.kind, KIND_FILE);
    assert_int_equal(vv_get(gone.heads[0].vv, peer->inc), 0); // not of theirs
    assert_true(rig_on_disk(&rig, "gone"));
    rig_close(&rig);
}

// What others have deleted and forgotten stays here if a rule leaves it out by now, and so does a
// directory for the sake of what is in it.
static void test_what_the_floor_leaves(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version list[3] = {script_file(peer, "d", ""), script_file(peer, "out", "o"),
                              script_file(peer, "stays", "s")};
    list[0].value = (struct value){.kind = KIND_DIR, .mode = 0755};
    for (uint32_t i = 0; i < 3; i++) {
        peer->counter = i + 1;
        script_push(peer, i, &list[i], 1, i == 0 ? NULL : i == 1 ? "o" : "s");
    }
    rig_wait(&rig, 500);
    rig_write(&rig, "d/mine", "m");
    rig_wait(&rig, 500);
    rig.left_out = "out";
    forget_there(peer, 6);
    answer_ranges(peer, &list[2], 1);
    rig_wait(&rig, 2000);
    struct item dir = rig_item(&rig, "d"), out = rig_item(&rig, "out");
    assert_true(dir.head_count == 0 && dir.local.state == LOCAL_NONE && !dir.need);
    assert_true(rig_on_disk(&rig, "d") && rig_on_disk(&rig, "d/mine"));
    assert_int_equal(rig_item(&rig, "d/mine").heads[0].value.kind, KIND_FILE);
    assert_true(out.head_count == 0 && out.blocked == BLOCKED_IGNORED && rig_on_disk(&rig, "out"));
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
        cmocka_unit_test(test_the_peer_names_some),
        cmocka_unit_test(test_not_before_it_is_done_here),
        cmocka_unit_test(test_not_what_comes_again),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_who_counts),
        cmocka_unit_test(test_the_floor),
        cmocka_unit_test(test_the_floor_and_override),
        cmocka_unit_test(test_what_the_floor_leaves),
        cmocka_unit_test(test_the_floor_is_passed_on),
        cmocka_unit_test(test_a_lying_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
