// SPDX-License-Identifier: MIT
//
// Tags in TXT records: what is written is found, and strings of strangers do no harm.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "discovery/txt_priv.h"

static void fill(struct discovery_tag *tag, uint32_t number)
{
    memset(tag->bytes, 0xa5, sizeof tag->bytes);
    memcpy(tag->bytes, &number, sizeof number);
}

// Of exactly its size on the heap, so that reading on is seen.
static bool awaited(const struct discovery_wish *wish, const void *text, size_t size,
                    struct discovery_tag *out)
{
    uint8_t *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    if (size > 0) memcpy(copy, text, size);
    bool found = txt_awaited(wish, copy, size, out);
    free(copy);
    return found;
}

static void test_all_are_found(void **state)
{
    (void)state;
    struct discovery_wish wish = {.announced_count = DISCOVERY_ANNOUNCED_MAX};
    uint32_t found = 0;
    for (uint32_t i = 0; i < DISCOVERY_ANNOUNCED_MAX; i++)
        fill(&wish.announced[i], i);
    for (uint32_t i = 0; i < DISCOVERY_ANNOUNCED_MAX; i++) {
        const uint8_t *value;
        struct discovery_tag tag;
        uint8_t text[255] = "t0=";
        size_t size;
        wish.awaited[0] = wish.announced[i];
        wish.awaited_count = 1;
        for (unsigned at = 0; (size = txt_value(&wish, at, &value)) > 0; at++) {
            assert_true(size + 3 <= sizeof text);
            memcpy(text + 3, value, size);
            if (!awaited(&wish, text, size + 3, &tag)) continue;
            assert_memory_equal(tag.bytes, wish.announced[i].bytes, sizeof tag.bytes);
            found++;
        }
    }
    assert_int_equal(found, DISCOVERY_ANNOUNCED_MAX);
}

static void test_of_strangers(void **state)
{
    (void)state;
    struct discovery_wish wish = {.awaited_count = 1};
    struct discovery_tag tag;
    memcpy(wish.awaited[0].bytes, "ABCDEFGH", 8);
    assert_true(awaited(&wish, "t0=ABCDEFGH", 11, &tag));
    assert_true(awaited(&wish, "t9=........ABCDEFGHx", 20, &tag));
    assert_false(awaited(&wish, "t0=ABCDEFG", 10, &tag));
    assert_false(awaited(&wish, "t0=xABCDEFGH", 12, &tag));
    assert_false(awaited(&wish, "tx=ABCDEFGH", 11, &tag));
    assert_false(awaited(&wish, "v0=ABCDEFGH", 11, &tag));
    assert_false(awaited(&wish, "t0", 2, &tag));
    assert_false(awaited(&wish, "", 0, &tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_found),
        cmocka_unit_test(test_of_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
