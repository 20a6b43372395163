// SPDX-License-Identifier: MIT
//
// Content ids with OpenSSL's SHA-256, which uses the processor's instructions. Finding the
// algorithm costs more than hashing a small file, so a content_hash finds it once and is meant to
// be reused: one per worker.
#include "crypto/hash.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>

#include "agent/base/check.h"
#include "agent/base/own.h"

#define LEAVES_TAG "cfgsync-leaves1" // hashed with its NUL, 16 bytes

struct content_hash {
    EVP_MD *sha256;
    EVP_MD_CTX *leaf;  // of the leaf under way
    size_t leaf_size;  // bytes fed to it
    uint64_t size;     // bytes fed in all
    struct buf leaves; // digests of the leaves before
    bool ended;
};

static void context_free(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
    *context = NULL;
}

struct digest hash_sha256(struct slice bytes)
{
    struct digest digest;
    const void *data = bytes.size ? bytes.data : (const void *)"";
    CHECK(EVP_Digest(data, bytes.size, digest.bytes, NULL, EVP_sha256(), NULL) == 1);
    return digest;
}

struct digest hash_content(struct slice bytes)
{
    if (bytes.size <= PROTO_LEAF_BYTES) return hash_sha256(bytes);
    AUTO(content_hash_destroy) struct content_hash *hash = content_hash_new();
    struct content content;
    const struct digest *leaves = NULL;
    uint32_t count = 0;
    content_hash_feed(hash, bytes.data, bytes.size);
    content_hash_end(hash, &content, &leaves, &count);
    return content.id;
}

struct digest hash_leaves(const struct digest *leaves, uint32_t count)
{
    struct digest digest;
    AUTO(context_free) EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL);
    CHECK(EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    CHECK(EVP_DigestUpdate(context, LEAVES_TAG, sizeof LEAVES_TAG) == 1);
    CHECK(EVP_DigestUpdate(context, leaves, (size_t)count * sizeof *leaves) == 1);
    CHECK(EVP_DigestFinal_ex(context, digest.bytes, NULL) == 1);
    return digest;
}

struct content_hash *content_hash_new(void)
{
    struct content_hash *hash = mem_zalloc(1, sizeof *hash);
    hash->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hash->leaf = EVP_MD_CTX_new();
    CHECK(hash->sha256 != NULL && hash->leaf != NULL);
    content_hash_reset(hash);
    return hash;
}

void content_hash_destroy(struct content_hash **hash)
{
    if (!*hash) return;
    EVP_MD_CTX_free((*hash)->leaf);
    EVP_MD_free((*hash)->sha256);
    buf_fini(&(*hash)->leaves);
    free(*hash);
    *hash = NULL;
}

static void leaf_begin(struct content_hash *hash)
{
    CHECK(EVP_DigestInit_ex2(hash->leaf, hash->sha256, NULL) == 1);
    hash->leaf_size = 0;
}

static struct digest leaf_end(struct content_hash *hash)
{
    struct digest digest;
    CHECK(EVP_DigestFinal_ex(hash->leaf, digest.bytes, NULL) == 1);
    return digest;
}

void content_hash_reset(struct content_hash *hash)
{
    buf_clear(&hash->leaves);
    hash->size = 0;
    hash->ended = false;
    leaf_begin(hash);
}

static void leaf_append(struct content_hash *hash)
{
    struct digest digest = leaf_end(hash);
    buf_append(&hash->leaves, digest.bytes, sizeof digest.bytes);
}

// A full leaf is closed only when more follows: a content of exactly one leaf has no leaf list.
void content_hash_feed(struct content_hash *hash, const void *data, size_t size)
{
    CHECK(!hash->ended);
    const uint8_t *at = data;
    hash->size += size;
    while (size) {
        if (hash->leaf_size == PROTO_LEAF_BYTES) {
            leaf_append(hash);
            leaf_begin(hash);
        }
        size_t piece = PROTO_LEAF_BYTES - hash->leaf_size;
        if (piece > size) piece = size;
        CHECK(EVP_DigestUpdate(hash->leaf, at, piece) == 1);
        hash->leaf_size += piece;
        at += piece;
        size -= piece;
    }
}

void content_hash_end(struct content_hash *hash, struct content *out,
                      const struct digest **out_leaves, uint32_t *out_count)
{
    CHECK(!hash->ended);
    hash->ended = true;
    *out_leaves = NULL;
    *out_count = 0;
    out->size = hash->size;
    if (hash->size <= PROTO_LEAF_BYTES) {
        out->id = leaf_end(hash);
        return;
    }
    leaf_append(hash);
    *out_leaves = (const struct digest *)hash->leaves.data;
    CHECK(hash->leaves.size / sizeof(struct digest) < UINT32_MAX);
    *out_count = (uint32_t)(hash->leaves.size / sizeof(struct digest));
    out->id = hash_leaves(*out_leaves, *out_count);
}

static void update_field(crypto_generichash_blake2b_state *state, struct slice field)
{
    uint8_t prefix[8];
    uint64_t size = field.size;
    for (unsigned i = 0; i < 8; i++)
        prefix[i] = (uint8_t)(size >> (56 - 8 * i));
    CHECK(crypto_generichash_blake2b_update(state, prefix, sizeof prefix) == 0);
    if (size == 0) return;
    CHECK(crypto_generichash_blake2b_update(state, field.data, size) == 0);
}

struct digest hash_fields(const struct slice *fields, size_t count)
{
    struct digest digest;
    crypto_generichash_blake2b_state state;
    CHECK(crypto_generichash_blake2b_init(&state, NULL, 0, sizeof digest.bytes) == 0);
    for (size_t i = 0; i < count; i++)
        update_field(&state, fields[i]);
    CHECK(crypto_generichash_blake2b_final(&state, digest.bytes, sizeof digest.bytes) == 0);
    return digest;
}
