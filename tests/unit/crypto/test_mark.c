// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "crypto/hash.h"
#include "crypto/identity.h"

static void fill(uint8_t *bytes, size_t size, uint8_t first)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(first + i);
}

static struct identity *example(void)
{
    uint8_t seed[32];
    fill(seed, sizeof seed, 0);
    return identity_from_seed(seed);
}

static struct folder_id example_folder(void)
{
    struct folder_id folder;
    fill(folder.bytes, sizeof folder.bytes, 100);
    return folder;
}

static void assert_hex(const uint8_t *bytes, size_t size, const char *expected)
{
    char text[129];
    hex_lower(bytes, size, text);
    assert_string_equal(text, expected);
}

// These values were made from the same seed by another library.
static void keys_follow_from_the_seed(void **state)
{
    (void)state;
    AUTO(identity_destroy) struct identity *identity = example();
    struct device_id device = identity_device(identity);
    uint8_t key[CURVE_KEY_BYTES];
    assert_hex(device.bytes, 32,
               "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    identity_curve_secret(identity, key);
    assert_hex(key, 32, "3894eea49c580aef816935762be049559d6d1440dede12e6a125f1841fff8e6f");
    identity_curve_public(identity, key);
    assert_hex(key, 32, "4701d08488451f545a409fb58ae3e58581ca40ac3f7f114698cd71deac73ca01");
    crypto_wipe(key, sizeof key);
    assert_hex(key, 4, "00000000");
}

static void anyone_derives_the_curve_key_from_the_id(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        uint8_t seed[32];
        uint8_t own[CURVE_KEY_BYTES];
        uint8_t derived[CURVE_KEY_BYTES];
        crypto_random(seed, sizeof seed);
        AUTO(identity_destroy) struct identity *identity = identity_from_seed(seed);
        identity_curve_public(identity, own);
        assert_int_equal(device_curve_key(identity_device(identity), derived), ERR_OK);
        assert_memory_equal(own, derived, sizeof own);
    }
}

// The neutral element, a y that is on no point, and a coordinate over the field's prime.
static void an_id_that_is_no_point_is_refused(void **state)
{
    (void)state;
    struct device_id neutral = {{1}};
    struct device_id off_curve = {{2}};
    struct device_id too_large;
    uint8_t key[CURVE_KEY_BYTES];
    memset(too_large.bytes, 0xff, sizeof too_large.bytes);
    assert_int_equal(device_curve_key(neutral, key), ERR_MALFORMED);
    assert_int_equal(device_curve_key(off_curve, key), ERR_MALFORMED);
    assert_int_equal(device_curve_key(too_large, key), ERR_MALFORMED);
}

static void a_mark_is_signed_as_specified(void **state)
{
    (void)state;
    AUTO(identity_destroy) struct identity *identity = example();
    struct mark mark = {.inc = UINT64_C(0x0102030405060708), .counter = 0x1122, .first = 0x11};
    mark.epoch = UINT64_C(0xfedcba9876543210);
    mark_sign(identity, example_folder(), &mark);
    assert_hex(mark.signature.bytes, 64,
               "7c1588e93654ba88a6d23dad701992564b0f687fd537adf694f398a9dc40724f"
               "4ee4c63f369f11c09bda0c55695627392f5b7101527ff7a21b3972e87624d702");
}

static struct mark example_mark(const struct identity *identity)
{
    struct mark mark = {.inc = UINT64_C(0xfedcba9876543210), .counter = 7, .first = 3, .epoch = 9};
    mark_sign(identity, example_folder(), &mark);
    return mark;
}

static void a_mark_holds_for_exactly_what_was_signed(void **state)
{
    (void)state;
    AUTO(identity_destroy) struct identity *identity = example();
    struct device_id device = identity_device(identity);
    struct folder_id folder = example_folder();
    struct mark mark = example_mark(identity);
    assert_true(mark_verify(device, folder, &mark));
    mark.counter++;
    assert_false(mark_verify(device, folder, &mark));
    mark.counter--;
    mark.first++;
    assert_false(mark_verify(device, folder, &mark));
    mark.first--;
    mark.epoch++;
    assert_false(mark_verify(device, folder, &mark));
    mark.epoch--;
    mark.inc ^= UINT64_C(1) << 63;
    assert_false(mark_verify(device, folder, &mark));
    mark.inc ^= UINT64_C(1) << 63;
    folder.bytes[15] ^= 1;
    assert_false(mark_verify(device, folder, &mark));
    folder.bytes[15] ^= 1;
    device.bytes[0] ^= 1;
    assert_false(mark_verify(device, folder, &mark));
    device.bytes[0] ^= 1;
    assert_true(mark_verify(device, folder, &mark));
}

static void every_flipped_bit_of_a_signature_is_noticed(void **state)
{
    (void)state;
    AUTO(identity_destroy) struct identity *identity = example();
    struct mark mark = example_mark(identity);
    for (unsigned bit = 0; bit < 512; bit++) {
        mark.signature.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(mark_verify(identity_device(identity), example_folder(), &mark));
        mark.signature.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void another_device_cannot_sign_for_this_one(void **state)
{
    (void)state;
    uint8_t seed[32] = {9};
    AUTO(identity_destroy) struct identity *identity = example();
    AUTO(identity_destroy) struct identity *other = identity_from_seed(seed);
    struct mark mark = example_mark(other);
    assert_false(mark_verify(identity_device(identity), example_folder(), &mark));
    assert_true(mark_verify(identity_device(other), example_folder(), &mark));
}

static void an_incarnation_is_bound_to_device_folder_and_nonce(void **state)
{
    (void)state;
    struct device_id device;
    struct folder_id folder = example_folder();
    uint8_t nonce[16];
    fill(device.bytes, sizeof device.bytes, 0);
    fill(nonce, sizeof nonce, 200);
    uint64_t inc = inc_derive(device, folder, nonce);
    assert_true(inc == UINT64_C(0x77faa5253eb86568)); // by another program
    nonce[15] ^= 1;
    assert_true(inc_derive(device, folder, nonce) != inc);
    nonce[15] ^= 1;
    folder.bytes[0] ^= 1;
    assert_true(inc_derive(device, folder, nonce) != inc);
    folder.bytes[0] ^= 1;
    device.bytes[31] ^= 1;
    assert_true(inc_derive(device, folder, nonce) != inc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_follow_from_the_seed),
        cmocka_unit_test(anyone_derives_the_curve_key_from_the_id),
        cmocka_unit_test(an_id_that_is_no_point_is_refused),
        cmocka_unit_test(a_mark_is_signed_as_specified),
        cmocka_unit_test(a_mark_holds_for_exactly_what_was_signed),
        cmocka_unit_test(every_flipped_bit_of_a_signature_is_noticed),
        cmocka_unit_test(another_device_cannot_sign_for_this_one),
        cmocka_unit_test(an_incarnation_is_bound_to_device_folder_and_nonce),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
