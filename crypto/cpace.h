// SPDX-License-Identifier: MIT
//
// crypto/cpace — two sides that know the same short code get the same strong key, and nobody else
// learns more than whether one guess of the code was right.
//
// CPace over ristretto255 with SHA-512, initiator and responder (draft-irtf-cfrg-cpace-21), with
// the draft's explicit key confirmation. The initiator is the one whose share is sent first. Lives
// in wiped memory.
#ifndef CRYPTO_CPACE_H
#define CRYPTO_CPACE_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"

struct cpace;

enum { CPACE_SHARE_BYTES = 32, CPACE_TAG_BYTES = 64, CPACE_KEY_BYTES = 32 };

enum cpace_role { CPACE_INITIATOR, CPACE_RESPONDER };

// What both sides must agree on before they begin; borrowed for the call.
struct cpace_input {
    struct slice code;     // PRS
    struct slice channel;  // CI: what the exchange is for
    struct slice session;  // sid: fresh for each attempt
    struct slice own_data; // AD of each side; they must differ
    struct slice other_data;
};

// Draws the secret scalar.
struct cpace *cpace_new(enum cpace_role role, const struct cpace_input *input);
void cpace_destroy(struct cpace **cpace); // wipes

void cpace_share(const struct cpace *cpace, uint8_t out[CPACE_SHARE_BYTES]);

// Takes the other's share, once. DENIED: it is no point of the group, or the neutral one; the
// attempt is over.
enum err cpace_finish(struct cpace *cpace, const uint8_t share[CPACE_SHARE_BYTES]) MUST_USE;

// After cpace_finish. Nothing else may be told to the other side before its tag was checked, and a
// wrong one means that the codes differ or that somebody is in between.
void cpace_tag(const struct cpace *cpace, uint8_t out[CPACE_TAG_BYTES]);
bool cpace_check(const struct cpace *cpace, const uint8_t tag[CPACE_TAG_BYTES]);

// A key for one purpose; the caller wipes it.
void cpace_key(const struct cpace *cpace, const char *purpose, uint8_t out[CPACE_KEY_BYTES]);
// What both sides have seen, for signatures: SHA-512 of session id and both shares, cut to 32.
void cpace_transcript(const struct cpace *cpace, uint8_t out[CPACE_KEY_BYTES]);

#endif
