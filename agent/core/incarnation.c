// SPDX-License-Identifier: MIT
//
// The few hashes that the engine needs but may not compute itself.
#include "agent/core/incarnation.h"

#include "crypto/hash.h"
#include "crypto/identity.h"
#include "proto/vv.h"

uint64_t incarnation_of(struct device_id device, struct folder_id folder, const uint8_t nonce[16])
{
    return inc_derive(device, folder, nonce);
}

uint32_t leaf_count_of(uint64_t size)
{
    return size == 0 ? 1 : (uint32_t)((size + PROTO_LEAF_BYTES - 1) / PROTO_LEAF_BYTES);
}

bool leaves_are(const struct digest *id, const struct digest *leaves, uint32_t count)
{
    if (count == 1) return digest_equal(*id, leaves[0]);
    return digest_equal(*id, hash_leaves(leaves, count));
}

bool symlink_is_honest(const struct value *value)
{
    return digest_equal(value->content, hash_sha256(value->target));
}
