// SPDX-License-Identifier: MIT
//
// tests/vectors/derived.txt: what docs/PROTOCOL.md computes rather than encodes, by hashes and
// signatures written a second time in Python.
#include <stdlib.h>

#include "agent/core/resolve.h"
#include "crypto/hash.h"
#include "crypto/identity.h"
#include "make.h"

// The value of `name` in derived.txt.
static struct slice value_of(struct arena *arena, const char *name)
{
    FILE *file = fopen(TEST_SOURCE_DIR "/tests/vectors/derived.txt", "r");
    assert_non_null(file);
    char line[512];
    struct slice value = {NULL, 0};
    size_t size = strlen(name);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, size) == 0 && strncmp(line + size, " = ", 3) == 0)
            value = arena_copy(arena, slice_of(line + size + 3, strlen(line) - size - 4));
    (void)fclose(file);
    if (value.data == NULL) fail_msg("no %s", name);
    return value;
}

static void assert_hex(struct arena *arena, const char *name, const void *bytes, size_t size)
{
    char text[200];
    hex_lower(bytes, size, text);
    if (!slice_equal(value_of(arena, name), slice_text(text))) fail_msg("%s is %s", name, text);
}

static void filled(void *out, uint8_t first, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)(first + i);
}

static void assert_number(struct arena *arena, const char *name, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    assert_hex(arena, name, bytes, 8);
}

static void test_identity(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint8_t seed[32];
    uint8_t curve[CURVE_KEY_BYTES];
    uint8_t nonce[16];
    char text[DEVICE_ID_TEXT_MAX];
    struct folder_id folder;
    filled(seed, 0, 32);
    filled(nonce, 0x30, 16);
    filled(folder.bytes, 0x10, 16);
    AUTO(identity_destroy) struct identity *identity = identity_from_seed(seed);
    struct device_id device = identity_device(identity);
    assert_hex(arena, "seed", seed, 32);
    assert_hex(arena, "seed_device", device.bytes, 32);
    assert_true(
        slice_equal(value_of(arena, "seed_device_text"), slice_text(device_id_text(device, text))));
    assert_int_equal(device_curve_key(device, curve), ERR_OK);
    assert_hex(arena, "seed_curve_key", curve, sizeof curve);
    uint64_t inc = inc_derive(device, folder, nonce);
    assert_number(arena, "seed_inc", inc);
    struct mark mark = {.inc = inc, .counter = 7, .first = 5, .epoch = 0x0102030405060708};
    mark_sign(identity, folder, &mark);
    assert_hex(arena, "seed_mark", mark.signature.bytes, 64);
    struct approval approval = approval_sign(identity, folder, (struct span){inc, 7, 206});
    assert_hex(arena, "seed_approval", approval.signature.bytes, 64);
    assert_true(approval_verify(folder, &approval));
    approval.span.to++;
    assert_false(approval_verify(folder, &approval));
}

static void test_hashes(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct device_id device;
    struct folder_id folder;
    uint8_t nonce[16];
    filled(device.bytes, 0xa0, 32);
    filled(folder.bytes, 0x10, 16);
    filled(nonce, 0x30, 16);
    assert_number(arena, "inc", inc_derive(device, folder, nonce));
    struct digest hello = hash_content(slice_text("hello\n"));
    assert_hex(arena, "content_hello", hello.bytes, 32);
    size_t leaf = PROTO_LEAF_BYTES;
    uint8_t *zeros = arena_alloc(arena, leaf + 1, 1);
    struct digest one = hash_content(slice_of(zeros, leaf));
    struct digest two = hash_content(slice_of(zeros, leaf + 1));
    assert_hex(arena, "content_1MiB_of_zeros", one.bytes, 32);
    assert_hex(arena, "content_1MiB_and_1_byte_of_zeros", two.bytes, 32);
    struct version v = {.value = {.kind = KIND_FILE, .size = 6, .content = hello},
                        .birth = {.inc = inc_derive(device, folder, nonce), .counter = 7}};
    struct slice name = conflict_name(arena, folder, slice_text("etc/caf\xc3\xa9.conf"), &v);
    assert_true(slice_equal(name, value_of(arena, "conflict_name")));
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
