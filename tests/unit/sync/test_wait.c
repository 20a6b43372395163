// SPDX-License-Identifier: MIT
//
// `sync` and `sync --wait`: when they end, and what they say then.
#include "agent/core/job.h"
#include "tests/unit/sync/wait_test.h"

static void test_all_well(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    ask(&rig, true);
    answer(peer);
    ended(&rig, 0, "");
    ask(&rig, false);
    answer(peer);
    ended(&rig, 0, "");
    rig_write(&rig, "x", "X");
    ask(&rig, true);
    answer(peer);
    assert_int_equal(rig.synced, 0); // it has not said that x is on its disk
    script_applied(peer, store_k(rig.store, rig.arena, rig.folder), NULL, NULL);
    rig_settle(&rig);
    ended(&rig, 0, "");
    rig_close(&rig);
}

// What the peer has said of its disk got lost: it is asked, and told what makes it say that, again.
static void test_lost_word(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    const struct sync_request request = {.folder = "f", .wait = true, .timeout_ms = 60 * 1000};
    rig_write(&rig, "x", "X");
    engine_sync(rig.engine, TICKET, &request);
    answer(peer);
    uint32_t offers = script_heard(peer, MSG_OFFER), pulls = script_heard(peer, MSG_PULL);
    for (int second = 0; second < 30; second++) {
        rig_wait(&rig, 1000);
        (void)script_answer(peer, NULL, 0, NULL, 0);
    }
    assert_int_equal(rig.synced, 0);
    assert_in_range(script_heard(peer, MSG_OFFER), offers + 1, offers + 4);
    assert_true(script_heard(peer, MSG_PULL) > pulls);
    script_applied(peer, store_k(rig.store, rig.arena, rig.folder), NULL, NULL);
    answer(peer);
    ended(&rig, 0, "");
    rig_close(&rig);
}

static void test_nobody_is_there(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    script_down(peer);
    ask(&rig, false);
    ended(&rig, 0, "");
    ask(&rig, true);
    rig_wait(&rig, TIMEOUT_MS - 1);
    assert_int_equal(rig.synced, 0);
    rig_wait(&rig, 1);
    ended(&rig, 4, "! f: peer3 is not connected\n");
    rig_close(&rig);
}

static void test_silent(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    rig_write(&rig, "x", "X");
    ask(&rig, true);
    rig_wait(&rig, TIMEOUT_MS);
    ended(&rig, 4, "! f: peer3 has not finished in time (0 changes to go there, 0 here)\n");
    ask(&rig, false);
    rig_wait(&rig, TIMEOUT_MS);
    assert_int_equal(rig.sync_exit, 4);
    // It goes and comes again: it is asked in the new session.
    ask(&rig, true);
    uint32_t asked = script_heard(peer, MSG_PING);
    script_down(peer);
    rig_settle(&rig);
    peer->answered = peer->heard_count;
    script_reconnect(peer);
    script_offer(peer, (struct vv){0});
    answer(peer);
    assert_true(script_heard(peer, MSG_PING) > asked);
    script_applied(peer, store_k(rig.store, rig.arena, rig.folder), NULL, NULL);
    rig_settle(&rig);
    ended(&rig, 0, "");
    rig_close(&rig);
}

static void test_no_such_folder(void **state)
{
    (void)state;
    struct rig rig;
    const struct sync_request request = {.folder = "g", .wait = true, .timeout_ms = TIMEOUT_MS};
    (void)open_joined(&rig);
    engine_sync(rig.engine, TICKET, &request);
    ended(&rig, 1, "! g: there is no such folder\n");
    rig_close(&rig);
}

static void test_one_peer(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    (void)script_connect(&rig, 4); // says nothing
    struct sync_request request = {.wait = true, .timeout_ms = TIMEOUT_MS, .has_peer = true};
    request.peer = peer->device;
    engine_sync(rig.engine, TICKET, &request);
    answer(peer);
    ended(&rig, 0, "");
    rig_close(&rig);
}

static void test_paused(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    engine_folder_pause(rig.engine, "f", true);
    ask(&rig, true);
    ended(&rig, 4, "! f: paused with peer3: cfgsync-agent resume\n");
    ask(&rig, false);
    ended(&rig, 0, "f: paused with peer3: cfgsync-agent resume\n");
    engine_folder_pause(rig.engine, "f", false);
    rig_settle(&rig);
    script_offer_as(peer, rig.id, true, OFFER_PAUSED, (struct vv){0});
    ask(&rig, false);
    ended(&rig, 0, "");
    ask(&rig, true);
    pong(peer);
    rig_wait(&rig, TIMEOUT_MS);
    ended(&rig, 4, "! f: paused on peer3\n");
    rig_close(&rig);
}

