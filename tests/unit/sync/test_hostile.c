// SPDX-License-Identifier: MIT
//
// Rounds, pushes and audits with a peer that keeps to no rule: what is refused is named and ends
// the session, what may be late is ignored, and nothing of either is believed.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { AUDIT = 4711 };

static struct vv own_k(struct script *peer)
{
    static struct dot k;
    k = (struct dot){peer->inc, peer->counter};
    return (struct vv){&k, 1};
}

// Joined, and asked for a version that it has.
static struct script *open_round(struct rig *rig, struct version *out)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    *out = script_file(peer, "x", "X");
    script_offer(peer, own_k(peer));
    rig_settle(rig);
    assert_int_equal(script_heard(peer, MSG_PULL), 1);
    return peer;
}

static void say_page(struct script *peer, uint32_t page, struct version *versions, uint32_t count)
{
    struct message m = {.kind = MSG_VERSIONS};
    m.versions.folder = peer->rig->id;
    m.versions.round = script_last(peer, MSG_PULL)->pull.round;
    m.versions.page = page;
    m.versions.versions = (struct versions){versions, count};
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(peer->rig);
}

static void say_done(struct script *peer, uint32_t pages, struct vv floor)
{
    struct message m = {.kind = MSG_DONE};
    m.done.folder = peer->rig->id;
    m.done.round = script_last(peer, MSG_PULL)->pull.round;
    m.done.pages = pages;
    m.done.k = own_k(peer);
    m.done.gcfloor = floor;
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(peer->rig);
}

static void refused(struct rig *rig, struct script *peer, const char *why)
{
    assert_true(script_is_cut(peer));
    assert_true(rig_logged(why));
    rig_close(rig);
}

static bool knows(struct rig *rig, struct script *peer)
{
    return vv_get(store_k(rig->store, rig->arena, rig->folder), peer->inc) == peer->counter;
}

// ---- rounds

static void test_rounds_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct version v;
    struct script *peer = open_round(&rig, &v);
    say_page(peer, 1, NULL, 0);
    refused(&rig, peer, "an empty page");

    peer = open_round(&rig, &v);
    say_page(peer, 3, &v, 1);
    refused(&rig, peer, "a page out of order");

    peer = open_round(&rig, &v);
    say_page(peer, 2, &v, 1);
    say_page(peer, 2, &v, 1);
    refused(&rig, peer, "a page out of order");

    peer = open_round(&rig, &v);
    say_page(peer, 1, &v, 1);
    say_page(peer, 2, &v, 1);
    say_done(peer, 1, (struct vv){0});
    assert_false(knows(&rig, peer));
    refused(&rig, peer, "fewer pages than came");

    peer = open_round(&rig, &v);
    struct dot above = {peer->inc, peer->counter + 1};
    say_done(peer, 0, (struct vv){&above, 1});
    refused(&rig, peer, "a floor above what is known");
}

