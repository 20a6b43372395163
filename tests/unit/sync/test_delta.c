// SPDX-License-Identifier: MIT
//
// Deltas with a peer that keeps to no rule, and those that are of no use: what was not asked for
// ends the session, and what cannot be made is asked for as it is.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { SIZE = 200 * 1000, PAGE_BYTES = 1000 };

static uint8_t noise[SIZE];

static struct script *open_joined(struct rig *rig)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    peer->features = PROTO_FEATURE_DELTA;
    script_down(peer);
    script_reconnect(peer);
    script_offer(peer, (struct vv){0});
    rig_wait(rig, 100);
    return peer;
}

static void refused(struct rig *rig, struct script *peer, const char *why)
{
    rig_settle(rig);
    assert_true(script_is_cut(peer));
    assert_true(rig_logged(why));
    rig_close(rig);
}

// ---- we give

static struct message signature_of(struct script *peer, uint64_t round, struct content *content)
{
    static uint32_t runs[] = {0, 1};
    const struct item item = rig_item(peer->rig, "x");
    *content = (struct content){item.local.version.value.content, item.local.version.value.size};
    struct message m = {.kind = MSG_SIGNATURE};
    m.signature = (struct msg_signature){.folder = peer->rig->id,
                                         .round = round,
                                         .ids = content,
                                         .id_count = 1,
                                         .runs = runs,
                                         .run_count = 2,
                                         .size = 100,
                                         .bytes = slice_of(noise, 50)};
    return m;
}

static void stop_delta(struct script *peer, uint64_t round)
{
    struct message stop = {.kind = MSG_ACK, .ack = {.folder = peer->rig->id, .round = round}};
    stop.ack.page = UINT32_MAX;
    script_send(peer, LANE_CONTROL, &stop);
}

static struct script *open_giving(struct rig *rig)
{
    struct script *peer = open_joined(rig);
    rig_write(rig, "x", "X");
    rig_wait(rig, 1000);
    rig->held = 1U << JOB_DIFF;
    return peer;
}

static void test_signatures_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t size, offset;
    } cases[] = {{100, 10}, {100, 60}, {90, 50}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig rig;
        struct content content;
        struct script *peer = open_giving(&rig);
        struct message m = signature_of(peer, 7, &content);
        script_send(peer, LANE_BULK, &m);
        assert_false(script_is_cut(peer));
        m.signature.size = cases[i].size;
        m.signature.offset = cases[i].offset;
        m.signature.bytes.size = 20;
        script_send(peer, LANE_BULK, &m);
        assert_int_equal(rig_jobs(&rig, JOB_DIFF), 0);
        refused(&rig, peer, "a signature out of order");
    }
}

static void test_signature_in_parts(void **state)
{
    (void)state;
    struct rig rig;
    struct content content;
    struct script *peer = open_giving(&rig);
    struct message m = signature_of(peer, 7, &content);
    m.signature.offset = 50; // of one that was refused at its first part
    script_send(peer, LANE_BULK, &m);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_DELTA), 0);
    m.signature.offset = 0;
    script_send(peer, LANE_BULK, &m);
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_DIFF), 0);
    m.signature.offset = 50;
    script_send(peer, LANE_BULK, &m);
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_DIFF), 1);
    assert_int_equal(rig.jobs[0]->diff.signature.size, 100);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// Whoever asks for many at a time is told to ask elsewhere, and none of it is kept.
static void test_too_many_signatures(void **state)
{
    (void)state;
    struct rig rig;
    struct content content;
    struct script *peer = open_giving(&rig);
    for (uint64_t round = 1; round <= 5; round++) {
        struct message m = signature_of(peer, round, &content);
        script_send(peer, LANE_BULK, &m);
        rig_settle(&rig);
        assert_int_equal(script_heard(peer, MSG_DELTA), round > 4);
    }
    assert_int_equal(script_last(peer, MSG_DELTA)->delta.round, 5);
    assert_int_equal(script_last(peer, MSG_DELTA)->delta.end, DELTA_REFUSED);
    stop_delta(peer, 1); // makes room
    struct message m = signature_of(peer, 6, &content);
    script_send(peer, LANE_BULK, &m);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_DELTA), 1);
    // The disk goes: nothing can be given.
    stop_delta(peer, 2);
    rig.away = true;
    engine_watch(rig.engine, rig.folder, ENGINE_ROOT, slice_text(""));
    rig_wait(&rig, 100);
    m = signature_of(peer, 8, &content);
    script_send(peer, LANE_BULK, &m);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_DELTA), 2);
    assert_int_equal(script_last(peer, MSG_DELTA)->delta.round, 8);
    assert_int_equal(script_last(peer, MSG_DELTA)->delta.end, DELTA_REFUSED);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// The job of one that is stopped goes on: begun and stopped without end they are not more either.
static void test_stopped_without_end(void **state)
{
    (void)state;
    struct rig rig;
    struct content content;
    struct script *peer = open_giving(&rig);
    for (uint64_t round = 1; round <= 100; round++) {
        struct message m = signature_of(peer, round, &content);
        m.signature.size = 50;
        script_send(peer, LANE_BULK, &m);
        stop_delta(peer, round);
    }
    assert_in_range(rig_jobs(&rig, JOB_DIFF), 1, 8);
    struct message m = signature_of(peer, 101, &content);
    m.signature.size = 50;
    script_send(peer, LANE_BULK, &m);
    rig.held = 0;
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_DIFF), 0);
    assert_true(script_heard(peer, MSG_DELTA) > 0); // the last one has had its turn
    assert_int_equal(script_last(peer, MSG_DELTA)->delta.round, 101);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

static uint32_t diffs;

