// SPDX-License-Identifier: MIT
//
// Moments as people write them: what is printed of one is read as that one.
#include "agent/cli/when_priv.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_fini) struct buf text = {0};
    AUTO(buf_fini) struct buf printed = {0};
    struct feed feed = {data, size};
    // Any clock a machine may have, from 1970 to 2100.
    int64_t now_ms = (int64_t)(feed_number(&feed) % UINT64_C(4102444800000));
    int64_t when_ms = -1, again_ms;
    if (feed.size > 0) buf_append(&text, feed.data, feed.size);
    if (!when_read(buf_text(&text), now_ms, &when_ms)) {
        CHECK(when_ms == -1);
        return 0;
    }
    when_print(when_ms, &printed);
    // A year that is not written in four digits has no form to be read in.
    if (when_ms < 0 || when_ms >= INT64_C(253402300800000)) return 0;
    CHECK(when_read(buf_text(&printed), now_ms, &again_ms));
    CHECK(when_ms - again_ms >= 0 && when_ms - again_ms < 1000);
    return 0;
}
