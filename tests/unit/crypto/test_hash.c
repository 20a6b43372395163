// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "crypto/hash.h"

static void assert_digest(struct digest digest, const char *hex)
{
    char text[2 * sizeof digest.bytes + 1];
    hex_lower(digest.bytes, sizeof digest.bytes, text);
    assert_string_equal(text, hex);
}

// FIPS 180-2, appendix B, and the empty message.
static void sha256_known_answers(void **state)
{
    (void)state;
    static char million[1000000];
    memset(million, 'a', sizeof million);
    assert_digest(hash_sha256((struct slice){0}),
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest(hash_sha256(slice_text("abc")),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(
        hash_sha256(slice_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_digest(hash_sha256(slice_of(million, sizeof million)),
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = mem_alloc(size);
    uint32_t random = 12345;
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    return bytes;
}

// The definition of the header, spelled out with nothing but whole-message SHA-256.
static struct digest defined_id(struct slice bytes)
{
    if (bytes.size <= 1 << 20) return hash_sha256(bytes);
    AUTO(buf_fini) struct buf list = {0};
    buf_append(&list, "cfgsync-leaves1\0", 16);
    for (size_t at = 0; at < bytes.size; at += 1 << 20) {
        size_t left = bytes.size - at;
        struct digest leaf =
            hash_sha256(slice_of(bytes.data + at, left < 1 << 20 ? left : 1 << 20));
        buf_append(&list, leaf.bytes, sizeof leaf.bytes);
    }
    return hash_sha256(buf_slice(&list));
}

static void feed_in_pieces(struct content_hash *hash, struct slice bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.size; at += piece) {
        size_t left = bytes.size - at;
        content_hash_feed(hash, bytes.data + at, left < piece ? left : piece);
    }
}

static const size_t sizes[] = {
    0, 1, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20, (2 << 20) + 1, (3 << 20) + 77777,
};

static void content_ids_do_not_depend_on_the_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = {1013, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20};
    AUTO(mem_free) uint8_t *all = pattern(4 << 20);
    AUTO(content_hash_destroy) struct content_hash *hash = content_hash_new();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct slice bytes = slice_of(all, sizes[i]);
        struct digest expected = defined_id(bytes);
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            struct content content;
            const struct digest *leaves = NULL;
            uint32_t count = 0;
            content_hash_reset(hash);
            feed_in_pieces(hash, bytes, pieces[k]);
            content_hash_feed(hash, NULL, 0);
            content_hash_end(hash, &content, &leaves, &count);
            assert_memory_equal(&content.id, &expected, sizeof expected);
            assert_int_equal(content.size, bytes.size);
            size_t leaf_count = bytes.size <= 1 << 20 ? 0 : (bytes.size + (1 << 20) - 1) >> 20;
            assert_int_equal(count, leaf_count);
        }
        struct digest whole = hash_content(bytes);
        assert_memory_equal(&whole, &expected, sizeof expected);
    }
}

static void leaves_are_the_digests_of_each_mebibyte(void **state)
{
    (void)state;
    AUTO(mem_free) uint8_t *all = pattern((2 << 20) + 5);
    AUTO(content_hash_destroy) struct content_hash *hash = content_hash_new();
    struct content content;
    const struct digest *leaves = NULL;
    uint32_t count = 0;
    feed_in_pieces(hash, slice_of(all, (2 << 20) + 5), 999983);
    content_hash_end(hash, &content, &leaves, &count);
    assert_int_equal(count, 3);
    for (uint32_t i = 0; i < count; i++) {
        struct digest leaf = hash_sha256(slice_of(all + ((size_t)i << 20), i < 2 ? 1 << 20 : 5));
        assert_memory_equal(&leaves[i], &leaf, sizeof leaf);
    }
    struct digest id = hash_leaves(leaves, count);
    assert_memory_equal(&id, &content.id, sizeof id);
}

// A content that is itself a leaf list must not get the id of the content it lists.
static void a_leaf_list_has_another_id_than_its_content(void **state)
{
    (void)state;
    AUTO(mem_free) uint8_t *all = pattern(2 << 20);
    struct digest leaves[2] = {hash_sha256(slice_of(all, 1 << 20)),
                               hash_sha256(slice_of(all + (1 << 20), 1 << 20))};
    struct digest plain = hash_sha256(slice_of(leaves, sizeof leaves));
    struct digest id = hash_content(slice_of(all, 2 << 20));
    assert_memory_not_equal(&plain, &id, sizeof id);
}

// Made with Python: blake2b(b"".join(len(f).to_bytes(8, "big") + f ...), digest_size=32).
static void fields_are_length_prefixed(void **state)
{
    (void)state;
    struct slice split[2] = {slice_text("ab"), slice_text("c")};
    struct slice other[2] = {slice_text("a"), slice_text("bc")};
    struct slice empty[1] = {{0}};
    assert_digest(hash_fields(split, 2),
                  "9b29c83bca563845c8445a09a80da00b8193336d231891003eb004de0b9b1b5e");
    assert_digest(hash_fields(other, 2),
                  "1a867ce4c94ebddb11f32a75b6ed9a72c33a73f0a935f03197c53360bb7e9a75");
    assert_digest(hash_fields(empty, 1),
                  "81e47a19e6b29b0a65b9591762ce5143ed30d0261e5d24a3201752506b20f15c");
    assert_digest(hash_fields(NULL, 0),
                  "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

// RFC 4648, section 10.
static void base32_and_hex(void **state)
{
    (void)state;
    static const char *const answers[] = {"",        "my",       "mzxq",      "mzxw6",
                                          "mzxw6yq", "mzxw6ytb", "mzxw6ytboi"};
    char out[32];
    for (size_t size = 0; size <= 6; size++) {
        base32_lower((const uint8_t *)"foobar", size, out, sizeof out);
        assert_string_equal(out, answers[size]);
    }
    base32_lower((const uint8_t *)"foobar", 6, out, 6);
    assert_string_equal(out, "mzxw6");
    base32_lower((const uint8_t *)"foobar", 6, out, 1);
    assert_string_equal(out, "");
    hex_lower((const uint8_t *)"\x00\x7f\xff\xa5", 4, out);
    assert_string_equal(out, "007fffa5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_known_answers),
        cmocka_unit_test(content_ids_do_not_depend_on_the_pieces),
        cmocka_unit_test(leaves_are_the_digests_of_each_mebibyte),
        cmocka_unit_test(a_leaf_list_has_another_id_than_its_content),
        cmocka_unit_test(fields_are_length_prefixed),
        cmocka_unit_test(base32_and_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
