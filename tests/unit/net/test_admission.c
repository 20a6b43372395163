// SPDX-License-Identifier: MIT
//
// Who gets in, and what happens to a device that is not trusted any more.
#include "agent/base/own.h"
#include "net_test.h"

static void nothing_delivered(const struct device *device)
{
    assert_int_equal(device_count(device, NET_UP), 0);
    assert_int_equal(device_count(device, NET_MESSAGE), 0);
}

static void stranger_is_refused(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    device_trust(a, b);
    device_open(a, false);
    device_open(b, true);
    device_dial(a, b);
    assert_true(pump_until(a, b, a, NET_FAILED, 2, 3000));
    assert_string_equal(device_seen(a, NET_FAILED, 0)->text, "key not accepted");
    nothing_delivered(a);
    nothing_delivered(b);
    device_trust(b, a); // and is let in as soon as it is trusted
    assert_true(pump_until(a, b, a, NET_UP, 2, 3000));
}

static void wrong_server_key_fails(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    AUTO(device_destroy) struct device *c = device_new(3);
    device_trust(a, b);
    device_trust(a, c);
    device_trust(b, a);
    device_open(a, false);
    device_open(b, true);
    const char *address = device_endpoint(b);
    net_dial(a->net, c->id, &address, 1); // c is expected, b answers
    assert_true(pump_until(a, b, a, NET_FAILED, 2, 8000));
    nothing_delivered(a);
    nothing_delivered(b);
}

// a does not trust b (any more), b trusts a: nothing of b reaches a, and the session ends.
static void one_sided_trust_delivers_nothing(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "hello"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
    device_distrust(a);
    assert_true(device_send(b, device_seen(b, NET_MESSAGE, 0)->conn, "you cannot hear me"));
    assert_true(pump_until(a, b, a, NET_DOWN, 2, 2000));
    assert_int_equal(device_count(a, NET_MESSAGE), 0);
}

static void distrusted_sender_is_cut(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "hello"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
    device_distrust(b);
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "still here?"));
    assert_true(device_send(a, device_seen(a, NET_UP, 1)->conn, "a first message"));
    assert_true(pump_until(a, b, a, NET_DOWN, 2, 2000));
    assert_true(pump_until(a, b, a, NET_FAILED, 1, 2000));
    assert_string_equal(device_seen(a, NET_FAILED, 0)->text, "key not accepted");
    assert_int_equal(device_count(b, NET_MESSAGE), 1);
    assert_int_equal(device_count(b, NET_UP), 1);
    assert_int_equal(device_count(b, NET_DOWN), 1);
}

static void forget_drops_accepted_at_once(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    conn_id control = device_seen(a, NET_UP, 0)->conn;
    assert_true(device_send(a, control, "hello"));
    assert_true(device_send(a, device_seen(a, NET_UP, 1)->conn, "hello"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 2, 2000));
    conn_id gone = device_seen(b, NET_MESSAGE, 0)->conn;
    for (int i = 0; i < 100; i++)
        assert_true(device_send(a, control, "in flight"));
    device_distrust(b);
    net_forget(b->net, a->id);
    assert_int_equal(net_send(b->net, gone, slice_text("x")), ERR_UNREACHABLE);
    assert_true(pump_until(a, b, b, NET_DOWN, 2, 100));
    assert_true(pump_until(a, b, a, NET_DOWN, 2, 2000));
    pump_for(a, b, 500);
    assert_int_equal(device_count(b, NET_MESSAGE), 2);
    assert_int_equal(device_count(b, NET_DOWN), 2);
    assert_int_equal(device_count(a, NET_UP), 2);
}

static void forget_closes_dialled(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "hello"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
    for (int i = 0; i < 100; i++) {
        assert_true(device_send(b, device_seen(b, NET_MESSAGE, 0)->conn, "in flight"));
    }
    device_distrust(a);
    net_forget(a->net, b->id);
    assert_int_equal(net_send(a->net, device_seen(a, NET_UP, 0)->conn, slice_text("x")),
                     ERR_UNREACHABLE);
    pump_for(a, b, 500);
    assert_int_equal(device_count(a, NET_DOWN), 2);
    assert_int_equal(device_count(a, NET_MESSAGE), 0);
    assert_int_equal(device_count(a, NET_UP), 2);
}

