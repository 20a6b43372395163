// SPDX-License-Identifier: MIT
//
// CPACE-RISTR255-SHA512 as draft-irtf-cfrg-cpace-21 has it, with libsodium's group and hash.
//
//     g   = map(SHA-512(generator_string(code, channel, session)))
//     Y   = y * g                                       (each side, sent)
//     K   = y * (the other's Y)
//     ISK = SHA-512(lv("CPaceRistretto255_ISK", session, K) | lv(Ya, ADa) | lv(Yb, ADb))
//
// a being the initiator. K itself is gone when cpace_finish returns.
#include <string.h>

#include <sodium.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "crypto/cpace_priv.h"
#include "crypto/identity.h"

#define DSI     "CPaceRistretto255"
#define DSI_ISK "CPaceRistretto255_ISK"
#define DSI_MAC "CPaceMac"

enum { HASH_BLOCK_BYTES = 128, DATA_BYTES_MAX = 64 };

_Static_assert(CPACE_POINT_BYTES == crypto_core_ristretto255_BYTES, "point");
_Static_assert(CPACE_SCALAR_BYTES == crypto_core_ristretto255_SCALARBYTES, "scalar");
_Static_assert(CPACE_TAG_BYTES == crypto_auth_hmacsha512_BYTES, "tag");

// Copies, so that everything of an exchange is in wiped memory.
struct part {
    uint8_t bytes[DATA_BYTES_MAX];
    size_t size;
};

struct cpace {
    enum cpace_role role;
    bool is_finished;
    struct part session;
    struct part own_data;
    struct part other_data;
    uint8_t scalar[CPACE_SCALAR_BYTES];
    uint8_t own_share[CPACE_SHARE_BYTES];
    uint8_t other_share[CPACE_SHARE_BYTES];
    uint8_t isk[CPACE_ISK_BYTES];
};

// ---- strings

void lv_append(struct buf *out, struct slice value)
{
    size_t size = value.size;
    do {
        uint8_t low = (uint8_t)(size & 0x7f);
        size >>= 7;
        if (size > 0) low |= 0x80;
        buf_append(out, &low, 1);
    } while (size > 0);
    buf_append(out, value.data, value.size);
}

static size_t lv_size(size_t size)
{
    size_t total = size + 1;
    for (size_t rest = size >> 7; rest > 0; rest >>= 7)
        total++;
    return total;
}

// What holds a code or a key is wiped when it goes.
static void wipe(struct buf *buf)
{
    if (buf->data != NULL) crypto_wipe(buf->data, buf->size);
    buf_fini(buf);
}

// The code fills the first block of the hash up, so that its length does not show in the time.
void cpace_generator_text(const struct cpace_input *input, struct buf *out)
{
    static const uint8_t zeros[HASH_BLOCK_BYTES] = {0};
    size_t used = lv_size(input->code.size) + lv_size(sizeof DSI - 1) + 1;
    size_t padding = used < HASH_BLOCK_BYTES ? HASH_BLOCK_BYTES - used : 0;
    buf_reserve(out, HASH_BLOCK_BYTES + input->code.size + input->channel.size +
                         input->session.size + 16);
    lv_append(out, slice_text(DSI));
    lv_append(out, input->code);
    lv_append(out, slice_of(zeros, padding));
    lv_append(out, input->channel);
    lv_append(out, input->session);
}

void cpace_generator(const struct cpace_input *input, uint8_t out[CPACE_POINT_BYTES])
{
    AUTO(wipe) struct buf text = {0};
    uint8_t hash[crypto_hash_sha512_BYTES];
    cpace_generator_text(input, &text);
    CHECK(crypto_hash_sha512(hash, text.data, text.size) == 0);
    CHECK(crypto_core_ristretto255_from_hash(out, hash) == 0);
    crypto_wipe(hash, sizeof hash);
}

// libsodium refuses encodings that are not canonical and the neutral result.
bool cpace_multiply(const uint8_t scalar[CPACE_SCALAR_BYTES],
                    const uint8_t point[CPACE_POINT_BYTES], uint8_t out[CPACE_POINT_BYTES])
{
    return crypto_scalarmult_ristretto255(out, scalar, point) == 0;
}

// ---- the exchange

static void keep(struct part *part, struct slice bytes)
{
    CHECK(bytes.size <= sizeof part->bytes);
    if (bytes.size > 0) memcpy(part->bytes, bytes.data, bytes.size);
    part->size = bytes.size;
}

static struct slice part_of(const struct part *part)
{
    return slice_of(part->bytes, part->size);
}

struct cpace *cpace_from_scalar(enum cpace_role role, const struct cpace_input *input,
                                const uint8_t scalar[CPACE_SCALAR_BYTES])
{
    crypto_init();
    CHECK(!slice_equal(input->own_data, input->other_data));
    struct cpace *cpace = sodium_malloc(sizeof *cpace);
    CHECK(cpace != NULL);
    memset(cpace, 0, sizeof *cpace);
    cpace->role = role;
    keep(&cpace->session, input->session);
    keep(&cpace->own_data, input->own_data);
    keep(&cpace->other_data, input->other_data);
    memcpy(cpace->scalar, scalar, sizeof cpace->scalar);
    uint8_t generator[CPACE_POINT_BYTES];
    cpace_generator(input, generator);
    CHECK(cpace_multiply(scalar, generator, cpace->own_share));
    crypto_wipe(generator, sizeof generator);
    return cpace;
}

