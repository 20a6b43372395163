// SPDX-License-Identifier: MIT
//
// The few hashes that the engine needs but may not compute itself.
#include "agent/core/incarnation.h"

#include "agent/base/own.h"
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

bool is_id_of_nothing(const struct digest *id)
{
    return digest_equal(*id, hash_sha256(slice_of(NULL, 0)));
}

static struct slice number(uint64_t n, uint8_t out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(n >> (56 - 8 * i));
    return slice_of(out, 8);
}

struct digest version_digest(const struct version *version)
{
    const struct value *value = &version->value;
    uint8_t kind[8], mode[8], size[8];
    AUTO(buf_fini) struct buf dots = {0};
    for (uint32_t i = 0; i < version->dots.count; i++) {
        uint8_t dot[16];
        (void)number(version->dots.entries[i].inc, dot);
        (void)number(version->dots.entries[i].counter, dot + 8);
        buf_append(&dots, dot, sizeof dot);
    }
    struct slice fields[] = {
        slice_text("cfgsync-range1"),
        version->path,
        buf_slice(&dots),
        number(value->kind, kind),
        number(value->mode, mode),
        number(value->size, size),
        slice_of(value->content.bytes, sizeof value->content.bytes),
        value->target,
    };
    return hash_fields(fields, sizeof fields / sizeof fields[0]);
}