static void forget_between_up_and_its_message(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    pair_up(a, b);
    b->forget_at_up = true;
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "hello"));
    assert_true(pump_until(a, b, b, NET_DOWN, 1, 2000));
    pump_for(a, b, 100);
    assert_int_equal(device_count(b, NET_MESSAGE), 0);
}

// A handler that lets everyone in is what the self-test must find.
static void self_test_refuses_an_open_door(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    struct fault fault = {0};
    a->trusts_all = true;
    assert_int_equal(device_open_at(a, "tcp://127.0.0.1:0", &fault), ERR_CONFIG);
    assert_non_null(strstr(fault.what, "self-test"));
    assert_null(a->net);
}

static void bad_listen_addresses(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    struct fault fault = {0};
    device_open(b, true);
    assert_int_equal(device_open_at(a, device_endpoint(b), &fault), ERR_CONFIG);
    assert_non_null(strstr(fault.what, "in use"));
    const char *const wrong[] = {"7575",
                                 "tcp://127.0.0.1",
                                 "tcp://:7575",
                                 "tcp://[::1:7575",
                                 "tcp://127.0.0.1:70000",
                                 "udp://127.0.0.1:1",
                                 "tcp://::1:7575"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(device_open_at(a, wrong[i], &fault), ERR_CONFIG);
        assert_non_null(strstr(fault.what, "must look like"));
        assert_null(a->net);
    }
}

static void any_address_serves_both_families(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    struct fault fault = {0};
    device_trust(a, b);
    device_trust(b, a);
    device_open(a, false);
    assert_int_equal(device_open_at(b, "tcp://*:0", &fault), ERR_OK);
    assert_int_equal(strncmp(device_endpoint(b), "tcp://*:", 8), 0);
    char four[64];
    snprintf(four, sizeof four, "tcp://127.0.0.1:%s", device_endpoint(b) + 8);
    const char *address = four;
    net_dial(a->net, b->id, &address, 1);
    assert_true(pump_until(a, b, a, NET_UP, 2, 3000));
    assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "hello"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 1, 2000));
    assert_int_equal(strncmp(device_seen(b, NET_UP, 0)->address, "tcp://127.0.0.1:", 16), 0);
    char six[64];
    snprintf(six, sizeof six, "tcp://[::1]:%s", device_endpoint(b) + 8);
    address = six;
    net_dial(a->net, b->id, &address, 1);
    if (!pump_until(a, b, a, NET_UP, 4, 1000)) { // a machine without IPv6
        assert_true(device_count(a, NET_FAILED) > 0);
        return;
    }
    assert_true(device_send(a, device_seen(a, NET_UP, 2)->conn, "hello"));
    assert_true(pump_until(a, b, b, NET_MESSAGE, 2, 2000));
    assert_int_equal(strncmp(device_seen(b, NET_UP, 1)->address, "tcp://[::1]:", 12), 0);
}

static void several_addresses(void **state)
{
    (void)state;
    AUTO(device_destroy) struct device *a = device_new(1);
    AUTO(device_destroy) struct device *b = device_new(2);
    struct fault fault = {0};
    const char *const listen[] = {"tcp://127.0.0.1:0", "tcp://127.0.0.2:0"};
    struct net_options options = {.identity = b->identity,
                                  .listen = listen,
                                  .listen_count = 2,
                                  .trusted = device_trusted,
                                  .context = b};
    const char *const *endpoints;
    device_trust(a, b);
    device_trust(b, a);
    device_open(a, false);
    assert_int_equal(net_open(&options, &b->net, &fault), ERR_OK);
    assert_int_equal(net_endpoints(b->net, &endpoints), 2);
    for (uint32_t i = 0; i < 2; i++) {
        net_dial(a->net, b->id, &endpoints[i], 1);
        assert_true(pump_until(a, b, a, NET_UP, 2 * i + 2, 3000));
        assert_string_equal(device_seen(a, NET_UP, 2 * i)->address, endpoints[i]);
    }
    assert_int_equal(device_count(a, NET_DOWN), 2);
}

