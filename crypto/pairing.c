// SPDX-License-Identifier: MIT
#include "crypto/pairing.h"

#include <string.h>

#include <sodium.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "crypto/hash.h"
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

// ---- tokens

#define TOKEN_PREFIX "cfgsync-join1-"

enum { TOKEN_CHECK_BYTES = 4, TOKEN_VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

void token_text(struct slice bytes, struct buf *out)
{
    struct digest digest = hash_sha256(bytes);
    AUTO(buf_fini) struct buf whole = {0};
    buf_append(&whole, bytes.data, bytes.size);
    buf_append(&whole, digest.bytes, TOKEN_CHECK_BYTES);
    size_t size = sodium_base64_encoded_len(whole.size, TOKEN_VARIANT);
    CHECK(size + sizeof TOKEN_PREFIX <= TOKEN_TEXT_MAX);
    buf_append_text(out, TOKEN_PREFIX);
    buf_reserve(out, size);
    (void)sodium_bin2base64((char *)out->data + out->size, size, whole.data, whole.size,
                            TOKEN_VARIANT);
    out->size += size - 1; // its NUL
}

bool token_bytes(const char *text, struct buf *out)
{
    static const char blanks[] = " \t\r\n";
    uint8_t bytes[TOKEN_TEXT_MAX];
    size_t size = 0;
    text += strspn(text, blanks);
    size_t length = strcspn(text, blanks);
    if (text[length + strspn(text + length, blanks)] != '\0' || length >= TOKEN_TEXT_MAX ||
        strncmp(text, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1) != 0) {
        return false;
    }
    text += sizeof TOKEN_PREFIX - 1;
    length -= sizeof TOKEN_PREFIX - 1;
    if (sodium_base642bin(bytes, sizeof bytes, text, length, NULL, &size, NULL, TOKEN_VARIANT) !=
            0 ||
        size <= TOKEN_CHECK_BYTES) {
        return false;
    }
    size -= TOKEN_CHECK_BYTES;
    struct digest digest = hash_sha256(slice_of(bytes, size));
    bool is_whole = memcmp(digest.bytes, bytes + size, TOKEN_CHECK_BYTES) == 0;
    if (is_whole) buf_append(out, bytes, size);
    crypto_wipe(bytes, sizeof bytes);
    return is_whole;
}
