// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "proto/card.h"

static struct card example(void)
{
    struct card card = {.name = slice_text("alpha"),
                        .platform = slice_text("Linux x86_64"),
                        .program = slice_text("cfgsync-agent 0.1.0"),
                        .port = 7575,
                        .address_count = 2};
    for (unsigned i = 0; i < sizeof card.device.bytes; i++)
        card.device.bytes[i] = (uint8_t)(0xa0 + i);
    card.addresses[0] = slice_text("tcp://10.0.0.2:7575");
    card.addresses[1] = slice_text("tcp://[fd00::2]:7575");
    return card;
}

static enum err read(const struct buf *bytes, struct card *out)
{
    struct fault fault = {0};
    enum err err = card_read(buf_slice(bytes), out, &fault);
    assert_int_equal(fault.code, err);
    assert_int_equal(fault.what != NULL, err != ERR_OK);
    return err;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf bytes = {0};
    struct card card = example(), out;
    card_write(&card, &bytes);
    assert_int_equal(read(&bytes, &out), ERR_OK);
    assert_memory_equal(out.device.bytes, card.device.bytes, sizeof card.device.bytes);
    assert_true(slice_equal(out.name, card.name));
    assert_true(slice_equal(out.platform, card.platform));
    assert_true(slice_equal(out.program, card.program));
    assert_int_equal(out.port, 7575);
    assert_int_equal(out.address_count, 2);
    assert_true(slice_equal(out.addresses[1], card.addresses[1]));
}

static void the_largest_card_fits(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf bytes = {0};
    char text[CARD_TEXT_MAX];
    memset(text, 'x', sizeof text);
    struct slice whole = slice_of(text, sizeof text);
    struct card card = {.name = whole, .platform = whole, .program = whole, .port = 65535}, out;
    card.address_count = CARD_ADDRESSES_MAX;
    for (unsigned i = 0; i < CARD_ADDRESSES_MAX; i++)
        card.addresses[i] = whole;
    card_write(&card, &bytes);
    assert_true(bytes.size <= CARD_BYTES_MAX);
    assert_int_equal(read(&bytes, &out), ERR_OK);
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf bytes = {0};
    struct card card = example(), out;
    card_write(&card, &bytes);
    for (size_t whole = bytes.size; bytes.size > 0; whole--) {
        assert_int_equal(whole, bytes.size);
        bytes.size--;
        assert_int_not_equal(read(&bytes, &out), ERR_OK);
    }
}

// A byte more, a name that is missing, too many or too long addresses, a port that is none.
static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf bytes = {0};
    struct card card = example(), out;
    card_write(&card, &bytes);
    buf_append(&bytes, "\xc0", 1);
    assert_int_equal(read(&bytes, &out), ERR_MALFORMED);

    uint8_t *port = NULL;
    for (size_t i = 0; i + 4 < bytes.size; i++)
        if (memcmp(bytes.data + i, "\xa4port", 5) == 0) port = bytes.data + i + 5;
    assert_non_null(port);
    bytes.size--;
    assert_int_equal(port[0], 0xcd);
    port[0] = 0xa2; // a text of two bytes
    assert_int_not_equal(read(&bytes, &out), ERR_OK);

    buf_clear(&bytes);
    buf_append(&bytes, "\x81\xa4name\xa1x", 8);
    assert_int_equal(read(&bytes, &out), ERR_MALFORMED);

    buf_clear(&bytes);
    buf_reserve(&bytes, CARD_BYTES_MAX + 1);
    memset(bytes.data, 0xc0, CARD_BYTES_MAX + 1);
    bytes.size = CARD_BYTES_MAX + 1;
    assert_int_equal(read(&bytes, &out), ERR_LIMIT);
}

static void too_many_addresses_are_refused(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf bytes = {0};
    struct card card = example(), out;
    card.address_count = 0;
    card_write(&card, &bytes);
    assert_int_equal(bytes.data[0], 0x85);
    bytes.data[0] = 0x86;
    buf_append(&bytes,
               "\xa9"
               "addresses\x99",
               11);
    for (int i = 0; i < 9; i++)
        buf_append(&bytes, "\xa1x", 2);
    assert_int_equal(read(&bytes, &out), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_largest_card_fits),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(too_many_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
