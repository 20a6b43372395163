// SPDX-License-Identifier: MIT
//
// What a trusted peer can make the engine hold: whatever it sends, all that is held can be encoded
// again, and what is too much is refused by name, with nothing changed.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { LONG_NAME = 240, LONG_PATH = 16 * (LONG_NAME + 1) };

static struct vv empty_k(void)
{
    return (struct vv){0};
}

// A path of `LONG_PATH` bytes below `top`, another for each number.
static const char *long_path(struct rig *rig, const char *top, uint32_t number)
{
    char *path = arena_alloc(rig->arena, LONG_PATH + 300, 1);
    int at = snprintf(path, 300, "%s", top);
    for (int i = 0; i < 15; i++) {
        path[at++] = '/';
        memset(path + at, 'a' + i, LONG_NAME);
        at += LONG_NAME;
    }
    (void)snprintf(path + at, 32, "/%08u", number);
    return path;
}

// The engine's folder is still there and syncs with somebody else.
static void assert_goes_on(struct rig *rig)
{
    struct script *honest = script_connect(rig, 77);
    script_offer(honest, empty_k());
    struct version v = script_file(honest, "honest", "honest");
    script_push(honest, 0, &v, 1, "honest");
    rig_wait(rig, 1000);
    assert_false(script_is_cut(honest));
    assert_int_equal(rig_item(rig, "honest").local.state, LOCAL_OK);
}

static struct script *hostile_in(struct rig *rig)
{
    rig_open(rig);
    struct script *hostile = script_connect(rig, 3);
    script_offer(hostile, empty_k());
    rig_settle(rig);
    assert_false(script_is_cut(hostile));
    return hostile;
}

static void assert_refused(struct rig *rig, struct script *hostile, const char *what)
{
    rig_settle(rig);
    assert_true(script_is_cut(hostile));
    if (!rig_logged(what)) fail_msg("the log does not say: %s", what);
    assert_true(slice_equal(script_last(hostile, MSG_BYE)->bye.text, slice_text(what)));
    assert_goes_on(rig);
}

// ---- bundles

static void bundle_of(struct script *script, struct version *list, uint32_t count)
{
    struct dot winner = {script->inc, script->counter};
    for (uint32_t i = 0; i < count; i++) {
        struct dots u = {.entries = &winner, .count = 1};
        list[i].bundle = dots_copy(script->rig->arena, u);
    }
}

static void test_bundle_of_too_many(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    struct version list[PROTO_BUNDLE_MAX + 1];
    char path[32];
    for (uint32_t i = 0; i <= PROTO_BUNDLE_MAX; i++) {
        (void)snprintf(path, sizeof path, "p%u", i);
        list[i] = script_link(hostile, path, "nowhere");
    }
    bundle_of(hostile, list, PROTO_BUNDLE_MAX + 1);
    script_push(hostile, 0, list, PROTO_BUNDLE_MAX + 1, NULL);
    assert_int_equal(rig_item(&rig, "p0").head_count, 0);
    assert_refused(&rig, hostile, "a bundle that is too large");
    rig_close(&rig);
}

static void test_bundle_too_large(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    struct version list[90];
    for (uint32_t i = 0; i < 90; i++)
        list[i] = script_link(hostile, long_path(&rig, "x", i), "nowhere");
    bundle_of(hostile, list, 90);
    script_push(hostile, 0, list, 90, NULL);
    assert_refused(&rig, hostile, "a bundle that is too large");
    rig_close(&rig);
}

static void pull_all(struct rig *rig, struct script *script)
{
    struct message m = {.kind = MSG_PULL, .pull = {.folder = rig->id, .round = 5}};
    script_send(script, LANE_CONTROL, &m);
    for (uint32_t acked = 0; script_heard(script, MSG_DONE) == 0; acked++) {
        assert_true(script_heard(script, MSG_VERSIONS) > acked);
        struct message ack = {.kind = MSG_ACK,
                              .ack = {.folder = rig->id, .round = 5, .page = acked + 1}};
        script_send(script, LANE_CONTROL, &ack);
    }
}

static uint32_t page_members(const struct message *m, struct dot bundle)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->versions.versions.count; i++)
        count += dots_contain(m->versions.versions.entries[i].bundle, bundle);
    return count;
}

// Bundles as large as they may be, one beside the other: each goes out whole in some page, and no
// page is too large to be encoded.
// Large pages go by the bulk lane, but for those that could overtake the marks they rely on.
static void check_lanes(const struct script *taker)
{
    uint32_t pages = 0, bulk = 0;
    for (uint32_t i = 0; i < taker->heard_count; i++) {
        if (taker->heard[i]->kind != MSG_VERSIONS) continue;
        bool by_bulk = taker->heard_on[i] == LANE_BULK;
        if (++pages <= 2) assert_false(by_bulk); // both before the first was answered
        bulk += by_bulk;
    }
    assert_true(pages > 4);
    assert_int_equal(bulk, pages - 2);
}

