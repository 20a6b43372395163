// SPDX-License-Identifier: MIT
//
// Slow receivers, garbage and silence: bounded memory, nobody else delayed, nothing left behind.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.h>

#include "agent/base/own.h"
#include "net_test.h"

enum { CHUNK = 128 << 10, BULK_BUDGET = 4 << 20, CONTROL_BUDGET = 8 << 20 };

// Sends until BUSY; returns the number of chunks taken.
static uint32_t fill(struct device *device, conn_id conn)
{
    AUTO(mem_free) uint8_t *chunk = mem_zalloc(1, CHUNK);
    uint32_t taken = 0;
    for (; taken < SEEN_MAX; taken++) {
        memcpy(chunk, &taken, sizeof taken);
        enum err err = net_send(device->net, conn, slice_of(chunk, CHUNK));
        if (err == ERR_BUSY) return taken;
        assert_int_equal(err, ERR_OK);
    }
    fail();
    return 0;
}

// How many chunks may be under way besides the queue: ZeroMQ's queues on both sides and the
// kernel's.
enum { UNDER_WAY = 1200 };

static void slow_accepter_then_drained(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    conn_id bulk = device_seen(a, NET_UP, 1)->conn;
    uint32_t taken = fill(a, bulk); // b does not read
    assert_in_range(taken, BULK_BUDGET / CHUNK / 2, UNDER_WAY);
    assert_in_range(net_queued(a->net, bulk), BULK_BUDGET / 2, BULK_BUDGET);
    assert_int_equal(device_count(a, NET_DRAINED), 0);
    // the control lane is not behind it
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "small"));
    assert_int_equal(net_queued(a->net, device_seen(a, NET_UP, 0)->conn), 0);
    assert_true(pump_until(a, b, a, NET_DRAINED, 1, 5000));
    assert_true(net_queued(a->net, bulk) < BULK_BUDGET / 2);
    assert_true(pump_until(a, b, b, NET_MESSAGE, taken + 1, 5000));
    assert_int_equal(device_count(a, NET_DRAINED), 1);
    assert_int_equal(net_queued(a->net, bulk), 0);
    uint32_t next = 0;
    for (uint32_t i = 0; i < taken + 1; i++) {
        const struct seen *seen = device_seen(b, NET_MESSAGE, i);
        if (seen->size != CHUNK) continue;
        assert_memory_equal(seen->head, &next, sizeof next);
        next++;
    }
    assert_int_equal(next, taken);
}

