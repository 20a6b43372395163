// SPDX-License-Identifier: MIT
//
// The key of a pair is what X25519 makes of its two CURVE keys. The directions differ, or a
// listener could see by equal tags who is whose peer.
#include "crypto/tag.h"

#include <string.h>

#include <sodium.h>

#include "crypto/hash.h"
#include "crypto/identity_priv.h"

static bool tag_make(const struct identity *own, struct device_id other, struct device_id from,
                     struct device_id to, uint64_t day, struct tag *out)
{
    uint8_t other_key[CURVE_KEY_BYTES];
    uint8_t shared[crypto_scalarmult_BYTES];
    uint8_t number[8];
    if (device_curve_key(other, other_key) != ERR_OK) return false;
    if (crypto_scalarmult(shared, own->curve_secret, other_key) != 0) return false;
    for (unsigned i = 0; i < sizeof number; i++)
        number[i] = (uint8_t)(day >> (56 - 8 * i));
    struct slice fields[] = {slice_text("cfgsync-tag1"), slice_of(shared, sizeof shared),
                             slice_of(from.bytes, sizeof from.bytes),
                             slice_of(to.bytes, sizeof to.bytes), slice_of(number, sizeof number)};
    struct digest digest = hash_fields(fields, sizeof fields / sizeof fields[0]);
    memcpy(out->bytes, digest.bytes, sizeof out->bytes);
    crypto_wipe(shared, sizeof shared);
    return true;
}

bool tag_announced(const struct identity *own, struct device_id other, uint64_t day,
                   struct tag *out)
{
    return tag_make(own, other, own->device, other, day, out);
}

bool tag_awaited(const struct identity *own, struct device_id other, uint64_t day, struct tag *out)
{
    return tag_make(own, other, other, own->device, day, out);
}
