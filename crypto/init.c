// SPDX-License-Identifier: MIT
//
// The process-wide parts of libsodium: its start, its random bytes, its wiping.
#include <sodium.h>

#include "agent/base/check.h"
#include "crypto/identity.h"

// Idempotent and safe from any thread; a libsodium that cannot start has no random numbers.
void crypto_init(void)
{
    CHECK(sodium_init() >= 0);
}

const char *crypto_library(void)
{
    return sodium_version_string();
}

void crypto_wipe(void *memory, size_t size)
{
    sodium_memzero(memory, size);
}

void crypto_random(void *out, size_t size)
{
    crypto_init();
    randombytes_buf(out, size);
}