static void test_not_carried(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    ask(&rig, true);
    rig_settle(&rig);
    assert_int_equal(rig.synced, 0); // perhaps its offer is on its way
    pong(peer);
    ended(&rig, 0, "f: peer3 does not carry this folder\n");
    rig_close(&rig);
}

static void test_another_folder(void **state)
{
    (void)state;
    struct rig rig;
    static const struct folder_id other = {{0x90}};
    rig_open(&rig);
    rig_write(&rig, "x", "X");
    rig_wait(&rig, 1000);
    struct script *peer = script_connect(&rig, 3);
    script_offer_as(peer, other, true, OFFER_READY, (struct vv){0});
    rig_settle(&rig);
    ask(&rig, false);
    ended(&rig, 5, "! f: join-pending with peer3: cfgsync-agent folder accept f --from peer3\n");
    struct folder_status status = rig_status(&rig);
    assert_string_equal(status.code, "join-pending");
    assert_non_null(strstr(error_of(&status, "join-pending")->message, "peer3 has another"));
    struct plan plan;
    assert_true(engine_plan(rig.engine, rig.arena, "f", &plan));
    assert_int_equal(plan.peer_count, 1);
    assert_true(plan.peers[0].pending);
    assert_string_equal(why(&rig, "x").peers[0].share, "join-pending");
    rig_close(&rig);
}

static void test_not_looked_at(void **state)
{
    (void)state;
    struct rig rig;
    const struct sync_request request = {.wait = true, .timeout_ms = 5000, .unwatched = true};
    (void)open_joined(&rig);
    rig.held = 1u << JOB_SCAN;
    engine_sync(rig.engine, TICKET, &request);
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_SCAN), 1);
    rig_wait(&rig, TIMEOUT_MS);
    ended(&rig, 4, "! what is on this disk was not looked at in time\n");
    rig.held = 0;
    rig_close(&rig);
}

static void test_cancelled(void **state)
{
    (void)state;
    struct rig rig;
    (void)open_joined(&rig);
    ask(&rig, true);
    const struct sync_request request = {.wait = true, .timeout_ms = TIMEOUT_MS};
    engine_sync(rig.engine, 8, &request);
    engine_sync_cancel(rig.engine, 99);
    engine_sync_cancel(rig.engine, TICKET);
    rig_wait(&rig, TIMEOUT_MS);
    assert_int_equal(rig.synced, 8);
    ask(&rig, true); // and the process ends
    rig_close(&rig);
    assert_int_equal(rig.synced, 0);
}

// The peer is removed while it is waited for, or the folder.
static void test_removed(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    rig_write(&rig, "x", "X");
    ask(&rig, true);
    rig_wait(&rig, 100);
    engine_peer_remove(rig.engine, peer->device);
    rig_settle(&rig);
    ended(&rig, 0, ""); // nothing has to come there any more
    rig_close(&rig);

    (void)open_joined(&rig);
    ask(&rig, true);
    rig.held = 1u << JOB_SCAN;
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_settle(&rig);
    engine_folder_remove(rig.engine, "f");
    rig_settle(&rig);
    ended(&rig, 1, "! f: there is no such folder\n");
    rig.held = 0;
    rig_close(&rig);
}

static bool never_puts(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++) {
        job->apply.steps[i].result = STEP_BLOCKED;
        job->apply.steps[i].blocked = BLOCKED_NAME_TOO_LONG;
    }
    return true;
}

// All that cannot be put in place here is named; that a peer is not there is worse.
static void test_blocked_here(void **state)
{
    (void)state;
    static struct rig rig;
    static struct version versions[20];
    struct script *peer = open_joined(&rig);
    rig.instead = never_puts;
    for (int i = 0; i < 20; i++) {
        char path[8];
        (void)snprintf(path, sizeof path, "p%02d", i);
        versions[i] = script_file(peer, path, "t");
    }
    script_push(peer, 0, versions, 20, "t");
    rig_wait(&rig, 1000);
    (void)script_connect(&rig, 4);
    ask(&rig, true);
    answer(peer);
    script_applied(peer, store_k(rig.store, rig.arena, rig.folder), NULL, NULL);
    rig_wait(&rig, TIMEOUT_MS);
    assert_int_equal(rig.synced, TICKET);
    assert_int_equal(rig.sync_exit, 4);
    assert_non_null(strstr(rig.sync_said, "! p00: cannot be put here: name-too-long\n"));
    assert_non_null(strstr(rig.sync_said, "! p19: cannot be put here: name-too-long\n"));
    assert_non_null(strstr(rig.sync_said, "! f: peer4 has not finished in time"));
    rig_close(&rig);
}

