// SPDX-License-Identifier: MIT
//
// How sessions begin and end: another process of the same device, refusals, silence.
#include "tests/unit/sync/rig.h"

enum { PROBE_MS = 2000, DOOMED_MS = 500, PING_EVERY_MS = 30 * 1000 };

static struct engine_status status(struct rig *rig)
{
    struct engine_status out;
    engine_status(rig->engine, rig->arena, &out);
    return out;
}

// To all that it was asked since the last time.
static void pong(struct script *script)
{
    for (; script->answered < script->heard_count; script->answered++) {
        const struct message *asked = script->heard[script->answered];
        struct message m = {.kind = MSG_PONG, .ping = asked->ping};
        m.ping.wall_ms += 5000;
        if (asked->kind == MSG_PING) script_send(script, LANE_CONTROL, &m);
    }
}

static void wait_answering(struct script *script, int64_t ms)
{
    for (int64_t waited = 0; waited < ms; waited += 20 * 1000) {
        rig_wait(script->rig, 20 * 1000);
        pong(script);
    }
}

static uint64_t own_inc(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.inc;
}

// Two processes of one device: the second comes while the first is connected.
static void open_two(struct rig *rig, struct script **first, struct script **second)
{
    rig_open(rig);
    *first = script_connect(rig, 3);
    script_offer(*first, (struct vv){0});
    rig_wait(rig, 1000);
    *second = script_connect(rig, 3);
    assert_int_equal(script_heard(*second, MSG_HELLO), 0); // it waits
}

static void test_the_first_lives(void **state)
{
    (void)state;
    struct rig rig;
    struct script *first, *second;
    open_two(&rig, &first, &second);
    pong(first);
    rig_settle(&rig);
    assert_int_equal(script_last(second, MSG_BYE)->bye.code, BYE_CLONE);
    assert_false(second->cut[LANE_CONTROL]);
    rig_wait(&rig, DOOMED_MS);
    assert_true(script_is_cut(second));
    assert_false(script_is_cut(first));
    assert_int_equal(status(&rig).error_count, 0); // it may have died since
    // Who says that it has read so lives.
    second->features = PROTO_FEATURE_REFUSED;
    for (int i = 0; i < 3; i++) {
        script_open(second, LANE_CONTROL, 4000 + (uint64_t)i);
        pong(first);
        rig_wait(&rig, 1000);
        assert_int_equal(script_last(second, MSG_BYE)->bye.code, BYE_CLONE);
    }
    const struct message *bye = script_last(second, MSG_BYE);
    assert_true(bye->bye.text.size > 0);
    struct engine_status now = status(&rig);
    assert_int_equal(now.error_count, 1);
    assert_string_equal(now.errors[0].code, "clone");
    assert_non_null(strstr(now.errors[0].message, "peer3 runs twice: at tcp://script"));
    assert_true(rig_logged("a device runs twice"));
    rig_log_clear();
    // It is said again while it goes on, not each time; and not for ever.
    wait_answering(first, 80 * 1000);
    script_open(second, LANE_CONTROL, 5000);
    pong(first);
    rig_settle(&rig);
    assert_true(rig_logged("a device runs twice"));
    wait_answering(first, 360 * 1000);
    assert_int_equal(status(&rig).error_count, 0);
    assert_false(script_is_cut(first));
    rig_close(&rig);
}

static void test_the_first_is_dead(void **state)
{
    (void)state;
    struct rig rig;
    struct script *first, *second;
    open_two(&rig, &first, &second);
    rig_wait(&rig, PROBE_MS);
    assert_int_equal(script_last(first, MSG_BYE)->bye.code, BYE_REPLACED);
    assert_true(script_is_cut(first));
    assert_int_equal(script_heard(second, MSG_HELLO), 2);
    script_offer(second, (struct vv){0});
    assert_true(engine_connected(rig.engine, second->device));
    assert_int_equal(status(&rig).error_count, 0);
    rig_close(&rig);
}