// The other direction, with a second peer that must not notice.
static void slow_dialler_delays_nobody(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    AUTO(device_destroy) struct device *c = device_new(3);
    pair_up(a, b);
    device_trust(c, b);
    device_trust(b, c);
    device_open(c, false);
    device_dial(c, b);
    assert_true(pump_until(c, b, c, NET_UP, 2, 3000));
    assert_true(device_send(a, device_seen(a, NET_UP, 1)->conn, "a"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
    assert_true(device_send(c, device_seen(c, NET_UP, 0)->conn, "c"));
    assert_true(pump_until(c, b, b, NET_MESSAGE, 2, 2000));
    conn_id slow = device_seen(b, NET_MESSAGE, 0)->conn;
    conn_id quick = device_seen(b, NET_MESSAGE, 1)->conn;
    uint32_t taken = fill(b, slow);
    assert_in_range(net_queued(b->net, slow), CONTROL_BUDGET / 2, CONTROL_BUDGET);
    for (uint32_t i = 0; i < 50; i++) {
        int64_t start_ms = test_now_ms();
        assert_true(device_send(b, quick, "quick"));
        assert_true(pump_until(c, b, c, NET_MESSAGE, i + 1, 1000));
        assert_true(test_now_ms() - start_ms < 500);
    }
    assert_true(pump_until(a, b, b, NET_DRAINED, 1, 5000));
    assert_true(pump_until(a, b, a, NET_MESSAGE, taken, 5000));
    assert_int_equal(net_queued(b->net, slow), 0);
}

static void down_with_a_full_queue(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    assert_true(device_send(a, device_seen(a, NET_UP, 1)->conn, "a"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
    conn_id slow = device_seen(b, NET_MESSAGE, 0)->conn;
    (void)fill(b, slow);
    net_close(&a->net, 0);
    assert_true(pump_until(a, b, b, NET_DOWN, 1, 3000));
    assert_int_equal(net_queued(b->net, slow), 0);
    assert_int_equal(net_send(b->net, slow, slice_text("x")), ERR_UNREACHABLE);
    pump_for(NULL, b, 50);
    int64_t start_ms = test_now_ms();
    device_pump(b, 200); // and nothing is tried again for ever
    assert_true(test_now_ms() - start_ms >= 190);
}

static int raw_connect(const struct device *device)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)strtoul(strrchr(device_endpoint(device), ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void silence_costs_nothing_lasting(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    int fds[COUNT];
    pair_up(a, b);
    uint32_t before = open_fd_count();
    for (int i = 0; i < COUNT; i++)
        fds[i] = raw_connect(b);
    pump_for(a, b, 300);
    // those of this test itself, and none on the other side: the kernel keeps them
    assert_in_range(open_fd_count(), before, before + COUNT + 4);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(send(fds[i], "\xff", 1, MSG_NOSIGNAL), 1);
    pump_for(a, b, 4000); // one byte each makes them accepted; the handshake's deadline ends them
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    pump_for(a, b, 200);
    assert_in_range(open_fd_count(), before - 2, before + 4);
    assert_int_equal(device_count(a, NET_DOWN), 0);
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "still here"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
}

static void garbage_is_closed(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    uint32_t before = open_fd_count();
    static const uint8_t null_greeting[64] = {0xff, 0,    0, 0, 0,   0,   0,   0,
                                              1,    0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    static const uint8_t huge[] = {0xff, 0, 0, 0,   0,   0,   0,   0,  1,
                                   0x7f, 3, 0, 'C', 'U', 'R', 'V', 'E'};
    for (int i = 0; i < 60; i++) {
        uint8_t bytes[1024] = {0};
        AUTO(fd_close) int fd = raw_connect(b);
        crypto_random(bytes, sizeof bytes);
        if (i % 4 == 1) memcpy(bytes, null_greeting, sizeof null_greeting);
        if (i % 4 == 2) memcpy(bytes, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 28);
        if (i % 4 == 3) {
            memset(bytes, 0, 64);
            memcpy(bytes, huge, sizeof huge);
            memcpy(bytes + 64, "\x06\x7f\xff\xff\xff\xff\xff\xff\xff", 9);
        }
        assert_true(send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0);
        pump_for(a, b, 5);
    }
    pump_for(a, b, 500);
    assert_in_range(open_fd_count(), before - 2, before + 2);
    assert_int_equal(device_count(b, NET_UP), 0);
    assert_int_equal(device_count(b, NET_MESSAGE), 0);
    assert_int_equal(device_count(a, NET_DOWN), 0);
}

// A trusted peer that is not our program: plain ZeroMQ with the keys of `a`.
static void *foreign_dealer(void *context, struct device *a, const struct device *b)
{
    uint8_t key[CURVE_KEY_BYTES];
    int linger = 0;
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(dealer, ZMQ_LINGER, &linger, sizeof linger);
    identity_curve_public(a->identity, key);
    zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, key, sizeof key);
    identity_curve_secret(a->identity, key);
    zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, key, sizeof key);
    identity_curve_public(b->identity, key);
    zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, key, sizeof key);
    return dealer;
}

static void multipart_and_chosen_ids_are_dropped(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    device_trust(b, a);
    device_open(b, true);
    void *context = zmq_ctx_new();
    void *parts = foreign_dealer(context, a, b);
    void *chosen = foreign_dealer(context, a, b);
    zmq_setsockopt(chosen, ZMQ_ROUTING_ID, "mine", 4);
    assert_int_equal(zmq_connect(parts, device_endpoint(b)), 0);
    assert_int_equal(zmq_connect(chosen, device_endpoint(b)), 0);
    zmq_send(chosen, "x", 1, 0);
    zmq_send(parts, "whole", 5, 0);
    assert_true(pump_until(NULL, b, b, NET_MESSAGE, 1, 3000));
    zmq_send(parts, "first", 5, ZMQ_SNDMORE);
    zmq_send(parts, "second", 6, 0);
    assert_true(pump_until(NULL, b, b, NET_DOWN, 1, 3000));
    pump_for(NULL, b, 100);
    assert_int_equal(device_count(b, NET_MESSAGE), 1);
    assert_true(seen_is(device_seen(b, NET_MESSAGE, 0), "whole"));
    assert_int_equal(device_seen(b, NET_DOWN, 0)->conn, device_seen(b, NET_MESSAGE, 0)->conn);
    zmq_close(parts);
    zmq_close(chosen);
    zmq_ctx_term(context);
}

// Connections come and go quickly, so that descriptors are reused: every UP gets its one DOWN.
static void ups_and_downs_match(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    AUTO(device_destroy) struct device *b = device_new(2);
    uint32_t before = 0;
    device_open(b, true);
    for (int i = 0; i < ROUNDS; i++) {
        AUTO(device_destroy) struct device *a = device_new(1);
        if (i == 0) device_trust(b, a);
        if (i == 5) before = open_fd_count();
        device_trust(a, b);
        device_open(a, false);
        device_dial(a, b);
        assert_true(pump_until(a, b, a, NET_UP, 2, 3000));
        assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "one"));
        assert_true(device_send(a, device_seen(a, NET_UP, 1)->conn, "two"));
        net_close(&a->net, 500);
    }
    assert_true(pump_until(NULL, b, b, NET_DOWN, ROUNDS * 2, 3000));
    pump_for(NULL, b, 100);
    assert_int_equal(device_count(b, NET_UP), ROUNDS * 2);
    assert_int_equal(device_count(b, NET_MESSAGE), ROUNDS * 2);
    assert_int_equal(device_count(b, NET_DOWN), ROUNDS * 2);
    assert_true(open_fd_count() <= before + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_accepter_then_drained),
        cmocka_unit_test(slow_dialler_delays_nobody),
        cmocka_unit_test(down_with_a_full_queue),
        cmocka_unit_test(silence_costs_nothing_lasting),
        cmocka_unit_test(garbage_is_closed),
        cmocka_unit_test(multipart_and_chosen_ids_are_dropped),
        cmocka_unit_test(ups_and_downs_match),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
