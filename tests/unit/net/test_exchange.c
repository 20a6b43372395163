// SPDX-License-Identifier: MIT
//
// Two devices that trust each other: messages on both lanes in both directions, in order, and what
// happens when one of them goes away.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "net_test.h"

static void both_lanes_both_ways(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    const struct seen *control = device_seen(a, NET_UP, 0);
    const struct seen *bulk = device_seen(a, NET_UP, 1);
    assert_int_equal(control->lane, LANE_CONTROL);
    assert_int_equal(bulk->lane, LANE_BULK);
    assert_true(control->dialled && bulk->dialled);
    assert_string_equal(control->address, device_endpoint(b));
    assert_memory_equal(&control->device, &b->id, sizeof b->id);

    assert_true(device_send(a, control->conn, "to control"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
    assert_true(device_send(a, bulk->conn, "to bulk"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 2, 2000));
    assert_int_equal(device_count(b, NET_UP), 2);
    const struct seen *first = device_seen(b, NET_MESSAGE, 0);
    const struct seen *second = device_seen(b, NET_MESSAGE, 1);
    assert_true(seen_is(first, "to control"));
    assert_true(seen_is(second, "to bulk"));
    assert_int_not_equal(first->conn, second->conn);
    assert_false(first->dialled);
    assert_memory_equal(&first->device, &a->id, sizeof a->id);
    assert_int_equal(strncmp(first->address, "tcp://127.0.0.1:", 16), 0);

    assert_true(device_send(b, first->conn, "answer on control"));
    assert_true(device_send(b, second->conn, "answer on bulk"));
    assert_true(pump_until(a, b, a, NET_MESSAGE, 2, 2000));
    for (uint32_t i = 0; i < 2; i++) {
        const struct seen *answer = device_seen(a, NET_MESSAGE, i);
        bool is_control = answer->conn == control->conn;
        assert_true(seen_is(answer, is_control ? "answer on control" : "answer on bulk"));
    }
}

static void order_is_kept(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    conn_id control = device_seen(a, NET_UP, 0)->conn;
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(net_send(a->net, control, slice_of(&i, sizeof i)), ERR_OK);
    }
    assert_true(pump_until(a, b, b, NET_MESSAGE, COUNT, 5000));
    conn_id back = device_seen(b, NET_MESSAGE, 0)->conn;
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_memory_equal(device_seen(b, NET_MESSAGE, i)->head, &i, sizeof i);
        assert_int_equal(net_send(b->net, back, slice_of(&i, sizeof i)), ERR_OK);
    }
    assert_true(pump_until(a, b, a, NET_MESSAGE, COUNT, 5000));
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_memory_equal(device_seen(a, NET_MESSAGE, i)->head, &i, sizeof i);
    }
}

static void largest_goes_larger_is_refused(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    AUTO(mem_free) uint8_t *bytes = mem_zalloc(1, PROTO_MESSAGE_BYTES_MAX + 1);
    pair_up(a, b);
    conn_id bulk = device_seen(a, NET_UP, 1)->conn;
    struct slice larger = slice_of(bytes, PROTO_MESSAGE_BYTES_MAX + 1);
    assert_int_equal(net_send(a->net, bulk, larger), ERR_LIMIT);
    assert_int_equal(net_send(a->net, bulk, slice_of(bytes, PROTO_MESSAGE_BYTES_MAX)), ERR_OK);
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 3000));
    assert_int_equal(device_seen(b, NET_MESSAGE, 0)->size, PROTO_MESSAGE_BYTES_MAX);
    assert_int_equal(device_count(a, NET_DOWN), 0);
}

static void closing_says_down_after_the_last_message(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "hello"));
    assert_true(device_send(a, device_seen(a, NET_UP, 1)->conn, "hello"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 2, 2000));
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "bye"));
    net_close(&a->net, 500);
    assert_true(pump_until(a, b, b, NET_DOWN, 2, 2000));
    assert_true(seen_is(device_seen(b, NET_MESSAGE, 2), "bye"));
    conn_id gone = device_seen(b, NET_DOWN, 0)->conn;
    assert_int_equal(net_send(b->net, gone, slice_text("x")), ERR_UNREACHABLE);
    assert_int_equal(device_count(b, NET_UP), 2);
}

static void dropping_one_lane_redials_the_pair(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "one"));
    assert_true(device_send(a, device_seen(a, NET_UP, 1)->conn, "two"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 2, 2000));
    net_drop(b->net, device_seen(b, NET_MESSAGE, 1)->conn);
    assert_true(pump_until(a, b, a, NET_DOWN, 2, 2000));
    assert_true(pump_until(a, b, b, NET_DOWN, 2, 2000));
    assert_true(pump_until(a, b, a, NET_UP, 4, 3000));
    assert_true(device_send(a, device_seen(a, NET_UP, 2)->conn, "again"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 3, 2000));
    pump_for(a, b, 100);
    assert_int_equal(device_count(b, NET_DOWN), 2);
    assert_int_equal(device_count(a, NET_DOWN), 2);
}

