// SPDX-License-Identifier: MIT
//
// Sessions: of two between the same agents either side may use another for a while.
#include "tests/unit/sync/rig.h"

// What was heard last of this kind: its place among all that was heard, from 1. 0: never.
static uint32_t place_of(const struct script *script, enum message_kind kind)
{
    for (uint32_t i = script->heard_count; i-- > 0;) {
        if (script->heard[i]->kind == kind) return i + 1;
    }
    return 0;
}

// Its bulk lane has not come: the script has it in use, the agent has not.
static void test_a_pong_follows_the_offers(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 1);
    rig_settle(&rig);
    uint32_t before = peer->heard_count;
    script_open(peer, LANE_CONTROL, 4711);
    struct message ping = {.kind = MSG_PING, .ping = {.token = 7}};
    script_send(peer, LANE_CONTROL, &ping);
    uint32_t offer = place_of(peer, MSG_OFFER), pong = place_of(peer, MSG_PONG);
    assert_int_equal(script_last(peer, MSG_PONG)->ping.token, 7);
    assert_true(pong > before);
    assert_in_range(offer, before + 1, pong);
    rig_close(&rig);
}

// `a` says what is on the script's disk or blocked there.
static void offer_with(struct script *script, struct vv a)
{
    struct message m = {.kind = MSG_OFFER};
    m.offer.folder = script->rig->id;
    m.offer.name = slice_text("f");
    m.offer.state = OFFER_READY;
    m.offer.has_items = true;
    m.offer.inc = script->inc;
    memcpy(m.offer.nonce, script->nonce, sizeof m.offer.nonce);
    m.offer.k = m.offer.a = a;
    m.offer.heard = true;
    struct mark mark = script_mark(script, script->counter);
    m.offer.marks = (struct marks){&mark, 1};
    script_send(script, LANE_CONTROL, &m);
}

// A new session begins with an OFFER whose A covers what is blocked there; what that is, is said
// after it.
static void test_sync_wait_hears_of_what_is_blocked(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 1);
    struct version theirs = script_file(peer, "y", "Y");
    const char *text = "Y";
    struct dot dot = {peer->inc, peer->counter};
    script_offer(peer, (struct vv){&dot, 1});
    rig_write(&rig, "x", "X");
    for (int i = 0; i < 10; i++) {
        rig_wait(&rig, 500);
        (void)script_answer(peer, &theirs, 1, &text, 1);
    }
    struct vv own = store_k(rig.store, rig.arena, rig.folder);
    struct sync_request request = {.wait = true, .timeout_ms = 60000};
    engine_sync(rig.engine, 7, &request);
    offer_with(peer, own);
    for (int i = 0; i < 10; i++) {
        rig_wait(&rig, 500);
        (void)script_answer(peer, &theirs, 1, &text, 1);
    }
    assert_int_equal(rig.synced, 0);
    script_applied(peer, own, "x", "file-type");
    rig_wait(&rig, 500);
    assert_int_equal(rig.synced, 7);
    assert_int_equal(rig.sync_exit, 1);
    rig_close(&rig);
}

// A newer session, that is used from now on.
static void move_on(struct script *peer)
{
    script_open(peer, LANE_CONTROL, 4711);
    script_open(peer, LANE_BULK, 4711);
    struct dot k = {peer->inc, peer->counter};
    script_offer(peer, (struct vv){&k, peer->counter > 0 ? 1 : 0});
    rig_settle(peer->rig);
}

// What it says goes into the session that `older` was of.
static void speak_in(struct script *script, const struct script *older)
{
    memcpy(script->conns, older->conns, sizeof script->conns);
    memcpy(script->lanes, older->lanes, sizeof script->lanes);
}

// It has dialled once more, to be nearer: that session is used from now on, and what was asked for
// in the one before still comes there.
static void test_contents_outlive_a_move(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 1);
    script_offer(peer, (struct vv){0});
    struct version theirs = script_file(peer, "y", "Y");
    script_push(peer, 0, &theirs, 1, NULL);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_WANT), 1);

    const struct script older = *peer;
    move_on(peer);
    assert_int_equal(script_heard(peer, MSG_WANT), 1);
    assert_false(rig_on_disk(&rig, "y"));

    uint32_t news = script_heard(peer, MSG_PUSH);
    rig_write(&rig, "x", "X");
    rig_wait(&rig, RIG_NEW_QUIET_MS);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_PUSH), news + 1); // the script hears the new one alone

    speak_in(peer, &older);
    struct content content = value_content(&theirs.value);
    struct message pack = {.kind = MSG_PACK, .pack = {.folder = rig.id, .contents = &content}};
    pack.pack.count = 1;
    pack.pack.bytes = slice_text("Y");
    script_send(peer, LANE_BULK, &pack);
    rig_settle(&rig);
    assert_true(rig_on_disk(&rig, "y"));
    rig_close(&rig);
}

// The newer session is dead here, and the other side uses it still. What it says in the older one
// is taken when its OFFER has come: this one has to call for that.
static void test_an_offer_before_all_else(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 1);
    script_offer(peer, (struct vv){0});
    rig_settle(&rig);
    const struct script older = *peer;
    move_on(peer);
    assert_true(script_last(peer, MSG_OFFER)->offer.heard);
    const struct script newer = *peer;
    speak_in(peer, &older);
    script_down(&newer);
    assert_false(script_last(peer, MSG_OFFER)->offer.heard);
    rig_close(&rig);
}

static void share_with(struct rig *rig, const struct device_id *devices, uint32_t count)
{
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .with = devices, .with_count = count};
    uint32_t number;
    assert_int_equal(engine_folder_put(rig->engine, &folder, &number), ERR_OK);
    rig_settle(rig);
}

// What was under way when the folder was no longer shared does not keep the next from beginning.
static void test_shared_again_within_a_round(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 1);
    struct dot k = {peer->inc, peer->counter = 9};
    for (uint32_t round = 1; round <= 2; round++) {
        share_with(&rig, &peer->device, 1);
        script_offer(peer, (struct vv){&k, 1});
        rig_settle(&rig);
        assert_int_equal(script_heard(peer, MSG_PULL), round);
        share_with(&rig, NULL, 0);
    }
    rig_close(&rig);
}

// The other side may use a session before all that opens it for us has come.
static void test_contents_wait_for_the_bulk_lane(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "x", "X");
    rig_wait(&rig, RIG_NEW_QUIET_MS);
    rig_settle(&rig);
    struct script *peer = script_connect(&rig, 1);
    script_dialled_half(peer, CONN_DIALLED);
    script_offer(peer, (struct vv){0});
    struct value value = rig_item(&rig, "x").local.version.value;
    struct content content = value_content(&value);
    struct message want = {.kind = MSG_WANT, .want = {.folder = rig.id, .ids = &content}};
    want.want.id_count = 1;
    rig.held = 1u << JOB_READ;
    script_send(peer, LANE_CONTROL, &want);
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_READ), 0);

    script_dialled_rest(peer);
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_READ), 1);

    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pong_follows_the_offers),
        cmocka_unit_test(test_sync_wait_hears_of_what_is_blocked),
        cmocka_unit_test(test_contents_outlive_a_move),
        cmocka_unit_test(test_an_offer_before_all_else),
        cmocka_unit_test(test_shared_again_within_a_round),
        cmocka_unit_test(test_contents_wait_for_the_bulk_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