static void test_pages_overtake(void **state)
{
    (void)state;
    struct rig rig;
    struct version v;
    struct script *peer = open_round(&rig, &v);
    say_page(peer, 2, &v, 1);
    say_done(peer, 2, (struct vv){0});
    say_done(peer, 0, (struct vv){0}); // once is enough
    assert_false(knows(&rig, peer));
    say_page(peer, 1, &v, 1);
    assert_true(knows(&rig, peer));
    assert_false(script_is_cut(peer));
    say_page(peer, 3, &v, 1); // of a round that is over
    say_done(peer, 3, (struct vv){0});
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// DONE comes first, by the other lane say; or nothing comes any more, and it is asked again.
static void test_done_first(void **state)
{
    (void)state;
    struct rig rig;
    struct version v;
    struct script *peer = open_round(&rig, &v);
    uint64_t round = script_last(peer, MSG_PULL)->pull.round;
    struct message ping = {.kind = MSG_PING};
    for (int i = 0; i < 7; i++) {
        rig_wait(&rig, 20 * 1000);
        struct message m = {.kind = MSG_PONG, .ping = script_last(peer, MSG_PING)->ping};
        script_send(peer, LANE_CONTROL, &m);
        script_send(peer, LANE_CONTROL, &ping);
    }
    assert_true(rig_logged("round given up"));
    assert_int_not_equal(script_last(peer, MSG_PULL)->pull.round, round);
    say_done(peer, 1, (struct vv){0});
    assert_false(knows(&rig, peer));
    say_page(peer, 1, &v, 1);
    assert_true(knows(&rig, peer));
    rig_close(&rig);
}

// What cannot be written is not known; it is asked for again.
static void test_round_not_written(void **state)
{
    (void)state;
    struct rig rig;
    struct version v;
    struct script *peer = open_round(&rig, &v);
    rig_fail_commits(0, 1);
    say_page(peer, 1, &v, 1);
    assert_true(script_is_cut(peer));
    assert_int_equal(rig_item(&rig, "x").head_count, 0);
    script_reconnect(peer);
    script_offer(peer, own_k(peer));
    rig_settle(&rig);
    say_page(peer, 1, &v, 1);
    rig_fail_commits(0, 1);
    say_done(peer, 1, (struct vv){0});
    assert_false(knows(&rig, peer));
    assert_false(script_is_cut(peer));
    uint32_t pulls = script_heard(peer, MSG_PULL);
    rig_wait(&rig, 1000);
    assert_int_equal(script_heard(peer, MSG_PULL), pulls + 1);
    say_done(peer, 0, (struct vv){0});
    assert_true(knows(&rig, peer));
    rig_close(&rig);
}

// A token that nobody made, or of another life, is as good as none.
static void test_odd_tokens(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    static const uint8_t zeros[64];
    static const size_t sizes[] = {0, 1, 24, 32, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct message m = {.kind = MSG_PULL, .pull = {.folder = rig.id, .round = 100 + i}};
        m.pull.token = slice_of(zeros, sizes[i]);
        uint32_t pages = script_heard(peer, MSG_VERSIONS);
        script_send(peer, LANE_CONTROL, &m);
        rig_settle(&rig);
        assert_int_equal(script_heard(peer, MSG_VERSIONS), pages + 1);
        assert_int_equal(script_last(peer, MSG_DONE)->done.round, 100 + i);
        struct message ack = {.kind = MSG_ACK, .ack = {.folder = rig.id, .page = 99}};
        ack.ack.round = 100 + i;
        script_send(peer, LANE_CONTROL, &ack);
        ack.ack.page = 1; // back again
        script_send(peer, LANE_CONTROL, &ack);
    }
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// ---- pushes

static struct script *open_joined(struct rig *rig)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    rig_settle(rig);
    return peer;
}

static void push_with(struct script *peer, struct version *v, struct ride *ride,
                      struct patch *patch)
{
    struct message m = {.kind = MSG_PUSH};
    m.push.folder = peer->rig->id;
    m.push.inc = peer->inc;
    m.push.after = peer->counter - 1;
    m.push.upto = script_mark(peer, peer->counter);
    m.push.versions = (struct versions){v, 1};
    m.push.rides = ride;
    m.push.ride_count = ride != NULL;
    m.push.patches = patch;
    m.push.patch_count = patch != NULL;
    script_send(peer, LANE_CONTROL, &m);
    rig_wait(peer->rig, 100);
}

static struct content content_of(const char *text)
{
    return (struct content){hash_sha256(slice_text(text)), strlen(text)};
}

// What cannot be used is asked for; the version is taken all the same.
static void test_odd_rides(void **state)
{
    (void)state;
    struct ride rides[] = {
        {.content = content_of("X"), .compressed = true, .bytes = slice_text("no frame")},
        {.content = content_of("X"), .bytes = slice_text("Y")},
        {.content = content_of("another"), .bytes = slice_text("another")},
        {.content = content_of("X"), .compressed = true, .bytes = slice_text("no frame")},
    };
    rides[3].content.size = PROTO_RIDE_CONTENT_BYTES_MAX;
    for (size_t i = 0; i < sizeof rides / sizeof rides[0]; i++) {
        struct rig rig;
        struct script *peer = open_joined(&rig);
        struct version v = script_file(peer, "x", "X");
        push_with(peer, &v, &rides[i], NULL);
        assert_false(script_is_cut(peer));
        assert_int_equal(rig_item(&rig, "x").head_count, 1);
        assert_false(rig_on_disk(&rig, "x"));
        assert_int_equal(script_heard(peer, MSG_WANT), 1);
        assert_true(knows(&rig, peer));
        rig_close(&rig);
    }
}

static bool keeps_patches(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_STAGE) return false;
    for (uint32_t i = 0; i < job->stage.count; i++)
        rig->base_jobs += job->stage.entries[i].patch.size > 0;
    return false;
}

