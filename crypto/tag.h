// SPDX-License-Identifier: MIT
//
// crypto/tag — what a device calls itself on a network where strangers listen: for each peer and
// day another name, that only those two can compute (docs/PROTOCOL.md "Finding each other").
#ifndef CRYPTO_TAG_H
#define CRYPTO_TAG_H

#include "crypto/identity.h"

enum { TAG_BYTES = 8, TAG_DAY_MS = 24 * 60 * 60 * 1000 };

struct tag {
    uint8_t bytes[TAG_BYTES];
};

// One direction of one pair: who announces itself, and to whom. One of them is `own`. `day` counts
// from the epoch, UTC. False: `other` is no device's key.
bool tag_announced(const struct identity *own, struct device_id other, uint64_t day,
                   struct tag *out);
bool tag_awaited(const struct identity *own, struct device_id other, uint64_t day, struct tag *out);

#endif
