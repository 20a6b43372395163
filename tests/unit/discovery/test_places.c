// SPDX-License-Identifier: MIT
//
// What has been seen is bounded, whoever announces what.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "discovery/places_priv.h"

static struct place_key key_of(enum discovery_type type, unsigned number)
{
    struct place_key key = {.type = type, .interface = 2};
    (void)snprintf(key.name, sizeof key.name, "service-%u", number);
    return key;
}

static struct discovery_place place_of(enum discovery_type type, uint8_t tag, unsigned number)
{
    struct discovery_place place = {.type = type, .tag = {{tag}}};
    (void)snprintf(place.address, sizeof place.address, "tcp://10.0.0.%u:7575", number);
    return place;
}

static enum places_change put(struct places *places, enum discovery_type type, uint8_t tag,
                              unsigned number, unsigned address)
{
    struct place_key key = key_of(type, number);
    struct discovery_place place = place_of(type, tag, address);
    return places_put(places, &key, &place);
}

static void test_put_and_remove(void **state)
{
    (void)state;
    struct places places = {0};
    struct place_key key = key_of(DISCOVERY_AGENT, 1);
    struct place_key other = key;
    other.protocol = 1;
    assert_int_equal(put(&places, DISCOVERY_AGENT, 1, 1, 1), PLACES_CHANGED);
    assert_int_equal(put(&places, DISCOVERY_AGENT, 1, 1, 1), PLACES_SAME);
    assert_int_equal(put(&places, DISCOVERY_AGENT, 1, 1, 2), PLACES_CHANGED);
    assert_int_equal(places.count, 1);
    assert_string_equal(places.entries[0].place.address, "tcp://10.0.0.2:7575");
    assert_false(places_remove(&places, &other));
    assert_true(places_remove(&places, &key));
    assert_int_equal(places.count, 0);
}

static void test_one_tag_is_bounded(void **state)
{
    (void)state;
    struct places places = {0};
    for (unsigned i = 0; i < PLACES_TAG_MAX; i++)
        assert_int_equal(put(&places, DISCOVERY_AGENT, 1, i, i), PLACES_CHANGED);
    assert_int_equal(put(&places, DISCOVERY_AGENT, 1, 100, 100), PLACES_FULL);
    assert_int_equal(put(&places, DISCOVERY_AGENT, 1, 3, 200), PLACES_CHANGED);
    assert_int_equal(put(&places, DISCOVERY_AGENT, 2, 101, 101), PLACES_CHANGED);
}

static void test_all_is_bounded(void **state)
{
    (void)state;
    struct places places = {0};
    unsigned taken = 0;
    for (unsigned i = 0; i < 200; i++)
        taken += put(&places, DISCOVERY_PAIRING, 0, i, i) == PLACES_CHANGED;
    assert_int_equal(taken, PLACES_PAIRING_MAX);
    for (unsigned i = 0; i < 200; i++)
        taken += put(&places, DISCOVERY_AGENT, (uint8_t)i, i, i) == PLACES_CHANGED;
    assert_int_equal(taken, DISCOVERY_PLACES_MAX);
    assert_int_equal(places.count, DISCOVERY_PLACES_MAX);
}

// What is not found again after a new beginning is gone, and only that.
static void test_sweep(void **state)
{
    (void)state;
    struct places places = {0};
    for (unsigned i = 1; i <= 3; i++)
        (void)put(&places, DISCOVERY_AGENT, 1, i, i);
    (void)put(&places, DISCOVERY_PAIRING, 0, 4, 4);
    places_stale(&places, DISCOVERY_AGENT);
    assert_int_equal(put(&places, DISCOVERY_AGENT, 1, 2, 2), PLACES_SAME);
    assert_true(places_sweep(&places, DISCOVERY_AGENT));
    assert_int_equal(places.count, 2);
    assert_string_equal(places.entries[0].key.name, "service-2");
    assert_string_equal(places.entries[1].key.name, "service-4");
    assert_false(places_sweep(&places, DISCOVERY_AGENT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_and_remove),
        cmocka_unit_test(test_one_tag_is_bounded),
        cmocka_unit_test(test_all_is_bounded),
        cmocka_unit_test(test_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