static void test_the_first_goes(void **state)
{
    (void)state;
    struct rig rig;
    struct script *first, *second;
    open_two(&rig, &first, &second);
    script_down(first);
    rig_settle(&rig); // nobody needs to be waited for
    assert_int_equal(script_heard(second, MSG_HELLO), 2);
    assert_true(engine_connected(rig.engine, second->device));
    rig_close(&rig);
}

static void test_the_second_goes(void **state)
{
    (void)state;
    struct rig rig;
    struct script *first, *second;
    open_two(&rig, &first, &second);
    struct message bye = {.kind = MSG_BYE, .bye = {.code = BYE_STOPPING}};
    script_send(second, LANE_CONTROL, &bye);
    script_down(second);
    rig_wait(&rig, PROBE_MS);
    assert_false(script_is_cut(first));
    assert_true(engine_connected(rig.engine, first->device));
    rig_close(&rig);
}

// We have dialled the second one: it is open for its other side before the first one was asked.
static void test_dialled_while_the_first_lives(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *first = script_connect(&rig, 3);
    struct script *second = script_connect(&rig, 3);
    rig_wait(&rig, PROBE_MS + DOOMED_MS);
    script_reconnect(first);
    rig_wait(&rig, PROBE_MS + DOOMED_MS); // the second does not answer, either
    assert_true(engine_connected(rig.engine, first->device));
    script_dialled(second, CONN_DIALLED);
    pong(first);
    rig_wait(&rig, DOOMED_MS);
    assert_true(script_is_cut(second));
    assert_false(script_is_cut(first));
    // And now it is dead: what was dialled begins once more.
    second->boot++;
    script_dialled(second, CONN_DIALLED_NEAR);
    rig_wait(&rig, PROBE_MS);
    assert_true(script_is_cut(second));
    assert_true(script_is_cut(first));
    script_dialled(second, CONN_DIALLED_NEAR);
    rig_settle(&rig);
    assert_true(engine_connected(rig.engine, second->device));
    const struct engine_status now = status(&rig);
    assert_true(now.peers[0].dialled && now.peers[0].near);
    rig_close(&rig);
}

// A peer says that this device runs twice: what is made here from now on is of another life. Once
// a day, for it is no proof.
static void test_we_run_twice(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "x", "X");
    rig_wait(&rig, 1000);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_wait(&rig, 1000);
    uint64_t before = own_inc(&rig);
    struct message bye = {.kind = MSG_BYE, .bye = {.code = BYE_CLONE}};
    bye.bye.text = slice_text("at one place and at another");
    script_send(peer, LANE_CONTROL, &bye);
    rig_wait(&rig, 1000);
    assert_true(script_is_cut(peer));
    uint64_t after = own_inc(&rig);
    assert_int_not_equal(after, before);
    struct engine_status now = status(&rig);
    assert_int_equal(now.error_count, 1);
    assert_string_equal(now.errors[0].message,
                        "refused by peer3, because this device runs twice: at one place and at "
                        "another");
    script_reconnect(peer);
    bye.bye.text = slice_text("");
    script_send(peer, LANE_CONTROL, &bye);
    rig_wait(&rig, 1000);
    assert_int_equal(own_inc(&rig), after);
    assert_string_equal(status(&rig).errors[0].message,
                        "refused by peer3, because this device runs twice: ");
    // It hears that we have read it, until it takes us back.
    script_reconnect(peer);
    assert_true(script_last(peer, MSG_HELLO)->hello.features & PROTO_FEATURE_REFUSED);
    script_down(peer);
    script_reconnect(peer);
    assert_false(script_last(peer, MSG_HELLO)->hello.features & PROTO_FEATURE_REFUSED);
    rig_close(&rig);
}