struct cpace *cpace_new(enum cpace_role role, const struct cpace_input *input)
{
    uint8_t scalar[CPACE_SCALAR_BYTES];
    crypto_init();
    crypto_core_ristretto255_scalar_random(scalar);
    struct cpace *cpace = cpace_from_scalar(role, input, scalar);
    crypto_wipe(scalar, sizeof scalar);
    return cpace;
}

void cpace_destroy(struct cpace **cpace)
{
    sodium_free(*cpace);
    *cpace = NULL;
}

void cpace_share(const struct cpace *cpace, uint8_t out[CPACE_SHARE_BYTES])
{
    memcpy(out, cpace->own_share, CPACE_SHARE_BYTES);
}

static void append_side(const struct cpace *cpace, bool initiator, struct buf *out)
{
    bool own = initiator == (cpace->role == CPACE_INITIATOR);
    lv_append(out, slice_of(own ? cpace->own_share : cpace->other_share, CPACE_SHARE_BYTES));
    lv_append(out, part_of(own ? &cpace->own_data : &cpace->other_data));
}

enum err cpace_finish(struct cpace *cpace, const uint8_t share[CPACE_SHARE_BYTES])
{
    CHECK(!cpace->is_finished);
    uint8_t point[CPACE_POINT_BYTES];
    if (!cpace_multiply(cpace->scalar, share, point)) return ERR_DENIED;
    memcpy(cpace->other_share, share, sizeof cpace->other_share);
    AUTO(wipe) struct buf text = {0};
    buf_reserve(&text, 512); // so that it does not move and leave a copy behind
    lv_append(&text, slice_text(DSI_ISK));
    lv_append(&text, part_of(&cpace->session));
    lv_append(&text, slice_of(point, sizeof point));
    append_side(cpace, true, &text);
    append_side(cpace, false, &text);
    CHECK(crypto_hash_sha512(cpace->isk, text.data, text.size) == 0);
    crypto_wipe(point, sizeof point);
    crypto_wipe(cpace->scalar, sizeof cpace->scalar);
    cpace->is_finished = true;
    return ERR_OK;
}

void cpace_isk(const struct cpace *cpace, uint8_t out[CPACE_ISK_BYTES])
{
    CHECK(cpace->is_finished);
    memcpy(out, cpace->isk, CPACE_ISK_BYTES);
}

// ---- what follows from the key

// SHA-512(label | session | ISK)
static void derive(const struct cpace *cpace, struct slice label,
                   uint8_t out[crypto_hash_sha512_BYTES])
{
    CHECK(cpace->is_finished);
    crypto_hash_sha512_state state;
    CHECK(crypto_hash_sha512_init(&state) == 0);
    CHECK(crypto_hash_sha512_update(&state, label.data, label.size) == 0);
    CHECK(crypto_hash_sha512_update(&state, cpace->session.bytes, cpace->session.size) == 0);
    CHECK(crypto_hash_sha512_update(&state, cpace->isk, sizeof cpace->isk) == 0);
    CHECK(crypto_hash_sha512_final(&state, out) == 0);
    crypto_wipe(&state, sizeof state);
}

// HMAC-SHA-512 over what that side has sent.
static void tag_of(const struct cpace *cpace, bool initiator, uint8_t out[CPACE_TAG_BYTES])
{
    uint8_t key[crypto_hash_sha512_BYTES];
    crypto_auth_hmacsha512_state state;
    AUTO(buf_fini) struct buf text = {0};
    derive(cpace, slice_text(DSI_MAC), key);
    append_side(cpace, initiator, &text);
    CHECK(crypto_auth_hmacsha512_init(&state, key, sizeof key) == 0);
    CHECK(crypto_auth_hmacsha512_update(&state, text.data, text.size) == 0);
    CHECK(crypto_auth_hmacsha512_final(&state, out) == 0);
    crypto_wipe(key, sizeof key);
    crypto_wipe(&state, sizeof state);
}

void cpace_tag(const struct cpace *cpace, uint8_t out[CPACE_TAG_BYTES])
{
    tag_of(cpace, cpace->role == CPACE_INITIATOR, out);
}

bool cpace_check(const struct cpace *cpace, const uint8_t tag[CPACE_TAG_BYTES])
{
    uint8_t right[CPACE_TAG_BYTES];
    tag_of(cpace, cpace->role != CPACE_INITIATOR, right);
    bool is_right = sodium_memcmp(right, tag, sizeof right) == 0;
    crypto_wipe(right, sizeof right);
    return is_right;
}

void cpace_key(const struct cpace *cpace, const char *purpose, uint8_t out[CPACE_KEY_BYTES])
{
    uint8_t hash[crypto_hash_sha512_BYTES];
    derive(cpace, slice_text(purpose), hash);
    memcpy(out, hash, CPACE_KEY_BYTES);
    crypto_wipe(hash, sizeof hash);
}

void cpace_transcript(const struct cpace *cpace, uint8_t out[CPACE_KEY_BYTES])
{
    CHECK(cpace->is_finished);
    AUTO(buf_fini) struct buf text = {0};
    uint8_t hash[crypto_hash_sha512_BYTES];
    lv_append(&text, part_of(&cpace->session));
    append_side(cpace, true, &text);
    append_side(cpace, false, &text);
    CHECK(crypto_hash_sha512(hash, text.data, text.size) == 0);
    memcpy(out, hash, CPACE_KEY_BYTES);
}
