// SPDX-License-Identifier: MIT
//
// agent/core/incarnation — names and lists that are functions of a hash, for rooms that may not
// hash themselves.
#ifndef AGENT_CORE_INCARNATION_H
#define AGENT_CORE_INCARNATION_H

#include "proto/types.h"

// One life of one device's index of one folder; never 0.
uint64_t incarnation_of(struct device_id device, struct folder_id folder, const uint8_t nonce[16]);

// How many leaves a content of this size has (1 up to one leaf).
uint32_t leaf_count_of(uint64_t size);

// Whether these leaf digests are those of content `id`.
bool leaves_are(const struct digest *id, const struct digest *leaves, uint32_t count);

// What a head adds to the sum of a range of items (docs/PROTOCOL.md section 16): of its path, dots
// and value.
struct digest version_digest(const struct version *version);

// Whether a symlink's content id is the hash of its target, as it must be.
bool symlink_is_honest(const struct value *value);
// Whether it is the id of an empty file's content.
bool is_id_of_nothing(const struct digest *id);

#endif
