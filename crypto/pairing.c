// SPDX-License-Identifier: MIT
#include "crypto/pairing.h"

#include <string.h>

#include <sodium.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "crypto/identity_priv.h"

_Static_assert(SEAL_KEY_BYTES == crypto_secretbox_KEYBYTES, "seal key");
_Static_assert(SEAL_EXTRA_BYTES == crypto_secretbox_MACBYTES, "seal tag");

// ---- statements

static void statement_text(const char *tag, const uint8_t context[STATEMENT_CONTEXT_BYTES],
                           struct slice text, struct buf *out)
{
    buf_append_text(out, tag);
    buf_append(out, context, STATEMENT_CONTEXT_BYTES);
    buf_append(out, text.data, text.size);
}

struct signature statement_sign(const struct identity *identity, const char *tag,
                                const uint8_t context[STATEMENT_CONTEXT_BYTES], struct slice text)
{
    struct signature signature;
    AUTO(buf_fini) struct buf whole = {0};
    statement_text(tag, context, text, &whole);
    CHECK(crypto_sign_detached(signature.bytes, NULL, whole.data, whole.size,
                               identity->sign_secret) == 0);
    return signature;
}

bool statement_verify(struct device_id device, const char *tag,
                      const uint8_t context[STATEMENT_CONTEXT_BYTES], struct slice text,
                      const struct signature *signature)
{
    AUTO(buf_fini) struct buf whole = {0};
    statement_text(tag, context, text, &whole);
    return crypto_sign_verify_detached(signature->bytes, whole.data, whole.size, device.bytes) == 0;
}

// ---- seals

static void nonce_of(uint64_t number, uint8_t out[crypto_secretbox_NONCEBYTES])
{
    memset(out, 0, crypto_secretbox_NONCEBYTES);
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

void seal_close(const uint8_t key[SEAL_KEY_BYTES], uint64_t number, struct slice text,
                struct buf *out)
{
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    nonce_of(number, nonce);
    buf_reserve(out, text.size + SEAL_EXTRA_BYTES);
    CHECK(crypto_secretbox_easy(out->data + out->size, text.data, text.size, nonce, key) == 0);
    out->size += text.size + SEAL_EXTRA_BYTES;
}

bool seal_open(const uint8_t key[SEAL_KEY_BYTES], uint64_t number, struct slice sealed,
               struct buf *out)
{
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    if (sealed.size < SEAL_EXTRA_BYTES) return false;
    nonce_of(number, nonce);
    buf_reserve(out, sealed.size);
    if (crypto_secretbox_open_easy(out->data + out->size, sealed.data, sealed.size, nonce, key)) {
        return false;
    }
    out->size += sealed.size - SEAL_EXTRA_BYTES;
    return true;
}
