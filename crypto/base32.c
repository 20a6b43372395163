// SPDX-License-Identifier: MIT
//
// Text forms of bytes. Not for secrets: the alphabets are looked up.
#include "crypto/base32_priv.h"
#include "crypto/hash.h"

size_t base32_count(size_t size)
{
    return size / 5 * 8 + (size % 5 * 8 + 4) / 5;
}

// Five bits never span more than two bytes.
uint8_t base32_number(const uint8_t *bytes, size_t size, size_t index)
{
    size_t first = index / 8 * 5 + index % 8 * 5 / 8;
    unsigned shift = 11 - (unsigned)(index % 8 * 5 % 8);
    unsigned pair = (unsigned)bytes[first] << 8;
    if (first + 1 < size) pair |= bytes[first + 1];
    return (uint8_t)(pair >> shift & 31);
}

void base32_lower(const uint8_t *bytes, size_t size, char *out, size_t out_size)
{
    if (out_size == 0) return;
    size_t count = base32_count(size);
    if (count > out_size - 1) count = out_size - 1;
    for (size_t i = 0; i < count; i++) {
        out[i] = "abcdefghijklmnopqrstuvwxyz234567"[base32_number(bytes, size, i)];
    }
    out[count] = '\0';
}

void hex_lower(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}
