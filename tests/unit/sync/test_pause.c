// SPDX-License-Identifier: MIT
//
// Pauses: nothing is exchanged, nothing is lost, and it goes on where it was.
#include "tests/unit/sync/rig.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static enum offer_state told(const struct script *peer)
{
    return script_last(peer, MSG_OFFER)->offer.state;
}

static void pause_all(struct rig *rig, bool paused)
{
    engine_pause(rig->engine, paused);
}

static void pause_folder(struct rig *rig, bool paused)
{
    engine_folder_pause(rig->engine, "f", paused);
}

static void pause_peer(struct rig *rig, bool paused)
{
    engine_peer_pause(rig->engine, rig->scripts[0]->device, paused);
}

typedef void pause_one(struct rig *rig, bool paused);

static void check_pause(pause_one *pause, bool others_too, bool whole)
{
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3), *other = script_connect(&rig, 4);
    script_offer(peer, (struct vv){0});
    script_offer(other, (struct vv){0});
    rig_settle(&rig);
    pause(&rig, true);
    assert_int_equal(told(peer), OFFER_PAUSED);
    assert_int_equal(told(other), others_too ? OFFER_PAUSED : OFFER_READY);
    assert_int_equal(rig_status(&rig).state, whole ? FOLDER_PAUSED : FOLDER_SYNCED);

    uint32_t heard = script_heard(peer, MSG_PUSH), others = script_heard(other, MSG_PUSH);
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "mine").head_count, 1); // noted,
    assert_int_equal(script_heard(peer, MSG_PUSH), heard);  // and not told
    assert_int_equal(script_heard(other, MSG_PUSH), others + (others_too ? 0 : 1));
    struct version theirs = script_file(peer, "theirs", "t");
    script_push(peer, 0, &theirs, 1, "t"); // on its way when we paused
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "theirs").head_count, 0);
    assert_false(script_is_cut(peer));

    // It shows what it has while we pause, and is told again.
    script_offer(peer, vv_set(rig.arena, (struct vv){0}, (struct dot){peer->inc, peer->counter}));
    assert_int_equal(told(peer), OFFER_PAUSED);
    assert_int_equal(script_heard(peer, MSG_PULL), 0);

    pause(&rig, false);
    assert_int_equal(told(peer), OFFER_READY);
    script_offer(peer, (struct vv){0}); // an honest one answers
    rig_wait(&rig, 1000);
    assert_int_equal(script_heard(peer, MSG_PUSH), heard + 1);
    script_push(peer, 0, &theirs, 1, "t");
    rig_wait(&rig, 1000);
    assert_true(rig_on_disk(&rig, "theirs"));
    rig_close(&rig);
}

static void test_everything(void **state)
{
    (void)state;
    check_pause(pause_all, true, true);
}

static void test_a_folder(void **state)
{
    (void)state;
    check_pause(pause_folder, true, true);
}

static void test_a_peer(void **state)
{
    (void)state;
    check_pause(pause_peer, false, false);
}

// Two of them overlap: what one of them pauses is paused.
static void test_both(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    pause_all(&rig, true);
    pause_peer(&rig, true);
    pause_all(&rig, false);
    assert_int_equal(told(peer), OFFER_PAUSED);
    pause_peer(&rig, false);
    assert_int_equal(told(peer), OFFER_READY);
    rig_close(&rig);
}

// Who comes while we pause is told so at once.
static void test_who_comes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    pause_folder(&rig, true);
    struct script *peer = script_connect(&rig, 3);
    rig_settle(&rig);
    assert_int_equal(told(peer), OFFER_PAUSED);
    rig_close(&rig);
}

// A content that was asked for is asked for again when it goes on.
static void test_a_transfer(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version file = script_file(peer, "a", "text");
    script_push(peer, 0, &file, 1, NULL);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_WANT), 1);
    pause_all(&rig, true);
    rig_wait(&rig, 45 * 1000);
    assert_int_equal(script_heard(peer, MSG_WANT), 1);
    pause_all(&rig, false);
    script_offer(peer, vv_set(rig.arena, (struct vv){0}, (struct dot){peer->inc, peer->counter}));
    rig_wait(&rig, 1000);
    assert_int_equal(script_heard(peer, MSG_WANT), 2);
    rig_close(&rig);
}

