// SPDX-License-Identifier: MIT
//
// Giving up contents that nobody has: who is asked before, and what is there then.
#include "agent/core/job.h"
#include "tests/unit/sync/orphan_test.h"

static void test_what_waits_for_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "here");
    rig_settle(&rig);
    assert_int_equal(abandon(&rig, "a", true).err, ERR_DENIED);
    assert_int_equal(abandon(&rig, "none", true).err, ERR_DENIED);
    assert_true(says(&rig_item(&rig, "a").heads[0], "here"));
    rig_close(&rig);
}

// What is on the disk stays, and supersedes what nobody has.
static void test_what_is_on_disk(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", "old");
    struct birth birth = rig_item(&rig, "a").local.version.birth;
    (void)abandon(&rig, "a", true);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandon.count, 1);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "old") && !item.need);
    assert_true(birth_compare(item.heads[0].birth, birth) == 0);
    assert_true(vv_covers(item.heads[0].vv, (struct dot){peer->inc, 1}));
    assert_true(shows(&rig, "a", "old"));
    rig_close(&rig);
}

// ---- who is connected is compared with, and asked

static void test_nobody_has_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    refuse_wants(peer);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandoned, 0); // not before all was compared
    answer_audit(peer, &v, 1);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandoned, 0); // what it said before counts for nothing
    refuse_wants(peer);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandoned, 1);
    assert_int_equal(rig.abandon.count, 1);
    assert_int_equal(script_last(peer, MSG_PUSH)->push.versions.count, 1);
    rig_close(&rig);
}

static void test_a_holder_turns_up(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    const char *texts[] = {"lost"};
    struct script *peer = orphan_made(&rig, "a", "old");
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    for (int i = 0; i < 4; i++) {
        (void)script_answer(peer, &v, 1, texts, 1);
        rig_wait(&rig, 100);
    }
    assert_int_equal(rig.abandoned, 1);
    assert_true(rig.abandon.err == ERR_OK && rig.abandon.count == 0 && rig.abandon.came == 1);
    assert_true(shows(&rig, "a", "lost"));
    rig_close(&rig);
}

// It lives, and answers nothing but that.
static void alive(struct script *script, int seconds)
{
    uint32_t at = script->answered;
    for (int i = 0; i < seconds; i++) {
        rig_wait(script->rig, 1000);
        for (; at < script->heard_count; at++) {
            struct message pong = {.kind = MSG_PONG, .ping = script->heard[at]->ping};
            if (script->heard[at]->kind == MSG_PING) script_send(script, LANE_CONTROL, &pong);
        }
    }
}

static void test_who_does_not_compare(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    (void)back(peer, "a");
    (void)abandon(&rig, "a", true);
    alive(peer, 28);
    assert_int_equal(rig.abandoned, 0);
    alive(peer, 3);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    (void)abandon(&rig, "a", true);
    go(peer); // perhaps it has it
    assert_int_equal(rig.abandoned, 2);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    assert_true(says(&rig_item(&rig, "a").heads[0], "lost"));
    rig_close(&rig);
}

static void test_who_does_not_answer(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    alive(peer, 62);
    assert_int_equal(rig.abandoned, 1);
    assert_true(rig.abandon.err == ERR_OK && rig.abandon.unsure == 1);
    assert_true(says(&rig_item(&rig, "a").heads[0], "lost"));
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    rig_wait(&rig, 1000);
    go(peer); // perhaps it has it
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandoned, 2);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    rig_close(&rig);
}

// Somebody comes while it is being given up.
static void test_another_comes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    rig_wait(&rig, 200);
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    refuse_wants(peer);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandoned, 1);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    rig_close(&rig);
}

static void test_the_client_goes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    (void)back(peer, "a");
    (void)abandon(&rig, "a", true);
    engine_abandon_cancel(rig.engine, 1);
    (void)abandon(&rig, "a", true);
    engine_folder_remove(rig.engine, "f");
    rig_settle(&rig);
    assert_int_equal(rig.abandoned, 1);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    rig_close(&rig);
}

// ---- what comes afterwards

static void given_up(struct rig *rig, const char *before)
{
    (void)orphan_made(rig, "a", before);
    (void)abandon(rig, "a", true);
    rig_wait(rig, 1000);
    assert_int_equal(rig->abandon.count, 1);
}

static uint64_t counter_of(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.counter;
}