static void test_bundles_fit_into_pages(void **state)
{
    (void)state;
    enum { BUNDLES = 12, MEMBERS = 70 };
    struct rig rig;
    struct script *maker = hostile_in(&rig);
    struct version list[MEMBERS];
    struct dot winners[BUNDLES];
    rig.held = 1u << JOB_APPLY; // the disk is not what this is about
    for (uint32_t b = 0; b < BUNDLES; b++) {
        uint64_t after = maker->counter;
        for (uint32_t i = 0; i < MEMBERS; i++)
            list[i] = script_link(maker, long_path(&rig, "x", b * MEMBERS + i), "nowhere");
        bundle_of(maker, list, MEMBERS);
        winners[b] = (struct dot){maker->inc, maker->counter};
        script_push(maker, after, list, MEMBERS, NULL);
    }
    rig_settle(&rig);
    assert_false(script_is_cut(maker));
    struct script *taker = script_connect(&rig, 4);
    script_offer(taker, empty_k());
    pull_all(&rig, taker);
    uint32_t sent = 0;
    for (uint32_t i = 0; i < taker->heard_count; i++) {
        if (taker->heard[i]->kind == MSG_VERSIONS) sent += taker->heard[i]->versions.versions.count;
    }
    assert_int_equal(sent, BUNDLES * MEMBERS); // each once
    check_lanes(taker);
    for (uint32_t b = 0; b < BUNDLES; b++) {
        bool whole = false;
        for (uint32_t i = 0; i < taker->heard_count; i++) {
            if (taker->heard[i]->kind == MSG_VERSIONS)
                whole |= page_members(taker->heard[i], winners[b]) == MEMBERS;
        }
        assert_true(whole);
    }
    rig_close(&rig);
}

// A clash of an established file with more than could leave in one resolution: it is resolved, and
// what came of it can be sent.
static void test_clash_over_many(void **state)
{
    (void)state;
    enum { CHILDREN = 250 };
    struct rig rig;
    struct script *maker = hostile_in(&rig);
    struct version *list = arena_alloc(rig.arena, CHILDREN, sizeof *list);
    for (uint32_t from = 0; from < CHILDREN; from += 50) {
        uint64_t after = maker->counter;
        for (uint32_t i = 0; i < 50; i++) {
            list[i] = script_link(maker, long_path(&rig, "top", from + i), "nowhere");
            list[i].flags = VERSION_FIRST;
        }
        script_push(maker, after, list, 50, NULL);
    }
    uint64_t after = maker->counter;
    struct version file = script_file(maker, "top", "a file");
    script_push(maker, after, &file, 1, "a file");
    rig_wait(&rig, 5000);
    assert_false(script_is_cut(maker));
    struct item top = rig_item(&rig, "top");
    assert_int_equal(top.head_count, 1);
    assert_int_equal(top.heads[0].value.kind, KIND_TOMB); // the file has left
    struct script *taker = script_connect(&rig, 4);
    script_offer(taker, empty_k());
    pull_all(&rig, taker);
    rig_close(&rig);
}

// ---- incarnations

static void owners_send(struct script *hostile, struct owner *owners, uint32_t count)
{
    struct message m = {.kind = MSG_OWNERS,
                        .owners = {.folder = hostile->rig->id, .owners = owners, .count = count}};
    script_send(hostile, LANE_CONTROL, &m);
}

static struct identity *stranger(uint8_t seed)
{
    uint8_t bytes[32] = {seed, 55};
    return identity_from_seed(bytes);
}

// OFFER with all these incarnations, each with its owner's mark.
static void offer_all(struct script *hostile, const struct identity *owner, struct owner *owners,
                      uint32_t count)
{
    struct rig *rig = hostile->rig;
    struct vv k = {0};
    struct mark *marks = arena_alloc(rig->arena, count, sizeof *marks);
    for (uint32_t i = 0; i < count; i++) {
        k = vv_with(rig->arena, k, (struct dot){owners[i].inc, PROTO_COUNTER_MAX});
        marks[i].inc = owners[i].inc;
        marks[i].counter = PROTO_COUNTER_MAX;
        marks[i].first = marks[i].epoch = 1;
        mark_sign(owner, rig->id, &marks[i]);
    }
    struct message m = {.kind = MSG_OFFER, .offer = {.folder = rig->id, .has_items = true}};
    m.offer.name = slice_text("f");
    m.offer.state = OFFER_READY;
    m.offer.inc = hostile->inc;
    memcpy(m.offer.nonce, hostile->nonce, sizeof m.offer.nonce);
    m.offer.k = k;
    m.offer.marks = (struct marks){marks, count};
    script_send(hostile, LANE_CONTROL, &m);
}

