// SPDX-License-Identifier: MIT
#include <string.h>

#include "proto/utf8_priv.h"

// Bytes of the run of ASCII at `at`, eight at a time: nearly all text we see is ASCII.
static size_t ascii_run(const uint8_t *data, size_t at, size_t size)
{
    size_t start = at;
    while (size - at >= 8) {
        uint64_t word;
        memcpy(&word, data + at, 8);
        if ((word & UINT64_C(0x8080808080808080)) != 0) break;
        at += 8;
    }
    while (at < size && data[at] < 0x80)
        at++;
    return at - start;
}

// Bytes of the sequence at data[0] (which is >= 0x80), 0 if it is not one. RFC 3629, section 4.
static size_t sequence_size(const uint8_t *data, size_t left)
{
    uint8_t lead = data[0];
    size_t size = 0;
    if (lead >= 0xc2 && lead <= 0xf4) size = lead <= 0xdf ? 2 : lead <= 0xef ? 3 : 4;
    if (size == 0 || left < size) return 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (data[1] < low || data[1] > high) return 0;
    for (size_t i = 2; i < size; i++)
        if ((data[i] & 0xc0) != 0x80) return 0;
    return size;
}

bool utf8_valid(struct slice text)
{
    size_t at = 0;
    while (at < text.size) {
        at += ascii_run(text.data, at, text.size);
        if (at == text.size) break;
        size_t size = sequence_size(text.data + at, text.size - at);
        if (size == 0) return false;
        at += size;
    }
    return true;
}

bool utf8_is_ascii(struct slice text)
{
    return ascii_run(text.data, 0, text.size) == text.size;
}
