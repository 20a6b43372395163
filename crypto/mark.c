// SPDX-License-Identifier: MIT
//
// Marks and approvals, and the incarnation number that they speak of.
#include <string.h>

#include <sodium.h>

#include "agent/base/check.h"
#include "crypto/hash.h"
#include "crypto/identity_priv.h"

#define MARK_TAG       "cfgsync-mark2"
#define MARK_TAG_PLAIN "cfgsync-mark1" // as long
#define MARK_TAG_BYTES (sizeof MARK_TAG - 1)

// What is signed: every field has a fixed size, so no two marks make the same bytes.
struct mark_text {
    uint8_t bytes[MARK_TAG_BYTES + sizeof(struct folder_id) + 4 * 8];
    size_t size;
};

static uint8_t *put_u64(uint8_t *at, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(number >> (56 - 8 * i));
    return at + 8;
}

static struct mark_text mark_text(struct folder_id folder, const struct mark *mark)
{
    struct mark_text text;
    uint8_t *at = text.bytes;
    memcpy(at, mark->epoch == 0 ? MARK_TAG_PLAIN : MARK_TAG, MARK_TAG_BYTES);
    memcpy(at + MARK_TAG_BYTES, folder.bytes, sizeof folder.bytes);
    at = put_u64(at + MARK_TAG_BYTES + sizeof folder.bytes, mark->inc);
    at = put_u64(at, mark->counter);
    if (mark->epoch != 0) {
        at = put_u64(at, mark->first);
        at = put_u64(at, mark->epoch);
    }
    text.size = (size_t)(at - text.bytes);
    return text;
}

void mark_sign(const struct identity *identity, struct folder_id folder, struct mark *mark)
{
    struct mark_text text = mark_text(folder, mark);
    CHECK(crypto_sign_detached(mark->signature.bytes, NULL, text.bytes, text.size,
                               identity->sign_secret) == 0);
}

bool mark_verify(struct device_id device, struct folder_id folder, const struct mark *mark)
{
    struct mark_text text = mark_text(folder, mark);
    return crypto_sign_verify_detached(mark->signature.bytes, text.bytes, text.size,
                                       device.bytes) == 0;
}

#define APPROVAL_TAG "cfgsync-approval1"

struct approval_text {
    uint8_t bytes[sizeof APPROVAL_TAG - 1 + sizeof(struct folder_id) + 8 + 8 + 8];
};

static struct approval_text approval_text(struct folder_id folder, const struct span *span)
{
    struct approval_text text;
    uint8_t *at = text.bytes;
    memcpy(at, APPROVAL_TAG, sizeof APPROVAL_TAG - 1);
    at += sizeof APPROVAL_TAG - 1;
    memcpy(at, folder.bytes, sizeof folder.bytes);
    at = put_u64(at + sizeof folder.bytes, span->inc);
    at = put_u64(at, span->from);
    at = put_u64(at, span->to);
    CHECK(at == text.bytes + sizeof text.bytes);
    return text;
}

struct approval approval_sign(const struct identity *identity, struct folder_id folder,
                              struct span span)
{
    struct approval approval = {.signer = identity_device(identity), .span = span};
    struct approval_text text = approval_text(folder, &span);
    CHECK(crypto_sign_detached(approval.signature.bytes, NULL, text.bytes, sizeof text.bytes,
                               identity->sign_secret) == 0);
    return approval;
}

bool approval_verify(struct folder_id folder, const struct approval *approval)
{
    struct approval_text text = approval_text(folder, &approval->span);
    return crypto_sign_verify_detached(approval->signature.bytes, text.bytes, sizeof text.bytes,
                                       approval->signer.bytes) == 0;
}

uint64_t inc_derive(struct device_id device, struct folder_id folder, const uint8_t nonce[16])
{
    uint8_t text[sizeof device.bytes + sizeof folder.bytes + 16];
    memcpy(text, device.bytes, sizeof device.bytes);
    memcpy(text + sizeof device.bytes, folder.bytes, sizeof folder.bytes);
    memcpy(text + sizeof device.bytes + sizeof folder.bytes, nonce, 16);
    struct digest digest = hash_sha256(slice_of(text, sizeof text));
    uint64_t inc = 0;
    for (unsigned i = 0; i < 8; i++)
        inc = inc << 8 | digest.bytes[i];
    return inc ? inc : 1;
}