static void test_another_version(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct message bye = {.kind = MSG_BYE, .bye = {.code = BYE_VERSION}};
    assert_false(status(&rig).peers[0].version_differs);
    script_send(peer, LANE_CONTROL, &bye);
    assert_true(status(&rig).peers[0].version_differs);
    script_reconnect(peer);
    assert_false(status(&rig).peers[0].version_differs);
    script_down(peer);
    // The same in a HELLO.
    struct message hello = {.kind = MSG_HELLO};
    hello.hello.protocol = PROTO_VERSION + 1;
    hello.hello.program = hello.hello.name = slice_text("script");
    uint64_t conn = ++rig.last_conn;
    struct lane_state lane;
    lane_init(&lane, LANE_CONTROL, true, 9000);
    engine_conn_up(rig.engine, conn, peer->device, CONN_ACCEPTED, LANE_CONTROL, slice_text(""));
    AUTO(buf_fini) struct buf frame = {0};
    lane_send(&lane, &hello, &frame);
    engine_message(rig.engine, conn, buf_slice(&frame));
    assert_true(status(&rig).peers[0].version_differs);
    assert_false(status(&rig).peers[0].connected);
    assert_int_equal(status(&rig).counters.sessions_refused, 1);
    engine_message(rig.engine, conn, buf_slice(&frame)); // it is gone
    engine_conn_down(rig.engine, conn);
    rig_close(&rig);
}

// Who is no peer is dropped: when it comes, and what has come and said nothing yet.
static void test_strangers(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct device_id nobody = {{9}};
    engine_conn_up(rig.engine, 500, nobody, CONN_ACCEPTED, LANE_CONTROL, slice_text("?"));
    struct script *peer = script_connect(&rig, 3);
    uint64_t conn = ++rig.last_conn;
    engine_conn_up(rig.engine, conn, peer->device, CONN_ACCEPTED, LANE_CONTROL, slice_text("?"));
    engine_peer_remove(rig.engine, peer->device);
    assert_true(script_is_cut(peer));
    uint64_t before = status(&rig).counters.messages_in;
    engine_message(rig.engine, conn, slice_text("anything"));
    engine_message(rig.engine, 500, slice_text("anything"));
    assert_int_equal(status(&rig).counters.messages_in, before);
    assert_int_equal(status(&rig).peer_count, 0);
    rig_close(&rig);
}

static void test_it_reads_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_wait(&rig, 1000);
    peer->full = true;
    rig_write(&rig, "x", "X");
    rig_wait(&rig, 1000);
    assert_true(script_is_cut(peer));
    assert_false(engine_connected(rig.engine, peer->device));
    assert_true(rig_logged("it does not take what it is sent"));
    rig_close(&rig);
}

static void test_silence(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct script *near = script_connect(&rig, 4);
    rig_wait(&rig, 20);
    pong(peer), pong(near);
    assert_int_equal(status(&rig).peers[0].clock_ms, 4980);
    assert_int_equal(status(&rig).peers[0].rtt_ms, 20);
    engine_network_changed(rig.engine);
    engine_network_changed(rig.engine);
    pong(near);
    rig_wait(&rig, 14 * 1000);
    assert_false(script_is_cut(peer));
    rig_wait(&rig, 1500);
    assert_true(script_is_cut(peer));
    assert_false(script_is_cut(near));
    rig_wait(&rig, 200 * 1000);
    assert_true(script_is_cut(near));
    assert_true(rig_logged("it does not answer"));
    rig_close(&rig);
}

// Clocks may say anything.
static void test_clocks(void **state)
{
    (void)state;
    static const int64_t century = 100LL * 365 * 86400 * 1000;
    static const struct {
        int64_t theirs, shown;
    } cases[] = {{INT64_MAX, century}, {INT64_MIN, -century}, {0, 0}};
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_wait(&rig, i == 0 ? 20 : PING_EVERY_MS + 20);
        struct message m = {.kind = MSG_PONG, .ping = script_last(peer, MSG_PING)->ping};
        m.ping.wall_ms = cases[i].theirs;
        script_send(peer, LANE_CONTROL, &m);
        int64_t shown = status(&rig).peers[0].clock_ms;
        if (cases[i].theirs != 0)
            assert_int_equal(shown, cases[i].shown);
        else
            assert_in_range(-shown, 1700000000000, 1700001000000);
    }
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_lives),
        cmocka_unit_test(test_the_first_is_dead),
        cmocka_unit_test(test_the_first_goes),
        cmocka_unit_test(test_the_second_goes),
        cmocka_unit_test(test_dialled_while_the_first_lives),
        cmocka_unit_test(test_we_run_twice),
        cmocka_unit_test(test_another_version),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_it_reads_nothing),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
