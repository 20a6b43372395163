// SPDX-License-Identifier: MIT
//
// The pauses between dial attempts, with a clock of the test: 20 minutes in a moment.
#include "net_test.h"

// One attempt, which is refused at once. The clock stands still meanwhile.
static void attempt(struct device *device, int64_t now_ms)
{
    struct net_event event;
    uint32_t before = device_count(device, NET_FAILED);
    int64_t end_ms = test_now_ms() + 2000;
    while (device_count(device, NET_FAILED) == before && test_now_ms() < end_ms) {
        net_poll(device->net, NULL, NULL, 0, 1);
        while (net_next(device->net, now_ms, &event))
            device_note(device, &event);
    }
    assert_int_equal(device_count(device, NET_FAILED), before + 1);
}

static void grows_to_5_s_then_60_s(void **state)
{
    (void)state;
    struct device *a = device_new(1);
    struct device *b = device_new(2);
    const char *nobody = "tcp://127.0.0.1:1";
    int64_t now_ms = 1000;
    int64_t start_ms = now_ms;
    uint32_t count = 0;
    device_trust(a, b);
    device_open(a, false);
    net_dial(a->net, b->id, &nobody, 1);
    for (; now_ms - start_ms < 20 * 60 * 1000; count++) {
        attempt(a, now_ms);
        int64_t pause_ms = net_next_ms(a->net) - now_ms;
        if (count == 0) assert_in_range(pause_ms, 150, 250);
        if (count == 1) assert_in_range(pause_ms, 300, 500);
        if (now_ms - start_ms < 10 * 60 * 1000) assert_true(pause_ms <= 6250);
        if (now_ms - start_ms > 15 * 60 * 1000) assert_in_range(pause_ms, 45000, 75000);
        now_ms += pause_ms;
    }
    assert_in_range(count, 100, 180);
    net_redial_now(a->net, b->id);
    assert_true(net_next_ms(a->net) <= now_ms);
    attempt(a, now_ms);
    assert_in_range(net_next_ms(a->net) - now_ms, 150, 250);
    device_destroy(&a);
    device_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(grows_to_5_s_then_60_s)};
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
