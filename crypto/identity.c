// SPDX-License-Identifier: MIT
//
// Everything of an identity follows from its seed: the Ed25519 pair, and from that the CURVE pair,
// so that one id of 32 bytes both admits a device and checks what it has signed.
#include <string.h>

#include <sodium.h>

#include "agent/base/check.h"
#include "crypto/identity_priv.h"

_Static_assert(SEED_BYTES == crypto_sign_SEEDBYTES, "seed");
_Static_assert(SIGN_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "signing secret");
_Static_assert(sizeof(struct device_id) == crypto_sign_PUBLICKEYBYTES, "signing public");
_Static_assert(CURVE_KEY_BYTES == crypto_box_SECRETKEYBYTES, "CURVE secret");
_Static_assert(CURVE_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "CURVE public");

struct identity *identity_from_seed(const uint8_t seed[32])
{
    crypto_init();
    struct identity *identity = sodium_malloc(sizeof *identity);
    CHECK(identity != NULL);
    CHECK(crypto_sign_seed_keypair(identity->device.bytes, identity->sign_secret, seed) == 0);
    CHECK(crypto_sign_ed25519_sk_to_curve25519(identity->curve_secret, identity->sign_secret) == 0);
    CHECK(device_curve_key(identity->device, identity->curve_public) == ERR_OK);
    return identity;
}

void identity_destroy(struct identity **identity)
{
    sodium_free(*identity);
    *identity = NULL;
}

struct device_id identity_device(const struct identity *identity)
{
    return identity->device;
}

void identity_curve_public(const struct identity *identity, uint8_t out[CURVE_KEY_BYTES])
{
    memcpy(out, identity->curve_public, CURVE_KEY_BYTES);
}

void identity_curve_secret(const struct identity *identity, uint8_t out[CURVE_KEY_BYTES])
{
    memcpy(out, identity->curve_secret, CURVE_KEY_BYTES);
}

// libsodium refuses what is not a point of the main subgroup, small orders included.
enum err device_curve_key(struct device_id device, uint8_t out[CURVE_KEY_BYTES])
{
    if (crypto_sign_ed25519_pk_to_curve25519(out, device.bytes) == 0) return ERR_OK;
    memset(out, 0, CURVE_KEY_BYTES);
    return ERR_MALFORMED;
}
