// SPDX-License-Identifier: MIT
//
// crypto/hash — content ids, and BLAKE2b for derived names.
//
// Content id: SHA-256 of a content of up to 1 MiB; above that SHA-256("cfgsync-leaves1\0" | leaf
// digests), a leaf digest being the SHA-256 of each 1 MiB (the last one shorter). Always used
// together with the size.
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "agent/base/err.h"
#include "proto/message.h"

struct digest hash_sha256(struct slice bytes);

// Id of a whole content in memory.
struct digest hash_content(struct slice bytes);

// Id from leaf digests (size > 1 MiB).
struct digest hash_leaves(const struct digest *leaves, uint32_t count);

// Streaming: feed any pieces in order. Keeps the leaf list (32 bytes per MiB).
struct content_hash;
struct content_hash *content_hash_new(void);
void content_hash_destroy(struct content_hash **hash);
void content_hash_reset(struct content_hash *hash);
void content_hash_feed(struct content_hash *hash, const void *data, size_t size);
// Ends it; before more is fed comes content_hash_reset. *out_leaves borrows until the next call on
// `hash`; count is 0 for contents of up to 1 MiB.
void content_hash_end(struct content_hash *hash, struct content *out,
                      const struct digest **out_leaves, uint32_t *out_count);

// BLAKE2b-256 of length-prefixed fields (each: 8 bytes big-endian length, then the bytes).
struct digest hash_fields(const struct slice *fields, size_t count);

// RFC 4648 base32, lower case, no padding; `out` NUL-terminated, cut to out_size - 1 characters.
void base32_lower(const uint8_t *bytes, size_t size, char *out, size_t out_size);
void hex_lower(const uint8_t *bytes, size_t size, char *out); // 2 * size + 1 bytes

#endif