static void reconnects_when_the_listener_is_back(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    struct fault fault = {0};
    char endpoint[64];
    pair_up(a, b);
    snprintf(endpoint, sizeof endpoint, "%s", device_endpoint(b));
    net_close(&b->net, 0);
    assert_true(pump_until(a, b, a, NET_DOWN, 2, 2000));
    pump_for(a, b, 1500);
    uint32_t failures = device_count(a, NET_FAILED);
    assert_in_range(failures, 1, 5); // 0.2 s doubling, not 100 ms for ever
    assert_string_equal(device_seen(a, NET_FAILED, 0)->text, "refused");
    assert_string_equal(device_seen(a, NET_FAILED, 0)->address, endpoint);
    assert_int_equal(device_open_at(b, endpoint, &fault), ERR_OK);
    net_redial_now(a->net, b->id);
    assert_true(pump_until(a, b, a, NET_UP, 4, 1000));
    assert_true(device_send(a, device_seen(a, NET_UP, 2)->conn, "back"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
}

static void dial_of_nothing_closes(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    net_dial(a->net, b->id, NULL, 0);
    assert_true(pump_until(a, b, a, NET_DOWN, 2, 500));
    pump_for(a, b, 600);
    assert_int_equal(device_count(a, NET_UP), 2);
    assert_true(net_next_ms(a->net) == INT64_MAX);
}

static void addresses_in_turn_and_names(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    device_trust(a, b);
    device_trust(b, a);
    device_open(a, false);
    device_open(b, true);
    char name[64];
    snprintf(name, sizeof name, "tcp://localhost%s", strrchr(device_endpoint(b), ':'));
    const char *addresses[] = {"nonsense", "tcp://127.0.0.1:1", name};
    net_dial(a->net, b->id, addresses, 3);
    assert_true(pump_until(a, b, a, NET_UP, 2, 4000));
    assert_int_equal(device_seen(a, NET_FAILED, 0)->conn, 0);
    assert_string_equal(device_seen(a, NET_FAILED, 1)->text, "refused");
    assert_string_equal(device_seen(a, NET_FAILED, 1)->address, "tcp://127.0.0.1:1");
    assert_string_equal(device_seen(a, NET_UP, 0)->address, name);
}

// One that accepts and says nothing, and one that drops all: nobody waits for their ends.
static void addresses_are_raced(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    struct sockaddr_in own = {.sin_family = AF_INET};
    socklen_t size = sizeof own;
    char silent[64];
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&own, &size), 0);
    snprintf(silent, sizeof silent, "tcp://127.0.0.1:%u", ntohs(own.sin_port));
    device_trust(a, b);
    device_trust(b, a);
    device_open(a, false);
    device_open(b, true);
    const char *addresses[] = {silent, silent, device_endpoint(b)};
    int64_t start_ms = test_now_ms();
    net_dial(a->net, b->id, addresses, 3);
    assert_true(pump_until(a, b, a, NET_UP, 2, 2900)); // a silent one's end comes after 3 s
    assert_true(test_now_ms() - start_ms >= 400);      // they had their turns
    assert_int_equal(device_count(a, NET_FAILED), 0);
    assert_string_equal(device_seen(a, NET_UP, 0)->address, addresses[2]);
    assert_int_equal(device_seen(a, NET_UP, 0)->lane, LANE_CONTROL);
    assert_int_equal(device_seen(a, NET_UP, 1)->lane, LANE_BULK);
    pump_for(a, b, 4000); // the other tries were called off
    assert_int_equal(device_count(a, NET_FAILED), 0);
    assert_int_equal(device_count(a, NET_UP), 2);
    close(listener);
}

// One look a second at what connections receive (flow.c), and nothing else.
static void waits_almost_without_timers(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    pump_for(a, b, 50);
    int64_t start_ms = test_now_ms();
    assert_in_range(net_next_ms(a->net) - start_ms, 500, 1000);
    assert_in_range(net_next_ms(b->net) - start_ms, 500, 1000);
    device_pump(a, 300);
    device_pump(b, 300);
    assert_true(test_now_ms() - start_ms >= 590);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_lanes_both_ways),
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(largest_goes_larger_is_refused),
        cmocka_unit_test(closing_says_down_after_the_last_message),
        cmocka_unit_test(dropping_one_lane_redials_the_pair),
        cmocka_unit_test(reconnects_when_the_listener_is_back),
        cmocka_unit_test(dial_of_nothing_closes),
        cmocka_unit_test(addresses_in_turn_and_names),
        cmocka_unit_test(addresses_are_raced),
        cmocka_unit_test(waits_almost_without_timers),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