// The seventh connection of one device costs the one that was silent for longest.
static void connections_of_a_device_are_limited(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    AUTO(device_destroy) struct device *b = device_new(2);
    struct device *twins[COUNT];
    device_open(b, true);
    for (int i = 0; i < COUNT; i++) {
        twins[i] = device_new(1);
        device_trust(twins[i], b);
        if (i == 0) device_trust(b, twins[i]);
        device_open(twins[i], false);
        device_dial(twins[i], b);
        uint32_t before = device_count(b, NET_MESSAGE);
        assert_true(pump_until(twins[i], b, twins[i], NET_UP, 2, 3000));
        for (uint32_t lane = 0; lane < 2; lane++) {
            assert_true(device_send(twins[i], device_seen(twins[i], NET_UP, lane)->conn, "hi"));
        }
        assert_true(pump_until(twins[i], b, b, NET_MESSAGE, before + 2, 3000));
        pump_for(NULL, b, 20);
    }
    assert_int_equal(device_count(b, NET_DOWN), 2);
    assert_int_equal(device_seen(b, NET_DOWN, 0)->conn, device_seen(b, NET_UP, 0)->conn);
    for (int i = 0; i < COUNT; i++)
        device_destroy(&twins[i]);
}

// A device has spoken and gone before anyone looked, and the next one has its descriptor: what is
// done about the first must not touch the second.
static void who_comes_after(bool first_is_trusted)
{
    enum { ROUNDS = 20 };
    AUTO(device_destroy) struct device *b = device_new(2);
    device_open(b, true);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        AUTO(device_destroy) struct device *a = device_new(1);
        AUTO(device_destroy) struct device *c = device_new(3);
        device_trust(a, b);
        device_trust(b, a);
        device_open(a, false);
        device_dial(a, b);
        assert_true(pump_until(a, NULL, a, NET_UP, 2, 3000));
        assert_true(device_send(a, device_seen(a, NET_UP, 0)->conn, "a"));
        assert_true(device_send(a, device_seen(a, NET_UP, 1)->conn, "a"));
        pump_for(a, NULL, 20);
        net_close(&a->net, 100);
        if (!first_is_trusted) device_distrust(b);
        device_trust(b, c);
        device_trust(c, b);
        device_open(c, false);
        device_dial(c, b);
        assert_true(pump_until(c, NULL, c, NET_UP, 2, 3000));
        b->drops_at_message = true;
        pump_for(c, b, 50);
        b->drops_at_message = false;
        b->seen_count = 0;
        assert_true(device_send(c, device_seen(c, NET_UP, 0)->conn, "c"));
        assert_true(device_send(c, device_seen(c, NET_UP, 1)->conn, "c"));
        assert_true(pump_until(c, b, b, NET_MESSAGE, 2, 2000));
        assert_true(device_send(b, device_seen(b, NET_UP, 0)->conn, "to c"));
        assert_true(pump_until(c, b, c, NET_MESSAGE, 1, 2000));
        net_close(&c->net, 0);
        pump_for(NULL, b, 20);
        device_distrust(b);
    }
}

static void who_comes_after_one_that_is_dropped(void **state)
{
    (void)state;
    who_comes_after(true);
}

static void who_comes_after_one_that_is_not_trusted(void **state)
{
    (void)state;
    who_comes_after(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stranger_is_refused),
        cmocka_unit_test(wrong_server_key_fails),
        cmocka_unit_test(one_sided_trust_delivers_nothing),
        cmocka_unit_test(distrusted_sender_is_cut),
        cmocka_unit_test(forget_drops_accepted_at_once),
        cmocka_unit_test(forget_closes_dialled),
        cmocka_unit_test(forget_between_up_and_its_message),
        cmocka_unit_test(self_test_refuses_an_open_door),
        cmocka_unit_test(bad_listen_addresses),
        cmocka_unit_test(any_address_serves_both_families),
        cmocka_unit_test(several_addresses),
        cmocka_unit_test(connections_of_a_device_are_limited),
        cmocka_unit_test(who_comes_after_one_that_is_dropped),
        cmocka_unit_test(who_comes_after_one_that_is_not_trusted),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
