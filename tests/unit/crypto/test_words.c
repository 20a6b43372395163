// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/suggest.h"
#include "crypto/words.h"

// Sorted and so unique; letters only; no two that one typing error makes the same.
static void words_are_easily_told_apart(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORDS_COUNT; i++) {
        const char *word = word_at(i);
        size_t size = strlen(word);
        assert_in_range(size, WORD_BYTES_MIN, WORD_BYTES_MAX);
        for (const char *at = word; *at != '\0'; at++)
            assert_true(islower((unsigned char)*at));
        if (i > 0) assert_true(strcmp(word_at(i - 1), word) < 0);
        for (unsigned j = 0; j < i; j++)
            assert_true(suggest_distance(word, size, word_at(j), strlen(word_at(j))) >= 2);
    }
}

static void drawn_codes_are_codes(void **state)
{
    (void)state;
    char first[CODE_TEXT_MAX] = "";
    bool any_differs = false;
    for (int i = 0; i < 200; i++) {
        char code[CODE_TEXT_MAX];
        code_draw(code);
        assert_true(code_valid(code));
        if (i == 0) memcpy(first, code, sizeof first);
        any_differs = any_differs || strcmp(first, code) != 0;
    }
    assert_true(any_differs);
}

static void typing_errors_are_corrected(void **state)
{
    (void)state;
    static const char *const typed[] = {
        "42-wolf-volcano",  "42 wolf volcano",   " 42_Wolf_VOLCANO \n", "42-wolf-volcanoo",
        "42-wolf-vlocano",  "42-wolf-olcano",    "42-wolf-volcaon",     "42--wolf--vulcano",
        "42-wolf-vulcanoo", "42 - wolf - volcno"};
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++) {
        char code[CODE_TEXT_MAX];
        assert_null(code_read(typed[i], code));
        assert_string_equal(code, "42-wolf-volcano");
        assert_int_equal(code_valid(typed[i]), i == 0);
    }
}

static void what_is_no_code_is_refused(void **state)
{
    (void)state;
    static const char *const typed[] = {"",
                                        "42",
                                        "42-wolf",
                                        "wolf-volcano",
                                        "4-wolf-volcano",
                                        "422-wolf-volcano",
                                        "02-wolf-volcano",
                                        "4x-wolf-volcano",
                                        "42-wolf-volcano-wolf",
                                        "42-xyzzyq-volcano",
                                        "42-wolf-qqqqqqqqqqqq",
                                        "42-w-volcano"};
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++) {
        char code[CODE_TEXT_MAX];
        assert_non_null(code_read(typed[i], code));
        assert_false(code_valid(typed[i]));
    }
    char *huge = calloc(1, 100001);
    memset(huge, 'a', 100000);
    memcpy(huge, "42-", 3);
    assert_false(code_valid(huge));
    free(huge);
}

// A word between two others is not guessed.
static void a_tie_is_not_guessed(void **state)
{
    (void)state;
    char code[CODE_TEXT_MAX];
    size_t ties = 0;
    for (unsigned i = 0; i < WORDS_COUNT; i++) {
        for (unsigned j = 0; j < i; j++) {
            const char *a = word_at(i);
            const char *b = word_at(j);
            size_t differ = 0, last = 0;
            if (strlen(a) != strlen(b)) continue;
            for (size_t at = 0; a[at] != '\0'; at++)
                if (a[at] != b[at]) differ++, last = at;
            if (differ != 2) continue;
            char typed[CODE_TEXT_MAX] = "42-zero-";
            memcpy(typed + 8, a, strlen(a) + 1);
            typed[8 + last] = b[last];
            assert_non_null(code_read(typed, code));
            ties++;
        }
    }
    assert_true(ties > 0);
}

static void fingerprints_follow_from_the_id(void **state)
{
    (void)state;
    struct device_id device;
    char one[FINGERPRINT_TEXT_MAX], two[FINGERPRINT_TEXT_MAX];
    for (unsigned i = 0; i < sizeof device.bytes; i++)
        device.bytes[i] = (uint8_t)(0xa0 + i);
    assert_string_equal(fingerprint_text(device, one), "monkey bamboo whip section");
    assert_string_equal(one, fingerprint_text(device, two));
    device.bytes[31] ^= 1;
    assert_string_not_equal(one, fingerprint_text(device, two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_easily_told_apart),
        cmocka_unit_test(drawn_codes_are_codes),
        cmocka_unit_test(typing_errors_are_corrected),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(a_tie_is_not_guessed),
        cmocka_unit_test(fingerprints_follow_from_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
