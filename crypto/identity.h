// SPDX-License-Identifier: MIT
//
// crypto/identity — the device's long-term key: an Ed25519 seed, and the CURVE key made from it.
//
// Secrets live inside struct identity in wiped memory and leave only as a signature or, for
// libzmq, as the raw CURVE secret key handed to a callback.
#ifndef CRYPTO_IDENTITY_H
#define CRYPTO_IDENTITY_H

#include "agent/base/err.h"
#include "proto/types.h"

struct identity;

enum { DEVICE_ID_TEXT_MAX = 80, CURVE_KEY_BYTES = 32 };

const char *crypto_library(void); // libsodium's version
void crypto_init(void);           // once per process, before anything else of this room

// Makes a new identity file of mode 0600 (exclusive, durable: temp, fsync, rename, fsync dir).
// CHANGED: it exists already. `dir_fd` with `name`.
enum err identity_create(int dir_fd, const char *name, struct identity **out) MUST_USE;

// CONFIG: missing, readable by others, not a regular file, wrong format (fault->what says which).
// ACCESS, IO.
enum err identity_load(int dir_fd, const char *name, struct identity **out,
                       struct fault *fault) MUST_USE;

struct identity *identity_from_seed(const uint8_t seed[32]); // tests, simulator
void identity_destroy(struct identity **identity);           // wipes

struct device_id identity_device(const struct identity *identity);
void identity_curve_public(const struct identity *identity, uint8_t out[CURVE_KEY_BYTES]);
// Copies the CURVE secret key; the caller wipes it with crypto_wipe.
void identity_curve_secret(const struct identity *identity, uint8_t out[CURVE_KEY_BYTES]);
void crypto_wipe(void *memory, size_t size);

// The CURVE public key of a device. ERR_MALFORMED: not a valid point.
enum err device_curve_key(struct device_id device, uint8_t out[CURVE_KEY_BYTES]) MUST_USE;

// base32 (RFC 4648 alphabet, upper case) of the 32 bytes in groups of 8 characters: 7 characters of
// data and one check character per group (Luhn mod 32 over the group), groups joined by '-'.
char *device_id_text(struct device_id device, char out[DEVICE_ID_TEXT_MAX]);
// Accepts lower case, missing or extra dashes and spaces. CONFIG with *out_group (1-based) = the
// group that is wrong, 0 if the length is.
enum err device_id_parse(const char *text, struct device_id *out, unsigned *out_group) MUST_USE;

// The first group: short form for people.
char *device_id_short(struct device_id device, char out[DEVICE_ID_TEXT_MAX]);

// Ed25519 over "cfgsync-mark2" | folder | inc | counter | first | epoch, the numbers in 8 bytes BE;
// of epoch 0 over "cfgsync-mark1" | folder | inc | counter.
void mark_sign(const struct identity *identity, struct folder_id folder, struct mark *mark);
bool mark_verify(struct device_id device, struct folder_id folder, const struct mark *mark);

// An approval is its signer's: signature under "cfgsync-approval1" | folder | inc | from | to.
struct approval approval_sign(const struct identity *identity, struct folder_id folder,
                              struct span span);
bool approval_verify(struct folder_id folder, const struct approval *approval);

// First 64 bits, big-endian, of SHA-256(device | folder | nonce); never 0.
uint64_t inc_derive(struct device_id device, struct folder_id folder, const uint8_t nonce[16]);

void crypto_random(void *out, size_t size);

#endif
