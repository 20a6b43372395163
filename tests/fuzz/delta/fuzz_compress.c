// SPDX-License-Identifier: MIT
//
// Frames of a hostile peer, and what was compressed here and comes back the same.
#include "agent/delta/compress.h"
#include "tests/fuzz/fuzz.h"

enum { SIZE_MAX_HERE = 1 << 20 };

static void hostile(struct slice bytes, size_t size)
{
    AUTO(buf_fini) struct buf out = {0};
    buf_append_text(&out, "head");
    enum err err = decompress(bytes, size, &out);
    CHECK(err == ERR_OK || err == ERR_MALFORMED);
    CHECK(out.size == (err == ERR_OK ? 4 + size : 4) && memcmp(out.data, "head", 4) == 0);
}

static void again(struct slice bytes, uint32_t times)
{
    AUTO(buf_fini) struct buf in = {0};
    AUTO(buf_fini) struct buf out = {0};
    AUTO(buf_fini) struct buf back = {0};
    for (uint32_t i = 0; i < times && in.size < SIZE_MAX_HERE; i++)
        buf_append(&in, bytes.data, bytes.size);
    if (!compress_try(buf_slice(&in), &out)) {
        CHECK(out.size == 0);
        return;
    }
    CHECK(out.size < in.size);
    CHECK(decompress(buf_slice(&out), in.size, &back) == ERR_OK);
    CHECK(slice_equal(buf_slice(&in), buf_slice(&back)));
    hostile(buf_slice(&out), in.size - 1);
    hostile(buf_slice(&out), in.size + 1);
    hostile(slice_of(out.data, out.size - 1), in.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed = {data, size};
    uint8_t times = feed_byte(&feed);
    if (times > 0) {
        if (feed.size > 0) again(slice_of(feed.data, feed.size), times);
        return 0;
    }
    size_t claimed = feed_number(&feed) % SIZE_MAX_HERE;
    hostile(slice_of(feed.data, feed.size), claimed);
    return 0;
}
