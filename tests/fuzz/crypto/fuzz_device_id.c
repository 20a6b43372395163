// SPDX-License-Identifier: MIT
//
// Texts that may be a device id, and bytes that are one: a text that is taken is written again as
// the same device, and one letter that changes is found out.
#include "crypto/identity.h"
#include "tests/fuzz/fuzz.h"

static void text_to_device(struct slice bytes)
{
    AUTO(buf_fini) struct buf text = {0};
    struct device_id device, again;
    char written[DEVICE_ID_TEXT_MAX];
    unsigned group = 99;
    buf_append(&text, bytes.data, bytes.size);
    enum err err = device_id_parse(buf_text(&text), &device, &group);
    CHECK(err == ERR_OK || (err == ERR_CONFIG && group <= 8));
    if (err != ERR_OK) return;
    CHECK(device_id_parse(device_id_text(device, written), &again, &group) == ERR_OK);
    CHECK(memcmp(&device, &again, sizeof device) == 0);
}

static void device_to_text(struct feed *feed)
{
    struct device_id device = {{0}}, again;
    char text[DEVICE_ID_TEXT_MAX], first[DEVICE_ID_TEXT_MAX];
    unsigned group;
    struct slice bytes = feed_slice(feed, sizeof device.bytes);
    if (bytes.size > 0) memcpy(device.bytes, bytes.data, bytes.size);
    (void)device_id_text(device, text);
    CHECK(device_id_parse(text, &again, &group) == ERR_OK);
    CHECK(memcmp(&device, &again, sizeof device) == 0);
    (void)device_id_short(device, first);
    CHECK(strncmp(text, first, strlen(first)) == 0);
    uint32_t at = feed_below(feed, (uint32_t)strlen(text));
    char other = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[feed_below(feed, 32)];
    if (text[at] == '-' || text[at] == other) return;
    text[at] = other;
    CHECK(device_id_parse(text, &again, &group) == ERR_CONFIG && group == at / 9 + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed = {data, size};
    if (feed_byte(&feed) & 1)
        device_to_text(&feed);
    else if (feed.size > 0)
        text_to_device(slice_of(feed.data, feed.size));
    return 0;
}
