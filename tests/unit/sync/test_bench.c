// SPDX-License-Identifier: MIT
//
// bench: what is asked of a peer, and what is answered to one.
#include "tests/unit/sync/rig.h"

// A peer that understands PROBE, in a session of its own.
static struct script *prober(struct rig *rig)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 1);
    peer->features = PROTO_FEATURE_PROBE;
    script_reconnect(peer);
    rig_wait(rig, 3000); // the first one has gone
    return peer;
}

// Answers what it was asked since *seen, with the tokens that came, or with others. How many.
static uint32_t answer(struct script *peer, uint32_t *seen, uint64_t wrong, uint32_t pad)
{
    static const uint8_t bytes[PROTO_CHUNK_BYTES_MAX];
    uint32_t count = 0;
    for (uint32_t end = peer->heard_count; *seen < end; (*seen)++) {
        const struct message *heard = peer->heard[*seen];
        if (heard->kind != MSG_PROBE || heard->probe.reply) continue;
        struct message m = {.kind = MSG_PROBE,
                            .probe = {.token = heard->probe.token ^ wrong,
                                      .reply = true,
                                      .pad = slice_of(bytes, pad)}};
        script_send(peer, LANE_BULK, &m);
        count++;
    }
    return count;
}

static void test_who_cannot_is_not_asked(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 1);
    rig_settle(&rig);
    assert_int_equal(engine_bench(rig.engine, 5, peer->device), ERR_OK);
    assert_int_equal(rig.measured, 5);
    assert_non_null(strstr(rig.bench.what, "too old"));
    assert_int_equal(script_heard(peer, MSG_PROBE), 0);
    struct device_id nobody = {{1}};
    assert_int_equal(engine_bench(rig.engine, 6, nobody), ERR_OK);
    assert_int_equal(rig.measured, 6);
    assert_non_null(strstr(rig.bench.what, "not connected"));
    rig_close(&rig);
}

static void test_all_three_parts(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = prober(&rig);
    assert_int_equal(engine_bench(rig.engine, 7, peer->device), ERR_OK);
    assert_int_equal(engine_bench(rig.engine, 8, peer->device), ERR_BUSY);
    uint32_t most = 0, seen = 0;
    for (int turn = 0; rig.measured != 7 && turn < 100; turn++) {
        rig_wait(&rig, 100);
        uint32_t count = answer(peer, &seen, 0, PROTO_CHUNK_BYTES);
        most = count > most ? count : most;
    }
    assert_int_equal(rig.measured, 7);
    assert_null(rig.bench.what);
    assert_in_range(rig.bench.round_trips, 5, 11);
    assert_true(rig.bench.out_bytes > 0 && rig.bench.in_bytes > 0);
    assert_in_range(rig.bench.out_ms + rig.bench.in_ms, 1, 8000);
    assert_in_range(most, 2, (2 << 20) / PROTO_CHUNK_BYTES);
    rig_close(&rig);
}

static void test_silence_and_lies_end(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = prober(&rig);
    uint32_t from = peer->heard_count;
    assert_int_equal(engine_bench(rig.engine, 7, peer->device), ERR_OK);
    assert_int_equal(answer(peer, &from, 1, 0), 1); // of another token: no answer
    rig_wait(&rig, 2500);
    assert_int_equal(rig.measured, 0);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.measured, 7);
    assert_non_null(strstr(rig.bench.what, "does not answer"));
    assert_false(script_is_cut(peer));

    assert_int_equal(engine_bench(rig.engine, 8, peer->device), ERR_OK);
    engine_bench_cancel(rig.engine, 7); // another one
    engine_bench_cancel(rig.engine, 8);
    rig_wait(&rig, 5000);
    assert_int_equal(rig.measured, 7);

    assert_int_equal(engine_bench(rig.engine, 9, peer->device), ERR_OK);
    script_reconnect(peer);
    rig_wait(&rig, 5000);
    assert_int_equal(rig.measured, 9);
    assert_non_null(rig.bench.what);
    rig_close(&rig);
}

static void test_it_answers(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = prober(&rig);
    struct message ask = {.kind = MSG_PROBE, .probe = {.token = 99, .want = 1000}};
    script_send(peer, LANE_BULK, &ask);
    const struct msg_probe *reply = &script_last(peer, MSG_PROBE)->probe;
    assert_true(reply->reply && reply->token == 99 && reply->pad.size == 1000);
    struct message unasked = {.kind = MSG_PROBE, .probe = {.token = 99, .reply = true}};
    script_send(peer, LANE_BULK, &unasked);
    assert_false(script_is_cut(peer));
    assert_int_equal(script_heard(peer, MSG_PROBE), 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_cannot_is_not_asked),
        cmocka_unit_test(test_all_three_parts),
        cmocka_unit_test(test_silence_and_lies_end),
        cmocka_unit_test(test_it_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