// Another device gives up the same, and shows the same: equal values, which join.
static void test_two_give_up(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    given_up(&rig, "old");
    struct version ours = rig_item(&rig, "a").heads[0];
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    struct version theirs = script_file(other, "a", "old");
    theirs.vv = vv_join(rig.arena, theirs.vv, vv_set(rig.arena, ours.vv, ours.dots.entries[0]));
    theirs.vv = vv_set(rig.arena, theirs.vv, (struct dot){ours.dots.entries[0].inc, 1});
    theirs.birth = ours.birth;
    theirs.flags = VERSION_AUTO;
    uint64_t before = counter_of(&rig);
    script_push(other, 0, &theirs, 1, NULL);
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && item.heads[0].dots.count == 2 && !item.need);
    assert_int_equal(counter_of(&rig), before);
    rig_close(&rig);
}

// Another has nothing on disk: its tombstone loses against what is here.
static void test_nothing_there_loses(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    given_up(&rig, "old");
    struct version ours = rig_item(&rig, "a").heads[0];
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    struct version theirs = script_file(other, "a", "");
    theirs.value = (struct value){.kind = KIND_TOMB};
    theirs.vv = vv_join(rig.arena, theirs.vv,
                        vv_set(rig.arena, ours.vv, (struct dot){ours.dots.entries[0].inc, 1}));
    theirs.flags = VERSION_AUTO;
    script_push(other, 0, &theirs, 1, NULL);
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "old") && shows(&rig, "a", "old"));
    rig_close(&rig);
}

// Who had it has edited it meanwhile, and comes back.
static void edited_comes_back(const char *before)
{
    struct rig rig;
    rig_open(&rig);
    given_up(&rig, before);
    struct script *peer = rig.scripts[0];
    struct version edit = script_file(peer, "a", "edited");
    edit.vv = vv_with(rig.arena, edit.vv, (struct dot){peer->inc, 2});
    if (before != NULL) { // it descends from what was here, too
        struct birth first = rig_item(&rig, "a").heads[0].birth;
        edit.vv = vv_with(rig.arena, edit.vv, (struct dot){first.inc, first.counter});
    }
    script_reconnect(peer);
    script_offer(peer, (struct vv){0});
    script_push(peer, 1, &edit, 1, "edited");
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "edited"));
    assert_true(shows(&rig, "a", "edited"));
    struct conflict conflict;
    assert_int_equal(engine_conflicts(rig.engine, rig.arena, "f", 1, &conflict), 0);
    rig_close(&rig);
}

static void test_an_edit_comes_back(void **state)
{
    (void)state;
    edited_comes_back(NULL);
    edited_comes_back("old");
}

// Beside it lives what another has made at the same time, and that is not given up with it.
static void test_what_lives_beside_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    (void)orphan_made(&rig, "a", NULL);
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    struct version theirs = script_file(other, "a", "beside");
    script_push(other, 0, &theirs, 1, "beside");
    rig_settle(&rig);
    go(other);
    assert_int_equal(rig_item(&rig, "a").head_count, 2);
    (void)abandon(&rig, "a", true);
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "beside"));
    assert_true(shows(&rig, "a", "beside"));
    rig_close(&rig);
}

// Each of the contents that are given up is named.
static void test_two_of_one_path(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    (void)orphan_made(&rig, "a", NULL);
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    struct version theirs = script_file(other, "a", "lost, too");
    script_push(other, 0, &theirs, 1, NULL);
    rig_settle(&rig);
    go(other);
    assert_int_equal(rig_item(&rig, "a").head_count, 2);
    (void)abandon(&rig, "a", true);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandon.count, 2);
    assert_false(rig_item(&rig, "a").need);
    rig_close(&rig);
}

// A directory that was made on the way to what has ended since is not left over.
static void test_made_on_the_way(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version below = script_file(peer, "a/b", "B");
    script_push(peer, 0, &below, 1, "B");
    rig_settle(&rig);
    assert_true(rig_on_disk(&rig, "a/b"));
    struct version v[2] = {script_file(peer, "a/b", ""), script_file(peer, "a", "lost")};
    v[0].value = (struct value){.kind = KIND_TOMB};
    v[0].vv = vv_join(rig.arena, v[0].vv, below.vv);
    script_push(peer, 1, v, 2, NULL);
    rig_settle(&rig);
    go(peer);
    assert_true(rig_on_disk(&rig, "a") && !rig_on_disk(&rig, "a/b"));
    (void)abandon(&rig, "a", true);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandon.count, 1);
    assert_false(rig_on_disk(&rig, "a"));
    assert_false(rig_item(&rig, "a").need);
    rig_close(&rig);
}

// A week is given to whoever has it to come back, unless a person says that nobody does.
static void test_not_for_a_week(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    (void)orphan_made(&rig, "a", NULL);
    const struct abandon_result result = abandon(&rig, "a", false);
    assert_int_equal(result.err, ERR_DENIED);
    assert_string_equal(result.what, "a has been sought for less than a week");
    days(&rig, 8);
    (void)abandon(&rig, "a", false);
    rig_wait(&rig, 1000);
    assert_true(rig.abandon.err == ERR_OK && rig.abandon.count == 1);
    rig_close(&rig);
}