// The other side pauses. It has not got our deletion meanwhile, so that is not forgotten; and what
// it alone has does not count as lost.
static void test_paused_there(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct version file = script_file(peer, "a", "text"), gone = script_file(peer, "b", "x");
    script_offer(peer, (struct vv){0});
    peer->counter = 1;
    script_push(peer, 0, &file, 1, NULL);
    peer->counter = 2;
    script_push(peer, 1, &gone, 1, "x");
    rig_wait(&rig, 1000);
    script_offer_as(peer, rig.id, true, OFFER_PAUSED, (struct vv){0});
    rig_write(&rig, "b", NULL);
    rig_wait(&rig, 1000);
    for (int day = 0; day < 40; day++)
        rig_wait(&rig, DAY_MS);
    assert_int_equal(rig_item(&rig, "b").heads[0].value.kind, KIND_TOMB);
    script_reconnect(peer);
    script_offer_as(peer, rig.id, true, OFFER_PAUSED, (struct vv){0});
    const struct slice path = slice_text("a");
    struct abandon_request request = {.folder = "f", .paths = &path, .count = 1, .now = true};
    engine_abandon(rig.engine, 7, &request);
    for (int i = 0; i < 20; i++) {
        rig_wait(&rig, 10 * 1000);
        (void)script_answer(peer, NULL, 0, NULL, 0); // that it lives
    }
    assert_int_equal(rig.abandoned, 7);
    assert_int_equal(rig.abandon.count, 0); // nothing was given up
    assert_int_equal(rig.abandon.unsure, 1);
    struct engine_status status;
    engine_status(rig.engine, rig.arena, &status);
    assert_string_equal(status.peers[0].folders[0].state, "paused-there");
    rig_close(&rig);
}

static void check_its_deletions_stay(bool paused_here, enum offer_state theirs)
{
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "x");
    rig_settle(&rig);
    rig_write(&rig, "a", NULL);
    rig_wait(&rig, 1000);
    pause_all(&rig, paused_here);
    struct script *peer = script_connect(&rig, 3);
    script_offer_as(peer, rig.id, true, theirs, (struct vv){0});
    rig_settle(&rig);
    assert_true(script_answer(peer, NULL, 0, NULL, 0)); // a PONG: it has said all its folders
    for (int day = 0; day < 40; day++)
        rig_wait(&rig, DAY_MS);
    assert_int_equal(rig_item(&rig, "a").head_count, 1);
    rig_close(&rig);
}

// Two who have never exchanged anything, since one of them pauses: both have the folder.
static void test_never_met(void **state)
{
    (void)state;
    check_its_deletions_stay(false, OFFER_PAUSED);
    check_its_deletions_stay(true, OFFER_READY);
}

// Asked for again, or of what is not there, nothing is said to anybody.
static void test_nothing_to_pause(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_settle(&rig);
    uint32_t heard = script_heard(peer, MSG_OFFER);
    const struct device_id nobody = {{1}};
    pause_all(&rig, false);
    pause_folder(&rig, false);
    pause_peer(&rig, false);
    engine_folder_pause(rig.engine, "g", true);
    engine_peer_pause(rig.engine, nobody, true);
    assert_int_equal(script_heard(peer, MSG_OFFER), heard);
    // A folder that is not shared with it is none of its business.
    const struct engine_folder unshared = {.name = "f", .path = "/f"};
    uint32_t number;
    assert_int_equal(engine_folder_put(rig.engine, &unshared, &number), ERR_OK);
    heard = script_heard(peer, MSG_OFFER);
    pause_folder(&rig, true);
    assert_int_equal(script_heard(peer, MSG_OFFER), heard);
    assert_int_equal(rig_status(&rig).state, FOLDER_PAUSED);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_pause),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_a_folder),
        cmocka_unit_test(test_a_peer),
        cmocka_unit_test(test_both),
        cmocka_unit_test(test_who_comes),
        cmocka_unit_test(test_a_transfer),
        cmocka_unit_test(test_paused_there),
        cmocka_unit_test(test_never_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
