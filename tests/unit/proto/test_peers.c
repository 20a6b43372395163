// SPDX-License-Identifier: MIT
//
// PEERS: what it may hold at most, and lists that no honest device sends.
#include "make.h"
#include "proto/writer_priv.h"

// Ids that rise by `step` from 0 (0: all the same), each with this name and these many addresses.
static enum err judge(uint32_t count, uint32_t step, const char *name, uint32_t addresses,
                      const char *address, struct fault *fault)
{
    AUTO(buf_fini) struct buf frame = {0};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct writer w;
    struct message m;
    writer_init(&w, &frame);
    writer_array(&w, 3);
    writer_text(&w, slice_text("PEERS"));
    writer_uint(&w, 7);
    writer_map(&w, 1);
    writer_text(&w, slice_text("peers"));
    writer_array(&w, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t id[32] = {(uint8_t)(i * step >> 8), (uint8_t)(i * step)};
        writer_array(&w, 3);
        writer_bin(&w, id, sizeof id);
        writer_text(&w, slice_text(name));
        writer_array(&w, addresses);
        for (uint32_t j = 0; j < addresses; j++)
            writer_text(&w, slice_text(address));
    }
    *fault = (struct fault){0};
    return message_decode(arena, buf_slice(&frame), &m, fault);
}

#define ADDRESS "tcp://10.0.0.2:7575"
#define SIXTEEN "0123456789abcdef"
#define TEXT_64 SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static void test_bounds(void **state)
{
    (void)state;
    struct fault fault;
    assert_int_equal(judge(0, 1, "a", 0, ADDRESS, &fault), ERR_OK);
    assert_int_equal(judge(PROTO_PEERS_MAX, 1, TEXT_64, PROTO_PEER_ADDRESSES_MAX, TEXT_64, &fault),
                     ERR_OK);
    assert_int_equal(judge(PROTO_PEERS_MAX + 1, 1, "a", 0, ADDRESS, &fault), ERR_LIMIT);
    assert_int_equal(judge(1000, 1, "a", 1, ADDRESS, &fault), ERR_LIMIT);
    assert_int_equal(judge(1, 1, TEXT_64 "x", 1, ADDRESS, &fault), ERR_LIMIT);
    assert_int_equal(judge(1, 1, "a", PROTO_PEER_ADDRESSES_MAX + 1, ADDRESS, &fault), ERR_LIMIT);
    assert_int_equal(judge(1, 1, "a", 1, TEXT_64 "x", &fault), ERR_LIMIT);
}

static void test_hostile(void **state)
{
    (void)state;
    struct fault fault;
    assert_int_equal(judge(2, 0, "a", 0, ADDRESS, &fault), ERR_MALFORMED);
    assert_string_equal(fault.what, "devices out of order");
    assert_int_equal(judge(3, 65535, "a", 0, ADDRESS, &fault), ERR_MALFORMED); // falling
    assert_int_equal(judge(1, 1, "", 0, ADDRESS, &fault), ERR_MALFORMED);
    assert_int_equal(judge(1, 1, "a", 1, "", &fault), ERR_MALFORMED);
    assert_int_equal(judge(1, 1, "\xff", 0, ADDRESS, &fault), ERR_MALFORMED);
    assert_int_equal(judge(1, 1, "a", 1, "\xc0\x80", &fault), ERR_MALFORMED);
}

// Whatever an honest encoder makes fits into one message.
static void test_largest(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf frame = {0};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct message m = {.kind = MSG_PEERS, .session = UINT64_MAX};
    m.peers.devices = arena_alloc(arena, PROTO_PEERS_MAX, sizeof *m.peers.devices);
    m.peers.count = PROTO_PEERS_MAX;
    for (uint32_t i = 0; i < PROTO_PEERS_MAX; i++) {
        struct named_device *device = &m.peers.devices[i];
        device->device.bytes[0] = (uint8_t)i;
        device->name = slice_text(TEXT_64);
        device->address_count = PROTO_PEER_ADDRESSES_MAX;
        for (uint32_t j = 0; j < PROTO_PEER_ADDRESSES_MAX; j++)
            device->addresses[j] = slice_text(TEXT_64);
    }
    message_encode(&m, &frame);
    assert_true(frame.size <= PROTO_PEERS_BYTES_MAX);
    struct fault fault;
    struct message back;
    assert_int_equal(message_decode(arena, buf_slice(&frame), &back, &fault), ERR_OK);
    assert_int_equal(back.peers.count, PROTO_PEERS_MAX);
    assert_true(slice_equal(back.peers.devices[63].addresses[7], slice_text(TEXT_64)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