// The first is made; the second fails.
static bool first_diff_ends(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_DIFF) return false;
    if (diffs++ > 0) job->err = ERR_LIMIT;
    job->diff.done = true;
    return true;
}

// What the job of a stopped one brings is not taken for that of another with its number.
static void test_number_again(void **state)
{
    (void)state;
    struct rig rig;
    struct content content;
    struct script *peer = open_giving(&rig);
    rig.instead = first_diff_ends;
    for (int i = 0; i < 2; i++) {
        struct message m = signature_of(peer, 7, &content);
        m.signature.size = 50;
        script_send(peer, LANE_BULK, &m);
        if (i == 0) stop_delta(peer, 7);
    }
    rig.held = 0;
    rig_settle(&rig);
    assert_int_equal(diffs, 2);
    assert_int_equal(script_heard(peer, MSG_DELTA), 1);
    assert_int_equal(script_last(peer, MSG_DELTA)->delta.end, DELTA_REFUSED);
    rig_close(&rig);
}

// ---- we get

static enum err sign_err;

static bool sign_fails(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_SIGN) return false;
    job->err = sign_err;
    return true;
}

// "x" is small here, and another content of it is at the peer.
static struct script *open_getting(struct rig *rig)
{
    struct script *peer = open_joined(rig);
    for (size_t i = 0; i < SIZE; i++)
        noise[i] = (uint8_t)(i * i >> 7);
    rig_write(rig, "x", "X");
    rig_wait(rig, 1000);
    rig->instead = sign_fails;
    struct version v = script_file(peer, "x", "");
    v.value.size = SIZE;
    v.value.content = hash_sha256(slice_of(noise, SIZE));
    v.vv = vv_join(rig->arena, v.vv, rig_item(rig, "x").heads[0].vv);
    script_push(peer, 0, &v, 1, NULL);
    rig_settle(rig);
    return peer;
}

static void say_page(struct script *peer, uint32_t page, enum delta_end end)
{
    struct message m = {.kind = MSG_DELTA};
    m.delta = (struct msg_delta){.folder = peer->rig->id,
                                 .round = script_last(peer, MSG_SIGNATURE)->signature.round,
                                 .page = page,
                                 .end = end,
                                 .size = PAGE_BYTES,
                                 .bytes = slice_of(noise, PAGE_BYTES)};
    script_send(peer, LANE_BULK, &m);
}

// It is asked for leaf by leaf.
static void assert_asked_plainly(struct script *peer)
{
    const struct msg_want *want = &script_last(peer, MSG_WANT)->want;
    assert_int_equal(want->leaf_count, 1);
    assert_int_equal(want->leaves[0], 0);
    assert_false(script_is_cut(peer));
}

static void test_pages_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_getting(&rig);
    assert_int_equal(script_heard(peer, MSG_SIGNATURE), 1);
    assert_int_equal(script_heard(peer, MSG_WANT), 0);
    say_page(peer, 2, DELTA_GOES_ON);
    refused(&rig, peer, "a page of a delta that was not asked for");

    peer = open_getting(&rig);
    rig.held = 1U << JOB_PATCH;
    say_page(peer, 1, DELTA_LAST);
    say_page(peer, 2, DELTA_LAST);
    refused(&rig, peer, "a page of a delta that was not asked for");

    // Nothing of it has been taken yet: there is no credit for more.
    peer = open_getting(&rig);
    rig.held = 1U << JOB_PATCH;
    for (uint32_t page = 1; page <= PROTO_DELTA_AHEAD; page++) {
        say_page(peer, page, DELTA_GOES_ON);
        assert_false(script_is_cut(peer));
    }
    say_page(peer, PROTO_DELTA_AHEAD + 1, DELTA_GOES_ON);
    refused(&rig, peer, "a page of a delta that was not asked for");
}

// What comes while it is being worked on is worked on next; what it makes is not enough.
static void test_ends_too_soon(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_getting(&rig);
    rig.held = 1U << JOB_PATCH;
    say_page(peer, 1, DELTA_GOES_ON);
    say_page(peer, 2, DELTA_LAST);
    assert_int_equal(rig_jobs(&rig, JOB_PATCH), 1);
    assert_int_equal(rig.jobs[0]->patch.bytes.size, PAGE_BYTES);
    rig.jobs[0]->patch.bytes.size = 0; // all of it was used
    rig.held = 0;
    rig_settle(&rig);
    assert_true(rig_logged("it ends too soon"));
    assert_asked_plainly(peer);
    say_page(peer, 3, DELTA_LAST); // of a delta that is over
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

static void test_the_older_file_changes(void **state)
{
    (void)state;
    struct rig rig;
    sign_err = ERR_CHANGED;
    struct script *peer = open_getting(&rig);
    sign_err = ERR_OK;
    assert_int_equal(script_heard(peer, MSG_SIGNATURE), 0);
    assert_true(rig_logged("the file has changed"));
    assert_asked_plainly(peer);
    rig_close(&rig);
}

// Larger than what could ever be stored here: nothing of it is asked for, and it is said.
static void test_larger_than_any_disk(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    struct version v = script_file(peer, "x", "");
    v.value.size = UINT64_C(1) << 46;
    v.value.content.bytes[0] = 1;
    script_push(peer, 0, &v, 1, NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "x").blocked, BLOCKED_NO_SPACE);
    assert_int_equal(script_heard(peer, MSG_WANT), 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures_refused),   cmocka_unit_test(test_signature_in_parts),
        cmocka_unit_test(test_too_many_signatures),  cmocka_unit_test(test_pages_refused),
        cmocka_unit_test(test_ends_too_soon),        cmocka_unit_test(test_the_older_file_changes),
        cmocka_unit_test(test_larger_than_any_disk), cmocka_unit_test(test_stopped_without_end),
        cmocka_unit_test(test_number_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
