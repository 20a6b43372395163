// SPDX-License-Identifier: MIT
//
// Who is told of whom, and what counts of what is said; more of it end to end in test_known.py.
#include "agent/sync/known.h"
#include "tests/unit/sync/rig.h"

// A peer that understands PEERS, in a session that began after it did.
static struct script *listener(struct rig *rig, uint8_t seed)
{
    struct script *peer = script_connect(rig, seed);
    peer->features = PROTO_FEATURE_PEERS;
    script_reconnect(peer);
    rig_wait(rig, 3000); // the first session has gone
    return peer;
}

static void names(struct script *peer, uint8_t first, uint32_t count, const char *address)
{
    struct named_device devices[PROTO_PEERS_MAX] = {{{{0}}, {0}, 0, {{0}}}};
    struct message m = {.kind = MSG_PEERS, .peers = {devices, count}};
    for (uint32_t i = 0; i < count; i++) {
        devices[i].device.bytes[0] = (uint8_t)(first + i);
        devices[i].name = slice_text("box");
        devices[i].address_count = PROTO_PEER_ADDRESSES_MAX;
        for (uint32_t j = 0; j < PROTO_PEER_ADDRESSES_MAX; j++)
            devices[i].addresses[j] =
                slice_text(arena_printf(peer->rig->arena, "%s%u", address, (unsigned)j));
    }
    script_send(peer, LANE_CONTROL, &m);
}

static uint32_t known(struct rig *rig, struct known_device **out)
{
    return engine_known(rig->engine, rig->arena, out);
}

static void test_two_are_needed(void **state)
{
    (void)state;
    static struct rig rig;
    struct known_device *out;
    rig_open(&rig);
    struct script *p = listener(&rig, 1), *q = listener(&rig, 2);
    names(p, 10, 3, "tcp://10.0.0.1:");
    names(p, 10, 3, "tcp://10.0.0.1:"); // one's word twice is one's word
    assert_int_equal(known(&rig, &out), 0);
    names(q, 12, 2, "tcp://10.0.0.2:");
    assert_int_equal(known(&rig, &out), 1);
    assert_int_equal(out[0].device.bytes[0], 12);
    assert_int_equal(out[0].by_count, 2);
    // Each of them has its share of the addresses.
    assert_int_equal(out[0].address_count, PROTO_PEER_ADDRESSES_MAX);
    uint32_t of_p = 0;
    for (uint32_t i = 0; i < out[0].address_count; i++)
        of_p += memcmp(out[0].addresses[i].data, "tcp://10.0.0.1", 14) == 0;
    assert_int_equal(of_p, PROTO_PEER_ADDRESSES_MAX / 2);

    engine_peer_approves(rig.engine, q->device, false);
    assert_int_equal(known(&rig, &out), 0);
    engine_peer_approves(rig.engine, q->device, true);
    assert_int_equal(known(&rig, &out), 1);
    engine_peer_put(rig.engine, out[0].device, "box");
    assert_int_equal(known(&rig, &out), 0); // it is trusted now
    engine_peer_remove(rig.engine, (struct device_id){{12}});
    assert_int_equal(known(&rig, &out), 1);

    // Who comes again as an older program has said nothing.
    q->features = 0;
    script_reconnect(q);
    rig_wait(&rig, 3000);
    assert_int_equal(known(&rig, &out), 0);
    rig_close(&rig);
}

static void test_own_id_counts_for_nothing(void **state)
{
    (void)state;
    static struct rig rig;
    struct known_device *out;
    rig_open(&rig);
    for (uint8_t seed = 1; seed <= 2; seed++) {
        struct script *peer = listener(&rig, seed);
        struct named_device self = {.device = identity_device(rig.identity),
                                    .name = slice_text("you")};
        struct message m = {.kind = MSG_PEERS, .peers = {&self, 1}};
        script_send(peer, LANE_CONTROL, &m);
    }
    assert_int_equal(known(&rig, &out), 0);
    rig_close(&rig);
}

// Of more than fit into a message those of the smallest ids, and nothing once more for nothing.
static void test_many(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = listener(&rig, 1);
    assert_int_equal(script_last(peer, MSG_PEERS)->peers.count, 0);
    for (uint32_t i = 100; i > 0; i--) {
        struct device_id device = {{0, (uint8_t)i}};
        char address[80] = "tcp://10.0.0.1:7575";
        char *const list[] = {address, address};
        engine_peer_put(rig.engine, device, "other");
        engine_peer_addresses(rig.engine, device, list, 2);
    }
    engine_tick(rig.engine);
    const struct msg_peers *told = &script_last(peer, MSG_PEERS)->peers;
    assert_int_equal(told->count, PROTO_PEERS_MAX);
    assert_int_equal(told->devices[0].device.bytes[1], 1);
    assert_int_equal(told->devices[63].device.bytes[1], 64);
    assert_int_equal(told->devices[63].address_count, 2);
    uint32_t said = script_heard(peer, MSG_PEERS);
    assert_int_equal(said, 2); // a hundred changes, one message
    engine_peer_put(rig.engine, (struct device_id){{0, 100}}, "renamed");
    assert_true(engine_deadline(rig.engine) <= rig.now_ms);
    engine_tick(rig.engine);
    assert_int_equal(script_heard(peer, MSG_PEERS), said); // it was told of none such
    rig_close(&rig);
}