// What a rule leaves out, here or there, nobody waits for.
static void test_left_out(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    rig.left_out = "theirs";
    struct version v = script_file(peer, "theirs", "t");
    script_push(peer, 0, &v, 1, "t");
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "theirs").blocked, BLOCKED_IGNORED);
    script_applied(peer, store_k(rig.store, rig.arena, rig.folder), "mine", "ignored");
    ask(&rig, true);
    answer(peer);
    ended(&rig, 0, "");
    rig_close(&rig);
}

static bool puts_no_z(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_APPLY || !slice_equal(job->apply.steps[0].path, slice_text("z")))
        return false;
    return never_puts(rig, job);
}

// However much of that there is, what cannot be put in place is named.
static void test_blocked_behind_what_is_left_out(void **state)
{
    (void)state;
    static struct rig rig;
    static struct version versions[300];
    struct script *peer = open_joined(&rig);
    rig.left_out = "a";
    rig.instead = puts_no_z;
    for (int i = 0; i < 299; i++)
        versions[i] = script_file(peer, arena_printf(rig.arena, "a/%03d", i), "t");
    versions[299] = script_file(peer, "z", "t");
    script_push(peer, 0, versions, 300, "t");
    rig_wait(&rig, 1000);
    ask(&rig, true);
    answer(peer);
    script_applied(peer, store_k(rig.store, rig.arena, rig.folder), NULL, NULL);
    rig_wait(&rig, TIMEOUT_MS);
    ended(&rig, 1, "! z: cannot be put here: name-too-long\n");
    assert_int_equal(rig_status(&rig).blocked, 1);
    const struct msg_applied *said = &script_last(peer, MSG_APPLIED)->applied;
    assert_true(slice_equal(said->blocked[0].path, slice_text("z")));
    rig_close(&rig);
}

// Another life counts from nothing; what was saved in the one before has not arrived for that.
static void test_saved_in_another_life(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_joined(&rig);
    rig_write(&rig, "x", "X");
    rig_wait(&rig, 1000);
    rig.witness[0] ^= 1;
    rig_restart(&rig);
    engine_peer_put(rig.engine, peer->device, "again");
    script_reconnect(peer);
    script_offer(peer, (struct vv){0});
    rig_wait(&rig, 1000);
    ask(&rig, true);
    answer(peer);
    assert_int_equal(rig.synced, 0);
    script_applied(peer, store_k(rig.store, rig.arena, rig.folder), NULL, NULL);
    rig_settle(&rig);
    ended(&rig, 0, "");
    rig_close(&rig);
}

// Of two peers one cannot take it, the other is away. Whoever is named first: that it did not end
// in time is what the exit code says.
static void test_blocked_there_and_late(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct rig rig;
        rig_open(&rig);
        struct script *peers[] = {script_connect(&rig, 3), script_connect(&rig, 4)};
        for (int i = 0; i < 2; i++)
            script_offer(peers[i], (struct vv){0});
        rig_write(&rig, "mine", "m");
        rig_wait(&rig, 1000);
        struct script *takes = peers[which];
        ask(&rig, true);
        for (int turn = 0; turn < 10; turn++) {
            rig_wait(&rig, 100);
            (void)script_answer(takes, NULL, 0, NULL, 0);
        }
        script_applied(takes, store_k(rig.store, rig.arena, rig.folder), "mine", "no-space");
        rig_wait(&rig, TIMEOUT_MS);
        assert_int_equal(rig.synced, TICKET);
        assert_int_equal(rig.sync_exit, 4);
        assert_non_null(strstr(rig.sync_said, "cannot take it: no-space\n"));
        assert_non_null(strstr(rig.sync_said, "has not finished in time"));
        rig_close(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_well),
        cmocka_unit_test(test_lost_word),
        cmocka_unit_test(test_nobody_is_there),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_no_such_folder),
        cmocka_unit_test(test_one_peer),
        cmocka_unit_test(test_paused),
        cmocka_unit_test(test_not_carried),
        cmocka_unit_test(test_another_folder),
        cmocka_unit_test(test_not_looked_at),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_blocked_here),
        cmocka_unit_test(test_blocked_behind_what_is_left_out),
        cmocka_unit_test(test_saved_in_another_life),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_blocked_there_and_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
