// SPDX-License-Identifier: MIT
//
// crypto/base32_priv — bytes as numbers of five bits (RFC 4648, section 6).
#ifndef CRYPTO_BASE32_PRIV_H
#define CRYPTO_BASE32_PRIV_H

#include <stddef.h>
#include <stdint.h>

// How many numbers `size` bytes make; the last one is filled up with zero bits.
size_t base32_count(size_t size);

// The number (0 to 31) at `index` of that sequence.
uint8_t base32_number(const uint8_t *bytes, size_t size, size_t index);

#endif