// The folder goes, or the process, while the peers are still asked: nothing was given up.
static void test_ended_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    (void)back(peer, "a");
    uint64_t before = rig.abandoned;
    (void)abandon(&rig, "a", true);
    rig_restart(&rig);
    rig_settle(&rig);
    assert_int_equal(rig.abandoned, before);
    assert_true(version_live(&rig_item(&rig, "a").heads[0]));
    engine_peer_put(rig.engine, peer->device, "peer3");
    (void)back(peer, "a");
    (void)abandon(&rig, "a", true);
    engine_folder_remove(rig.engine, "f");
    rig_settle(&rig);
    assert_int_equal(rig.abandoned, before + 1);
    assert_string_equal(rig.abandon.what, "the folder is being closed");
    (void)abandon(&rig, "a", true);
    assert_int_equal(rig.abandon.err, ERR_UNREACHABLE);
    rig_close(&rig);
}

// Two people give up at once, and one of them goes; another folder is closed. The other one's
// request goes on.
static void test_two_at_once(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t number;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    struct version v = back(peer, "a");
    const struct engine_folder other = {.name = "g", .path = "/g", .id = {{0x81}}};
    assert_int_equal(engine_folder_put(rig.engine, &other, &number), ERR_OK);
    struct slice paths[] = {slice_text("a")};
    const struct abandon_request request = {.folder = "f", .paths = paths, .count = 1, .now = true};
    engine_abandon(rig.engine, 5, &request);
    engine_abandon(rig.engine, 6, &request);
    engine_abandon_cancel(rig.engine, 99);
    engine_abandon_cancel(rig.engine, 5);
    engine_folder_remove(rig.engine, "g");
    rig_settle(&rig);
    assert_int_equal(rig.abandoned, 0);
    answer_audit(peer, &v, 1); // of the first
    alive(peer, 2);
    answer_audit(peer, &v, 1);
    rig_wait(&rig, 200);
    refuse_wants(peer);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandoned, 6);
    assert_true(rig.abandon.err == ERR_OK && rig.abandon.count == 1);
    rig_close(&rig);
}

// The disk goes while the peers are asked: what is on it cannot be published in the place of what
// is given up.
static void test_the_disk_goes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", "old");
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    rig_wait(&rig, 100);
    assert_int_equal(rig.abandoned, 0);
    rig.away = true;
    engine_watch(rig.engine, rig.folder, ENGINE_ROOT, slice_text(""));
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandoned, 1);
    assert_int_equal(rig.abandon.err, ERR_UNREACHABLE);
    assert_true(says(&rig_item(&rig, "a").heads[0], "lost"));
    rig_close(&rig);
}

// What a person saves at the path while it is being given up is what stays.
static void test_saved_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", "old");
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    rig.held = 1U << JOB_LOOK;
    rig_write(&rig, "a", "new");
    rig_wait(&rig, 200);
    refuse_wants(peer);
    alive(peer, 62);
    assert_int_equal(rig.abandoned, 1);
    assert_true(rig.abandon.err == ERR_OK && rig.abandon.count == 0 && rig.abandon.unsure == 1);
    assert_true(says(&rig_item(&rig, "a").heads[0], "lost"));
    rig.held = 0;
    rig_wait(&rig, 1000);
    assert_true(shows(&rig, "a", "new"));
    assert_int_equal(rig_item(&rig, "a").head_count, 2);
    go(peer);
    (void)abandon(&rig, "a", true);
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "new") && shows(&rig, "a", "new"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_for_a_week),
        cmocka_unit_test(test_ended_meanwhile),
        cmocka_unit_test(test_what_waits_for_nothing),
        cmocka_unit_test(test_what_is_on_disk),
        cmocka_unit_test(test_nobody_has_it),
        cmocka_unit_test(test_a_holder_turns_up),
        cmocka_unit_test(test_who_does_not_compare),
        cmocka_unit_test(test_who_does_not_answer),
        cmocka_unit_test(test_another_comes),
        cmocka_unit_test(test_the_client_goes),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_the_disk_goes),
        cmocka_unit_test(test_saved_meanwhile),
        cmocka_unit_test(test_two_give_up),
        cmocka_unit_test(test_nothing_there_loses),
        cmocka_unit_test(test_an_edit_comes_back),
        cmocka_unit_test(test_what_lives_beside_it),
        cmocka_unit_test(test_two_of_one_path),
        cmocka_unit_test(test_made_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
