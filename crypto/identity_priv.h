// SPDX-License-Identifier: MIT
//
// crypto/identity_priv — what an identity is made of. Lives in memory of sodium_malloc: guarded,
// kept out of swap and core dumps where the system allows, wiped when freed.
#ifndef CRYPTO_IDENTITY_PRIV_H
#define CRYPTO_IDENTITY_PRIV_H

#include "crypto/identity.h"

enum { SEED_BYTES = 32, SIGN_SECRET_BYTES = 64 };

struct identity {
    uint8_t sign_secret[SIGN_SECRET_BYTES];
    uint8_t curve_secret[CURVE_KEY_BYTES];
    uint8_t curve_public[CURVE_KEY_BYTES];
    struct device_id device;
};

#endif