// As many as are believed, all with marks and in K: offers, pages and DONE still fit.
static void test_all_incarnations(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    AUTO(identity_destroy) struct identity *other = stranger(1);
    uint32_t count = PROTO_OWNERS_MAX - 2; // ours, and its own
    struct owner *owners = arena_alloc(rig.arena, count, sizeof *owners);
    for (uint32_t i = 0; i < count; i++)
        owners[i] = owner_of(&rig, identity_device(other), i);
    owners_send(hostile, owners, count);
    offer_all(hostile, other, owners, count);
    assert_false(script_is_cut(hostile));
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig.id}};
    done.done.round = script_last(hostile, MSG_PULL)->pull.round;
    for (uint32_t i = 0; i < count; i++)
        done.done.k = vv_with(rig.arena, done.done.k, (struct dot){owners[i].inc, 1 + i});
    script_send(hostile, LANE_CONTROL, &done);
    rig_wait(&rig, 2000);
    assert_false(script_is_cut(hostile));
    struct script *taker = script_connect(&rig, 4);
    script_offer(taker, empty_k());
    pull_all(&rig, taker);
    assert_int_equal(script_last(taker, MSG_DONE)->done.k.count, count);
    assert_goes_on(&rig);
    rig_close(&rig);
}

static void test_too_many_incarnations(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    AUTO(identity_destroy) struct identity *other = stranger(1);
    struct owner *owners = arena_alloc(rig.arena, 1000, sizeof *owners);
    for (uint32_t from = 0; from < 10000; from += 1000) {
        for (uint32_t i = 0; i < 1000; i++)
            owners[i] = owner_of(&rig, identity_device(other), from + i);
        owners_send(hostile, owners, 1000);
    }
    assert_int_equal(store_owner_count(rig.store, rig.folder), 2);
    assert_refused(&rig, hostile, "too many incarnations of a folder");
    rig_close(&rig);

    hostile = hostile_in(&rig);
    owners = arena_alloc(rig.arena, PROTO_OWNERS_MAX, sizeof *owners);
    for (uint32_t i = 0; i < PROTO_OWNERS_MAX; i++)
        owners[i] = owner_of(&rig, identity_device(other), i);
    owners_send(hostile, owners, PROTO_OWNERS_MAX);
    assert_false(script_is_cut(hostile));
    offer_all(hostile, other, owners, PROTO_OWNERS_MAX); // confirmed by their owner
    assert_int_equal(store_owner_count(rig.store, rig.folder), 2);
    assert_refused(&rig, hostile, "too many incarnations of a folder");
    rig_close(&rig);
}

// The claims of a PULL are not bounded by marks; what is kept of them is.
static void test_pull_claims(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    for (uint64_t turn = 0; turn < 4; turn++) {
        struct message m = {.kind = MSG_PULL, .pull = {.folder = rig.id, .round = turn + 1}};
        struct dot *k = arena_alloc(rig.arena, 4096, sizeof *k);
        for (uint64_t i = 0; i < 4096; i++)
            k[i] = (struct dot){1 + turn * 4096 + i, PROTO_COUNTER_MAX};
        m.pull.k = (struct vv){k, 4096};
        script_send(hostile, LANE_CONTROL, &m);
    }
    struct message applied = {.kind = MSG_APPLIED, .applied = {.folder = rig.id}};
    script_send(hostile, LANE_CONTROL, &applied);
    rig_wait(&rig, 2000);
    struct peer_row row;
    assert_true(store_peer_get(rig.store, rig.arena, rig.folder, hostile->device, &row));
    assert_int_equal(row.k.count, 0);
    assert_goes_on(&rig);
    rig_close(&rig);
}

// ---- one item

