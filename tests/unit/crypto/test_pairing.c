// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "crypto/pairing.h"

static struct identity *example(uint8_t first)
{
    uint8_t seed[32] = {first};
    return identity_from_seed(seed);
}

static void statements_are_their_makers(void **state)
{
    (void)state;
    AUTO(identity_destroy) struct identity *one = example(1);
    AUTO(identity_destroy) struct identity *two = example(2);
    uint8_t context[STATEMENT_CONTEXT_BYTES] = {7};
    struct slice text = slice_text("a card");
    struct signature signature = statement_sign(one, "purpose", context, text);
    struct device_id device = identity_device(one);
    assert_true(statement_verify(device, "purpose", context, text, &signature));
    assert_false(statement_verify(identity_device(two), "purpose", context, text, &signature));
    assert_false(statement_verify(device, "other", context, text, &signature));
    assert_false(statement_verify(device, "purpose", context, slice_text("a cord"), &signature));
    context[31] = 1;
    assert_false(statement_verify(device, "purpose", context, text, &signature));
}

static void seals_open_once_and_in_order(void **state)
{
    (void)state;
    uint8_t key[SEAL_KEY_BYTES] = {1};
    AUTO(buf_fini) struct buf sealed = {0};
    AUTO(buf_fini) struct buf text = {0};
    buf_append_text(&sealed, "before");
    seal_close(key, 3, slice_text("hello"), &sealed);
    assert_int_equal(sealed.size, 6 + 5 + SEAL_EXTRA_BYTES);
    struct slice inner = slice_of(sealed.data + 6, sealed.size - 6);
    assert_false(seal_open(key, 2, inner, &text));
    assert_false(seal_open(key, 3, slice_of(inner.data, inner.size - 1), &text));
    assert_false(seal_open(key, 3, slice_of(inner.data, SEAL_EXTRA_BYTES - 1), &text));
    assert_int_equal(text.size, 0);
    assert_true(seal_open(key, 3, inner, &text));
    assert_string_equal(buf_text(&text), "hello");
    sealed.data[8] ^= 1;
    assert_false(seal_open(key, 3, inner, &text));
    key[0] = 2;
    sealed.data[8] ^= 1;
    assert_false(seal_open(key, 3, inner, &text));
}

static void tokens_are_whole_or_none(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf token = {0};
    AUTO(buf_fini) struct buf bytes = {0};
    AUTO(buf_fini) struct buf padded = {0};
    token_text(slice_text("what it holds"), &token);
    const char *text = buf_text(&token);
    assert_int_equal(strncmp(text, "cfgsync-join1-", 14), 0);
    assert_int_equal(
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
        token.size);
    buf_printf(&padded, " \t%s\r\n\n", text);
    assert_true(token_bytes(buf_text(&padded), &bytes));
    assert_true(slice_equal(buf_slice(&bytes), slice_text("what it holds")));
    buf_clear(&bytes);
    for (size_t at = 0; at < token.size; at++) {
        uint8_t was = token.data[at];
        token.data[at] = was == 'A' ? 'B' : 'A';
        assert_false(token_bytes(buf_text(&token), &bytes));
        token.data[at] = was;
    }
    while (token.size > 0) {
        token.size--;
        assert_false(token_bytes(buf_text(&token), &bytes));
    }
    assert_int_equal(bytes.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_their_makers),
        cmocka_unit_test(seals_open_once_and_in_order),
        cmocka_unit_test(tokens_are_whole_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
