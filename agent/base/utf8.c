// SPDX-License-Identifier: MIT
//
// Well-formed UTF-8 after table 3-7 of the Unicode standard: only the second byte has bounds that
// depend on the first (no overlong forms, no surrogates, nothing above U+10FFFF).
#include "agent/base/utf8_priv.h"

static size_t sequence_length(uint8_t lead)
{
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return 2;
    if (lead >= 0xe0 && lead <= 0xef) return 3;
    if (lead >= 0xf0 && lead <= 0xf4) return 4;
    return 0;
}

static bool second_fits(uint8_t lead, uint8_t second)
{
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    if (lead == 0xc2) low = 0xa0; // U+0080 to U+009F are the C1 controls
    return second >= low && second <= high;
}

size_t utf8_printable(struct slice text, size_t at)
{
    const uint8_t *bytes = text.data + at;
    size_t length = sequence_length(bytes[0]);
    if (length == 0 || length > text.size - at) return 0;
    if (length == 1) return bytes[0] >= 0x20 && bytes[0] != 0x7f;
    if (!second_fits(bytes[0], bytes[1])) return 0;
    for (size_t i = 2; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    }
    return length;
}