static void test_many_heads(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    AUTO(identity_destroy) struct identity *other = stranger(1);
    enum { COUNT = PROTO_ITEM_DOTS_MAX + 20 };
    struct owner owners[COUNT];
    struct mark marks[COUNT];
    struct version *list = arena_alloc(rig.arena, COUNT, sizeof *list);
    char text[32];
    for (uint32_t i = 0; i < COUNT; i++) {
        owners[i] = owner_of(&rig, identity_device(other), i);
        struct dot dot = {owners[i].inc, 1};
        (void)snprintf(text, sizeof text, "content %u", i);
        list[i] = script_file(hostile, "path", text);
        list[i].vv = vv_with(rig.arena, empty_k(), dot);
        list[i].dots = (struct dots){list[i].vv.entries, 1};
        marks[i] = (struct mark){.inc = dot.inc, .counter = 1, .first = 1, .epoch = 1};
        mark_sign(other, rig.id, &marks[i]);
    }
    owners_send(hostile, owners, COUNT);
    struct message m = {.kind = MSG_PUSH};
    m.push.folder = rig.id;
    m.push.inc = hostile->inc;
    m.push.upto = script_mark(hostile, hostile->counter);
    m.push.marks = (struct marks){marks, COUNT};
    m.push.versions = (struct versions){list, COUNT};
    script_send(hostile, LANE_CONTROL, &m);
    assert_int_equal(rig_item(&rig, "path").head_count, 0);
    assert_refused(&rig, hostile, "too many concurrent versions of an item");
    rig_close(&rig);
}

// A content id that is not that of what it is said to be the content of.
static void push_with_other_id(struct script *hostile, struct version v)
{
    v.value.content.bytes[0] ^= 1;
    script_push(hostile, 0, &v, 1, NULL);
}

static void test_dishonest_link(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    push_with_other_id(hostile, script_link(hostile, "l", "nowhere"));
    assert_refused(&rig, hostile, "a link whose content id is not its target's");
    rig_close(&rig);
}

// The engine made it of nothing, found that it was wrong, and did so again, without end.
static void test_dishonest_nothing(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    push_with_other_id(hostile, script_file(hostile, "n", ""));
    rig_settle(&rig);
    assert_refused(&rig, hostile, "an empty file whose content id is not that of nothing");
    rig_close(&rig);
}

static void test_larger_than_any(void **state)
{
    (void)state;
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    struct version v = script_file(hostile, "path", "content");
    v.value.size = PROTO_FILE_BYTES_MAX + 1;
    script_push(hostile, 0, &v, 1, NULL);
    assert_int_equal(rig_item(&rig, "path").head_count, 0);
    assert_refused(&rig, hostile, "a file larger than any");
    rig_close(&rig);
}

// More events in one version than an item may have.
static void test_many_dots(void **state)
{
    (void)state;
    enum { COUNT = PROTO_ITEM_DOTS_MAX + 1 };
    static struct dot dots[COUNT];
    struct rig rig;
    struct script *hostile = hostile_in(&rig);
    struct version v = script_file(hostile, "path", "content");
    for (uint32_t i = 0; i < COUNT; i++)
        dots[i] = (struct dot){1000 + i, 1};
    v.vv = (struct vv){dots, COUNT};
    v.dots = (struct dots){dots, COUNT};
    script_push(hostile, 0, &v, 1, NULL);
    assert_int_equal(rig_item(&rig, "path").head_count, 0);
    assert_refused(&rig, hostile, "a version with too many dots");
    rig_close(&rig);
}

// Two contents at once, each said to be made from itself by an event that nobody knows: neither is
// a reason to drop the other, and none to end.
static void test_made_from_itself(void **state)
{
    (void)state;
    static const char *const texts[] = {"one", "two"};
    struct rig rig;
    struct script *peers[2];
    struct version v[2];
    rig_open(&rig);
    for (uint8_t i = 0; i < 2; i++) {
        peers[i] = script_connect(&rig, (uint8_t)(3 + i));
        script_offer(peers[i], (struct vv){0});
        v[i] = script_file(peers[i], "p", texts[i]);
        v[i].has_parent = true;
        v[i].parent = v[i].value.content;
        v[i].birth = (struct birth){1600000000000, 99, i + 1U};
    }
    rig_settle(&rig);
    for (uint32_t i = 0; i < 2; i++)
        script_push(peers[i], 0, &v[i], 1, texts[i]);
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "p");
    assert_int_equal(item.head_count, 1);
    assert_true(digest_equal(item.heads[0].value.content, v[1].value.content));
    assert_int_equal(item.local.state, LOCAL_OK);
    assert_int_equal(rig_status(&rig).conflicts, 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bundle_of_too_many),
        cmocka_unit_test(test_bundle_too_large),
        cmocka_unit_test(test_bundles_fit_into_pages),
        cmocka_unit_test(test_clash_over_many),
        cmocka_unit_test(test_all_incarnations),
        cmocka_unit_test(test_too_many_incarnations),
        cmocka_unit_test(test_pull_claims),
        cmocka_unit_test(test_many_heads),
        cmocka_unit_test(test_dishonest_link),
        cmocka_unit_test(test_dishonest_nothing),
        cmocka_unit_test(test_larger_than_any),
        cmocka_unit_test(test_many_dots),
        cmocka_unit_test(test_made_from_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
