// SPDX-License-Identifier: MIT
//
// crypto/pairing — the envelopes of a pairing: signed statements, and messages sealed under a key
// that only the two sides have.
#ifndef CRYPTO_PAIRING_H
#define CRYPTO_PAIRING_H

#include "crypto/identity.h"

enum { SEAL_KEY_BYTES = 32, SEAL_EXTRA_BYTES = 16, STATEMENT_CONTEXT_BYTES = 32 };

// Ed25519 over tag | context | text. One tag per purpose; the context ties it to one exchange.
struct signature statement_sign(const struct identity *identity, const char *tag,
                                const uint8_t context[STATEMENT_CONTEXT_BYTES], struct slice text);
bool statement_verify(struct device_id device, const char *tag,
                      const uint8_t context[STATEMENT_CONTEXT_BYTES], struct slice text,
                      const struct signature *signature);

// XSalsa20-Poly1305 with the message's number as nonce: a key seals in one direction, each number
// once. Appends SEAL_EXTRA_BYTES more than the text has.
void seal_close(const uint8_t key[SEAL_KEY_BYTES], uint64_t number, struct slice text,
                struct buf *out);
// False: not sealed so; *out is as before.
bool seal_open(const uint8_t key[SEAL_KEY_BYTES], uint64_t number, struct slice sealed,
               struct buf *out);

// An invitation as one word: a prefix, and in base64 (RFC 4648, for URLs, unpadded) the bytes and
// the first 4 of their SHA-256, so that a word that lost a piece is noticed.
enum { TOKEN_TEXT_MAX = 1300 };

void token_text(struct slice bytes, struct buf *out);
// Blanks around it do not count. False: it is none, or not whole.
bool token_bytes(const char *text, struct buf *out);

#endif
