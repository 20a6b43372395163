// SPDX-License-Identifier: MIT
//
// Cards and tickets of a stranger: refused with a reason, or written and read again alike.
#include "proto/card.h"
#include "tests/fuzz/fuzz.h"

static bool refused(enum err err, const struct fault *fault)
{
    CHECK(err == ERR_OK || fault->what != NULL);
    return err != ERR_OK;
}

static void card_again(struct slice bytes)
{
    AUTO(buf_fini) struct buf once = {0};
    AUTO(buf_fini) struct buf twice = {0};
    struct card first, second;
    struct fault fault = {0};
    if (refused(card_read(bytes, &first, &fault), &fault)) return;
    CHECK(first.name.size <= CARD_TEXT_MAX && first.platform.size <= CARD_TEXT_MAX);
    CHECK(first.program.size <= CARD_TEXT_MAX && first.address_count <= CARD_ADDRESSES_MAX);
    card_write(&first, &once);
    CHECK(once.size <= CARD_BYTES_MAX);
    CHECK(card_read(buf_slice(&once), &second, &fault) == ERR_OK);
    card_write(&second, &twice);
    CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
}

static void ticket_again(struct slice bytes)
{
    AUTO(buf_fini) struct buf once = {0};
    AUTO(buf_fini) struct buf twice = {0};
    struct ticket first, second;
    struct fault fault = {0};
    if (refused(ticket_read(bytes, &first, &fault), &fault)) return;
    CHECK(first.address_count <= CARD_ADDRESSES_MAX);
    ticket_write(&first, &once);
    CHECK(ticket_read(buf_slice(&once), &second, &fault) == ERR_OK);
    ticket_write(&second, &twice);
    CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed = {data, size};
    if (feed_byte(&feed) & 1)
        card_again(slice_of(feed.data, feed.size));
    else
        ticket_again(slice_of(feed.data, feed.size));
    return 0;
}
