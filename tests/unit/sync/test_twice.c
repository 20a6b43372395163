// SPDX-License-Identifier: MIT
//
// A second process of a device: a copy that runs at the same time, or what is left of one that has
// ended.
#include "tests/unit/sync/rig.h"

enum { WHILE_MS = 1000, PROBE_MS = 2000 };

struct line { // of another process of a peer
    uint64_t conn;
    struct lane_state lane;
};

static struct line line_new(struct rig *rig, const struct script *peer, uint64_t session)
{
    struct line line = {.conn = 9000 + session};
    lane_init(&line.lane, LANE_CONTROL, true, session);
    engine_conn_up(rig->engine, line.conn, peer->device, CONN_ACCEPTED, LANE_CONTROL,
                   slice_text("tcp://other"));
    return line;
}

static void line_says_hello(struct rig *rig, struct line *line, uint64_t features)
{
    AUTO(buf_fini) struct buf frame = {0};
    struct message hello = {.kind = MSG_HELLO};
    hello.hello.protocol = PROTO_VERSION;
    hello.hello.program = hello.hello.name = slice_text("other");
    hello.hello.boot = 77;
    hello.hello.features = features;
    lane_send(&line->lane, &hello, &frame);
    engine_message(rig->engine, line->conn, buf_slice(&frame));
}

// The peer's first process answers what it was asked last.
static void answer(struct rig *rig, struct script *peer, uint64_t token)
{
    struct message pong = {.kind = MSG_PONG, .ping = {.token = token}};
    script_send(peer, LANE_CONTROL, &pong);
    rig_wait(rig, WHILE_MS);
}

static uint64_t asked(const struct script *peer)
{
    return script_last(peer, MSG_PING)->ping.token;
}

// The first time it may be a HELLO that came late; who has read that it was refused runs.
static void test_a_copy_comes_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct line first = line_new(&rig, peer, 1);
    line_says_hello(&rig, &first, 0);
    answer(&rig, peer, asked(peer));
    assert_false(rig_logged("runs twice"));
    struct line second = line_new(&rig, peer, 2);
    line_says_hello(&rig, &second, PROTO_FEATURE_REFUSED);
    answer(&rig, peer, asked(peer));
    assert_true(rig_logged("runs twice"));
    rig_close(&rig);
}

// It had three lines when it died. What it said on them comes after its successor, at any time.
static void test_a_dead_process_is_no_copy(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct line first = line_new(&rig, peer, 1), second = line_new(&rig, peer, 2);
    line_says_hello(&rig, &first, 0);
    answer(&rig, peer, asked(peer));
    line_says_hello(&rig, &second, 0);
    answer(&rig, peer, asked(peer));
    struct line third = line_new(&rig, peer, 3);
    line_says_hello(&rig, &third, 0);
    answer(&rig, peer, asked(peer));
    assert_false(rig_logged("runs twice"));
    assert_true(engine_connected(rig.engine, peer->device));
    rig_close(&rig);
}

// The old one was asked for another's sake, and has died since.
static void test_an_answer_to_an_earlier_question(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct line first = line_new(&rig, peer, 1), second = line_new(&rig, peer, 2);
    line_says_hello(&rig, &first, 0);
    uint64_t earlier = asked(peer);
    line_says_hello(&rig, &second, PROTO_FEATURE_REFUSED);
    answer(&rig, peer, earlier);
    rig_wait(&rig, PROBE_MS);
    assert_true(script_is_cut(peer));
    assert_int_equal(script_last(peer, MSG_BYE)->bye.code, BYE_REPLACED);
    assert_false(rig_logged("runs twice"));
    rig_close(&rig);
}

// One lane that we dialled was answered by a process that has died since, the other by its
// successor.
static void test_two_processes_in_one_session(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    engine_conn_down(rig.engine, peer->conns[LANE_CONTROL]);
    script_dialled_apart(peer);
    assert_false(engine_connected(rig.engine, peer->device));
    assert_true(script_is_cut(peer));
    script_dialled(peer, CONN_DIALLED);
    assert_true(engine_connected(rig.engine, peer->device));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_comes_again),
        cmocka_unit_test(test_a_dead_process_is_no_copy),
        cmocka_unit_test(test_an_answer_to_an_earlier_question),
        cmocka_unit_test(test_two_processes_in_one_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
