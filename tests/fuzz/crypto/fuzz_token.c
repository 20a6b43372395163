// SPDX-License-Identifier: MIT
//
// Tokens as they are typed and pasted: a text that is taken is written again as the same bytes,
// bytes are read as they were, and one wrong letter is noticed.
#include "crypto/pairing.h"
#include "tests/fuzz/fuzz.h"

enum { BYTES_MAX = 900 };

static void from_text(struct slice text)
{
    AUTO(buf_fini) struct buf typed = {0};
    AUTO(buf_fini) struct buf bytes = {0};
    AUTO(buf_fini) struct buf again = {0};
    AUTO(buf_fini) struct buf written = {0};
    buf_append(&typed, text.data, text.size);
    if (!token_bytes(buf_text(&typed), &bytes)) return;
    token_text(buf_slice(&bytes), &written);
    CHECK(token_bytes(buf_text(&written), &again));
    CHECK(slice_equal(buf_slice(&bytes), buf_slice(&again)));
}

static void from_bytes(struct feed *feed)
{
    AUTO(buf_fini) struct buf written = {0};
    AUTO(buf_fini) struct buf again = {0};
    AUTO(buf_fini) struct buf other = {0};
    uint32_t at = (uint32_t)feed_byte(feed) << 8;
    at |= feed_byte(feed);
    char letter = "ABCxyz019-_+/ ="[feed_below(feed, 15)];
    struct slice bytes = slice_of(feed->data, feed->size < BYTES_MAX ? feed->size : BYTES_MAX);
    if (bytes.size == 0) return;
    token_text(bytes, &written);
    CHECK(token_bytes(buf_text(&written), &again));
    CHECK(slice_equal(bytes, buf_slice(&again)));
    at %= (uint32_t)written.size;
    if (written.data[at] == (uint8_t)letter) return;
    written.data[at] = (uint8_t)letter;
    if (at > 0 && at + 1 < written.size) CHECK(!token_bytes(buf_text(&written), &other));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed = {data, size};
    if (feed_byte(&feed) & 1)
        from_text(slice_of(feed.data, feed.size));
    else
        from_bytes(&feed);
    return 0;
}
