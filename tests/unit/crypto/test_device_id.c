// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/identity.h"

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

static struct device_id counting_id(void)
{
    struct device_id device;
    for (uint8_t i = 0; i < 32; i++)
        device.bytes[i] = i;
    return device;
}

static void assert_text(struct device_id device, const char *expected)
{
    char text[DEVICE_ID_TEXT_MAX];
    struct device_id parsed;
    unsigned group = 99;
    assert_string_equal(device_id_text(device, text), expected);
    assert_int_equal(device_id_parse(text, &parsed, &group), ERR_OK);
    assert_int_equal(group, 0);
    assert_memory_equal(&parsed, &device, sizeof device);
}

// The texts were made by an independent program.
static void texts_are_as_specified(void **state)
{
    (void)state;
    struct device_id zero = {{0}};
    struct device_id full;
    memset(full.bytes, 0xff, sizeof full.bytes);
    assert_text(counting_id(),
                "AAAQEAYX-EAUDAOC2-AJBIFQYC-DIOB4IBS-CEQTCQK4-RMFYYDET-NBWHA5DO-YPQ7");
    assert_text(zero, "AAAAAAAA-AAAAAAAA-AAAAAAAA-AAAAAAAA-AAAAAAAA-AAAAAAAA-AAAAAAAA-AAAA");
    assert_text(full, "7777777H-7777777H-7777777H-7777777H-7777777H-7777777H-7777777H-77QB");
}

static void every_id_comes_back(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct device_id device;
        struct device_id parsed;
        char text[DEVICE_ID_TEXT_MAX];
        unsigned group = 0;
        crypto_random(device.bytes, sizeof device.bytes);
        assert_int_equal(device_id_parse(device_id_text(device, text), &parsed, &group), ERR_OK);
        assert_memory_equal(&parsed, &device, sizeof device);
    }
}

static void people_may_write_it_their_way(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "aaaqeayx-eaudaoc2-ajbifqyc-diob4ibs-ceqtcqk4-rmfyydet-nbwha5do-ypq7",
        "AAAQEAYXEAUDAOC2AJBIFQYCDIOB4IBSCEQTCQK4RMFYYDETNBWHA5DOYPQ7",
        " AAAQ EAYX-EAUD AOC2--AJBIFQYC DIOB4IBS\tCEQTCQK4 RMFYYDET-NBWHA5DO-YPQ7-\n",
    };
    for (size_t i = 0; i < 3; i++) {
        struct device_id device = counting_id();
        struct device_id parsed;
        unsigned group = 0;
        assert_int_equal(device_id_parse(texts[i], &parsed, &group), ERR_OK);
        assert_memory_equal(&parsed, &device, sizeof device);
    }
}

static void assert_group(const char *text, unsigned expected)
{
    struct device_id parsed;
    unsigned group = 99;
    assert_int_equal(device_id_parse(text, &parsed, &group), ERR_CONFIG);
    assert_int_equal(group, expected);
}

static void every_mistyped_character_names_its_group(void **state)
{
    (void)state;
    char text[DEVICE_ID_TEXT_MAX];
    device_id_text(counting_id(), text);
    for (size_t at = 0; text[at]; at++) {
        char right = text[at];
        if (right == '-') continue;
        for (const char *wrong = ALPHABET "0189!\xc3"; *wrong; wrong++) {
            if (*wrong == right) continue;
            text[at] = *wrong;
            assert_group(text, (unsigned)(at / 9) + 1);
        }
        text[at] = right;
    }
}

// Neighbours inside a group; A and 7 are the one pair that Luhn cannot tell apart.
static void swapped_neighbours_name_their_group(void **state)
{
    (void)state;
    unsigned tried = 0;
    for (int round = 0; round < 200; round++) {
        struct device_id device;
        char text[DEVICE_ID_TEXT_MAX];
        crypto_random(device.bytes, sizeof device.bytes);
        device_id_text(device, text);
        for (size_t at = 0; text[at + 1]; at++) {
            char a = text[at];
            char b = text[at + 1];
            if (a == b || a == '-' || b == '-' || (a == 'A' && b == '7') ||
                (a == '7' && b == 'A')) {
                continue;
            }
            text[at] = b;
            text[at + 1] = a;
            assert_group(text, (unsigned)(at / 9) + 1);
            text[at] = a;
            text[at + 1] = b;
            tried++;
        }
    }
    assert_true(tried > 5000);
}

static void a_wrong_length_names_no_group(void **state)
{
    (void)state;
    char text[2 * DEVICE_ID_TEXT_MAX];
    device_id_text(counting_id(), text);
    size_t length = strlen(text);
    assert_group("", 0);
    assert_group("not an id", 0);
    memcpy(text + length, "A", 2);
    assert_group(text, 0);
    memset(text + length, 'A', 20);
    text[length + 20] = '\0';
    assert_group(text, 0);
    text[length - 1] = '\0';
    assert_group(text, 0);
}

// 52 characters hold 260 bits: the four that are left over must be zero. The check character is
// made right, so that nothing but the spelling is wrong.
static void only_one_spelling_is_accepted(void **state)
{
    (void)state;
    char text[DEVICE_ID_TEXT_MAX];
    unsigned accepted = 0;
    device_id_text(counting_id(), text);
    size_t last = strlen(text) - 2;
    for (const char *data = ALPHABET; *data; data++) {
        for (const char *check = ALPHABET; *check; check++) {
            struct device_id parsed;
            unsigned group = 0;
            text[last] = *data;
            text[last + 1] = *check;
            if (device_id_parse(text, &parsed, &group) == ERR_OK) {
                accepted++;
            } else {
                assert_int_equal(group, 8);
            }
        }
    }
    assert_int_equal(accepted, 2); // the one bit of data in it
}

static void the_short_form_is_the_first_group(void **state)
{
    (void)state;
    char text[DEVICE_ID_TEXT_MAX];
    assert_string_equal(device_id_short(counting_id(), text), "AAAQEAYX");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_as_specified),
        cmocka_unit_test(every_id_comes_back),
        cmocka_unit_test(people_may_write_it_their_way),
        cmocka_unit_test(every_mistyped_character_names_its_group),
        cmocka_unit_test(swapped_neighbours_name_their_group),
        cmocka_unit_test(a_wrong_length_names_no_group),
        cmocka_unit_test(only_one_spelling_is_accepted),
        cmocka_unit_test(the_short_form_is_the_first_group),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