static bool told_of(const struct script *peer, uint8_t id)
{
    const struct msg_peers *told = &script_last(peer, MSG_PEERS)->peers;
    for (uint32_t i = 0; i < told->count; i++) {
        if (told->devices[i].device.bytes[1] == id) return true;
    }
    return false;
}

// Who shares no folder with another is not told of it, nor is anybody of one that is not trusted
// with what it says, or whose name no message holds.
static void test_who_is_told_of_whom(void **state)
{
    (void)state;
    static struct rig rig;
    char longer[PROTO_PEER_NAME_BYTES_MAX + 2];
    const struct device_id with = {{0, 1}}, without = {{0, 2}}, unsure = {{0, 3}}, named = {{0, 4}};
    rig_open(&rig);
    memset(longer, 'n', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    struct script *peer = listener(&rig, 1);
    const struct device_id members[] = {peer->device, with, unsure, named};
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig.id, .with = members, .with_count = 4};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    engine_peer_put(rig.engine, with, "with");
    engine_peer_put(rig.engine, without, "without");
    engine_peer_put(rig.engine, unsure, "unsure");
    engine_peer_put(rig.engine, named, longer);
    engine_peer_approves(rig.engine, unsure, false);
    rig_wait(&rig, 1000);
    assert_true(told_of(peer, 1));
    assert_false(told_of(peer, 2) || told_of(peer, 3) || told_of(peer, 4));
    longer[PROTO_PEER_NAME_BYTES_MAX] = 0;
    engine_peer_put(rig.engine, named, longer);
    rig_wait(&rig, 1000);
    assert_true(told_of(peer, 4));
    // It shares a folder with it from now on.
    const struct engine_folder other = {
        .name = "g", .path = "/g", .id = {{0x81}}, .with_all = true};
    uint32_t number;
    assert_int_equal(engine_folder_put(rig.engine, &other, &number), ERR_OK);
    engine_peer_put(rig.engine, without, "without any more");
    rig_wait(&rig, 1000);
    assert_true(told_of(peer, 2));
    rig_close(&rig);
}

// As many addresses as a message holds, and none that it does not.
static void test_addresses_told(void **state)
{
    (void)state;
    static struct rig rig;
    enum { COUNT = PROTO_PEER_ADDRESSES_MAX + 3 };
    char text[COUNT][PROTO_PEER_ADDRESS_BYTES_MAX + 2];
    char *list[COUNT];
    rig_open(&rig);
    struct script *peer = listener(&rig, 1);
    const struct device_id other = {{0, 1}};
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text[i], sizeof text[i], "tcp://10.0.0.%d:7575", i);
        list[i] = text[i];
    }
    memset(text[0], 'x', sizeof text[0] - 1);
    text[0][sizeof text[0] - 1] = 0;
    engine_peer_put(rig.engine, other, "other");
    engine_peer_addresses(rig.engine, other, list, COUNT);
    rig_wait(&rig, 1000);
    const struct msg_peers *told = &script_last(peer, MSG_PEERS)->peers;
    assert_int_equal(told->count, 1);
    assert_int_equal(told->devices[0].address_count, PROTO_PEER_ADDRESSES_MAX);
    assert_true(slice_equal(told->devices[0].addresses[0], slice_text("tcp://10.0.0.1:7575")));
    rig_close(&rig);
}

// Two say the same addresses: each is listed once.
static void test_same_addresses(void **state)
{
    (void)state;
    static struct rig rig;
    struct known_device *out;
    rig_open(&rig);
    struct script *p = listener(&rig, 1), *q = listener(&rig, 2);
    names(p, 10, 1, "tcp://10.0.0.1:");
    names(q, 10, 1, "tcp://10.0.0.1:");
    assert_int_equal(known(&rig, &out), 1);
    assert_int_equal(out[0].address_count, PROTO_PEER_ADDRESSES_MAX);
    for (uint32_t i = 1; i < out[0].address_count; i++)
        assert_false(slice_equal(out[0].addresses[i], out[0].addresses[i - 1]));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_are_needed), cmocka_unit_test(test_own_id_counts_for_nothing),
        cmocka_unit_test(test_many),           cmocka_unit_test(test_who_is_told_of_whom),
        cmocka_unit_test(test_addresses_told), cmocka_unit_test(test_same_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
