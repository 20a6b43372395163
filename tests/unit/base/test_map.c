// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/map.h"
#include "agent/base/own.h"

enum { KEY_COUNT = 500 };

static struct slice key_of(unsigned number, char out[32])
{
    int length = snprintf(out, 32, "dir/%u", number);
    return slice_of(out, (size_t)length);
}

static void put_get_replace_remove(void **state)
{
    (void)state;
    AUTO(map_destroy) struct map *map = map_new();
    int one = 1;
    int two = 2;
    char key[] = "k";
    assert_null(map_get(map, slice_text("k")));
    assert_null(map_remove(map, slice_text("k")));
    assert_null(map_put(map, slice_text(key), &one));
    key[0] = 'x'; // the map has its own copy
    assert_ptr_equal(map_get(map, slice_text("k")), &one);
    assert_ptr_equal(map_put(map, slice_text("k"), &two), &one);
    assert_int_equal(map_count(map), 1);
    assert_ptr_equal(map_remove(map, slice_text("k")), &two);
    assert_null(map_get(map, slice_text("k")));
    assert_int_equal(map_count(map), 0);
}

static void keys_are_bytes(void **state)
{
    (void)state;
    AUTO(map_destroy) struct map *map = map_new();
    int values[4];
    map_put(map, slice_of("a\0b", 3), &values[0]);
    map_put(map, slice_of("a\0c", 3), &values[1]);
    map_put(map, slice_of("a", 1), &values[2]);
    map_put(map, (struct slice){0}, &values[3]);
    assert_ptr_equal(map_get(map, slice_of("a\0b", 3)), &values[0]);
    assert_ptr_equal(map_get(map, slice_of("a\0c", 3)), &values[1]);
    assert_ptr_equal(map_get(map, slice_of("a", 1)), &values[2]);
    assert_ptr_equal(map_get(map, slice_text("")), &values[3]);
    assert_int_equal(map_count(map), 4);
}

static void iteration_is_in_insertion_order(void **state)
{
    (void)state;
    AUTO(map_destroy) struct map *map = map_new();
    static int values[KEY_COUNT];
    char text[32];
    for (unsigned i = 0; i < KEY_COUNT; i++)
        map_put(map, key_of(i * 7919, text), &values[i]);
    map_put(map, key_of(0, text), &values[0]); // a new value does not move an entry
    struct slice key;
    void *value;
    unsigned seen = 0;
    for (size_t at = 0; map_next(map, &at, &key, &value); seen++) {
        assert_ptr_equal(value, &values[seen]);
        assert_true(slice_equal(key, key_of(seen * 7919, text)));
    }
    assert_int_equal(seen, KEY_COUNT);
}

static void the_entry_just_returned_may_be_removed(void **state)
{
    (void)state;
    AUTO(map_destroy) struct map *map = map_new();
    static int values[KEY_COUNT];
    char text[32];
    for (unsigned i = 0; i < KEY_COUNT; i++)
        map_put(map, key_of(i, text), &values[i]);
    struct slice key;
    void *value;
    unsigned seen = 0;
    for (size_t at = 0; map_next(map, &at, &key, &value); seen++) {
        if (seen % 2 == 0) assert_ptr_equal(map_remove(map, key), value);
    }
    assert_int_equal(seen, KEY_COUNT);
    assert_int_equal(map_count(map), KEY_COUNT / 2);
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        assert_ptr_equal(map_get(map, key_of(i, text)), i % 2 ? &values[i] : NULL);
    }
}

// Random operations against an array that is obviously right.
static void behaves_like_an_array(void **state)
{
    (void)state;
    AUTO(map_destroy) struct map *map = map_new();
    static int values[64];
    void *model[64] = {0};
    size_t count = 0;
    char text[32];
    uint64_t random = 1;
    for (unsigned step = 0; step < 200000; step++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned number = (unsigned)(random >> 33) % 64;
        struct slice key = key_of(number, text);
        if (random >> 63) {
            assert_ptr_equal(map_put(map, key, &values[step % 64]), model[number]);
            count += model[number] == NULL;
            model[number] = &values[step % 64];
        } else {
            assert_ptr_equal(map_remove(map, key), model[number]);
            count -= model[number] != NULL;
            model[number] = NULL;
        }
        assert_int_equal(map_count(map), count);
    }
    for (unsigned i = 0; i < 64; i++)
        assert_ptr_equal(map_get(map, key_of(i, text)), model[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_replace_remove),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(iteration_is_in_insertion_order),
        cmocka_unit_test(the_entry_just_returned_may_be_removed),
        cmocka_unit_test(behaves_like_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