// A patch is tried on what it is made for, and on nothing else.
static void test_odd_patches(void **state)
{
    (void)state;
    static const struct {
        const char *here, *base, *of;
        bool tried;
    } cases[] = {
        {"before", "before", "X", true},
        {"before", "beyond", "X", false},          // other bytes
        {"before", "before and more", "X", false}, // another size
        {NULL, "before", "X", false},              // nothing is there
        {"before", "before", "Y", false},          // of nothing that is pushed
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        struct script *peer = open_joined(&rig);
        if (cases[i].here != NULL) rig_write(&rig, "x", cases[i].here);
        rig_wait(&rig, 1000);
        rig.instead = keeps_patches;
        rig.base_jobs = 0;
        struct version v = script_file(peer, "x", "X");
        struct patch patch = {content_of(cases[i].of), content_of(cases[i].base),
                              slice_text("a frame")};
        push_with(peer, &v, NULL, &patch);
        assert_int_equal(rig.base_jobs, cases[i].tried);
        assert_false(script_is_cut(peer));
        assert_true(knows(&rig, peer));
        rig_close(&rig);
    }
}

static void test_pushes_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    struct version v = script_file(peer, "x", "X");
    script_push(peer, peer->counter, &v, 1, NULL);
    refused(&rig, peer, "a push that says nothing");

    peer = open_joined(&rig);
    v = script_file(peer, "x", "X");
    rig_fail_commits(0, 1);
    script_push(peer, 0, &v, 1, NULL);
    refused(&rig, peer, "the index cannot be written");

    // It waits for its content while the share ends.
    peer = open_joined(&rig);
    rig.held = 1u << JOB_STAGE;
    v = script_file(peer, "x", "X");
    struct version w = script_file(peer, "y", "Y");
    struct version both[] = {v, w};
    script_push(peer, 0, both, 2, "X");
    script_push(peer, 1, &w, 1, "Y");
    rig_settle(&rig);
    assert_true(rig_jobs(&rig, JOB_STAGE) > 0);
    engine_folder_pause(rig.engine, "f", true);
    rig.held = 0;
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "x").head_count, 0);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// ---- audits

static void say_ranges(struct script *peer, enum ranges_step step, struct range *ranges,
                       uint32_t count)
{
    struct rig *rig = peer->rig;
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = rig->id, .audit = AUDIT}};
    m.ranges.step = step;
    if (step == RANGES_OPEN) m.ranges.k = store_k(rig->store, rig->arena, rig->folder);
    m.ranges.ranges = ranges;
    m.ranges.range_count = count;
    script_send(peer, LANE_CONTROL, &m);
}

static const struct msg_ranges *answered(struct script *peer)
{
    rig_settle(peer->rig);
    return &script_last(peer, MSG_RANGES)->ranges;
}

// It has begun to compare; we have said what we have in all.
static struct script *open_audit(struct rig *rig)
{
    struct script *peer = open_joined(rig);
    rig_write(rig, "x", "X");
    rig_write(rig, "y", "Y");
    rig_wait(rig, 1000);
    say_ranges(peer, RANGES_OPEN, NULL, 0);
    const struct msg_ranges *first = answered(peer);
    assert_int_equal(first->step, RANGES_GO);
    assert_int_equal(first->range_count, 1);
    assert_int_equal(first->ranges[0].what, RANGE_SUM);
    assert_int_equal(first->ranges[0].count, 2);
    return peer;
}

static void test_audits_refused(void **state)
{
    (void)state;
    enum { RANGES = PROTO_RANGES_MAX };
    static struct range many[RANGES];
    struct rig rig;
    struct script *peer = open_audit(&rig);
    for (int i = 0; i < RANGES; i++)
        many[i] = (struct range){.what = RANGE_SUM, .from = slice_text("z")};
    say_ranges(peer, RANGES_GO, many, RANGES);
    say_ranges(peer, RANGES_GO, NULL, 0); // before it had its turn
    refused(&rig, peer, "ranges out of turn");

    peer = open_audit(&rig);
    for (int i = 0; i < RANGES; i++)
        many[i].what = RANGE_ASK;
    for (int turn = 0; turn < 100 && !script_is_cut(peer); turn++) {
        say_ranges(peer, RANGES_GO, many, RANGES);
        rig_settle(&rig);
    }
    refused(&rig, peer, "too many ranges");
}

