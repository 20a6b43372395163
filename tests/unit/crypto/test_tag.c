// SPDX-License-Identifier: MIT
//
// Tags of a pair: both compute the same, nobody else, another each day and direction.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/tag.h"

enum { DAY = 20000 };

static struct identity *device(uint8_t fill)
{
    uint8_t seed[32];
    memset(seed, fill, sizeof seed);
    return identity_from_seed(seed);
}

static void test_both_ends(void **state)
{
    (void)state;
    struct identity *a = device(1);
    struct identity *b = device(2);
    struct tag one;
    struct tag other;
    assert_true(tag_announced(a, identity_device(b), DAY, &one));
    assert_true(tag_awaited(b, identity_device(a), DAY, &other));
    assert_memory_equal(one.bytes, other.bytes, TAG_BYTES);
    identity_destroy(&a);
    identity_destroy(&b);
}

static void test_all_differ(void **state)
{
    (void)state;
    struct identity *a = device(1);
    struct identity *b = device(2);
    struct identity *c = device(3);
    struct tag tags[5];
    assert_true(tag_announced(a, identity_device(b), DAY, &tags[0]));
    assert_true(tag_announced(a, identity_device(b), DAY + 1, &tags[1]));
    assert_true(tag_announced(b, identity_device(a), DAY, &tags[2]));
    assert_true(tag_announced(a, identity_device(c), DAY, &tags[3]));
    assert_true(tag_awaited(c, identity_device(b), DAY, &tags[4])); // c guesses what b tells a
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(tags[i].bytes, tags[j].bytes, TAG_BYTES);
    identity_destroy(&a);
    identity_destroy(&b);
    identity_destroy(&c);
}

// docs/PROTOCOL.md quotes it; made by an independent program.
static void test_value(void **state)
{
    (void)state;
    struct identity *a = device(1);
    struct identity *b = device(2);
    struct tag tag;
    char text[2 * TAG_BYTES + 1];
    assert_true(tag_announced(a, identity_device(b), DAY, &tag));
    hex_lower(tag.bytes, sizeof tag.bytes, text);
    assert_string_equal(text, "82d6e564480ddad4");
    identity_destroy(&a);
    identity_destroy(&b);
}

static void test_no_key(void **state)
{
    (void)state;
    struct identity *a = device(1);
    struct device_id nobody = {{0}};
    struct tag tag;
    assert_false(tag_announced(a, nobody, DAY, &tag));
    assert_false(tag_awaited(a, nobody, DAY, &tag));
    identity_destroy(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ends),
        cmocka_unit_test(test_all_differ),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_no_key),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