static void test_what_is_asked_for(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_audit(&rig);
    struct range ask = {.what = RANGE_ASK, .from = slice_text("y"), .to = slice_text("z")};
    say_ranges(peer, RANGES_GO, &ask, 1);
    const struct msg_ranges *m = answered(peer);
    assert_int_equal(m->versions.count, 1);
    assert_true(slice_equal(m->versions.entries[0].path, slice_text("y")));
    // Who has nothing in it is given all.
    struct range nothing = {.what = RANGE_ITEMS};
    say_ranges(peer, RANGES_GO, &nothing, 1);
    m = answered(peer);
    assert_int_equal(m->versions.count, 2);
    struct range sum = {.what = RANGE_SUM, .count = 99};
    say_ranges(peer, RANGES_GO, &sum, 1);
    m = answered(peer);
    assert_int_equal(m->ranges[0].what, RANGE_ITEMS);
    assert_int_equal(m->versions.count, 2);
    say_ranges(peer, RANGES_END, NULL, 0);
    assert_int_equal(answered(peer)->step, RANGES_END);
    uint32_t heard = script_heard(peer, MSG_RANGES);
    say_ranges(peer, RANGES_GO, NULL, 0); // it is over
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_RANGES), heard);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

static void test_audits_given_up(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_audit(&rig);
    say_ranges(peer, RANGES_MOVED, NULL, 0);
    uint32_t heard = script_heard(peer, MSG_RANGES);
    say_ranges(peer, RANGES_GO, NULL, 0);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_RANGES), heard);
    // K moves while it is going on.
    say_ranges(peer, RANGES_OPEN, NULL, 0);
    assert_int_equal(answered(peer)->step, RANGES_GO);
    rig_write(&rig, "z", "Z");
    rig_wait(&rig, 1000);
    say_ranges(peer, RANGES_GO, NULL, 0);
    assert_int_equal(answered(peer)->step, RANGES_MOVED);
    // K of the two differs.
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = rig.id, .audit = 5}};
    m.ranges.step = RANGES_OPEN;
    script_send(peer, LANE_CONTROL, &m);
    assert_int_equal(answered(peer)->step, RANGES_MOVED);
    assert_int_equal(answered(peer)->audit, 5);
    say_ranges(peer, RANGES_OPEN, NULL, 0);
    assert_int_equal(answered(peer)->step, RANGES_GO);
    for (int i = 0; i < 4; i++) {
        rig_wait(&rig, 20 * 1000);
        struct message pong = {.kind = MSG_PONG, .ping = script_last(peer, MSG_PING)->ping};
        script_send(peer, LANE_CONTROL, &pong);
    }
    heard = script_heard(peer, MSG_RANGES);
    say_ranges(peer, RANGES_GO, NULL, 0);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_RANGES), heard);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// In an audit something comes that K covers, and that the index cannot take.
static void test_audit_not_written(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    struct version v = script_file(peer, "x", "X");
    script_push(peer, 0, &v, 1, "X");
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "x");
    item.head_count = 0;
    store_begin(rig.store);
    store_item_put(rig.store, rig.folder, &item, true);
    assert_int_equal(store_commit(rig.store), ERR_OK);
    for (int turn = 0; turn < 2; turn++) {
        rig_fail_commits(0, turn == 0 ? 1 : 0);
        say_ranges(peer, RANGES_OPEN, NULL, 0);
        rig_settle(&rig);
        struct message m = {.kind = MSG_RANGES, .ranges = {.folder = rig.id, .audit = AUDIT}};
        m.ranges.step = RANGES_GO;
        m.ranges.versions = (struct versions){&v, 1};
        script_send(peer, LANE_CONTROL, &m);
        rig_settle(&rig);
        assert_int_equal(script_is_cut(peer), turn == 0);
        assert_int_equal(rig_item(&rig, "x").head_count, turn);
        if (turn > 0) break;
        script_reconnect(peer);
        script_offer(peer, own_k(peer));
        rig_settle(&rig);
    }
    assert_true(rig_logged("BUG-K"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds_refused),  cmocka_unit_test(test_pages_overtake),
        cmocka_unit_test(test_done_first),      cmocka_unit_test(test_round_not_written),
        cmocka_unit_test(test_odd_tokens),      cmocka_unit_test(test_odd_rides),
        cmocka_unit_test(test_odd_patches),     cmocka_unit_test(test_pushes_refused),
        cmocka_unit_test(test_audits_refused),  cmocka_unit_test(test_what_is_asked_for),
        cmocka_unit_test(test_audits_given_up), cmocka_unit_test(test_audit_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
