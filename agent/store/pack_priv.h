// SPDX-License-Identifier: MIT
//
// agent/store/pack — the form of small records inside blobs: LEB128 numbers and length-prefixed
// bytes.
//
// Reading keeps its first failure and goes quiet: every later read gives zero or nothing, and the
// caller asks once at the end. No length is believed beyond the bytes that are there.
#ifndef AGENT_STORE_PACK_PRIV_H
#define AGENT_STORE_PACK_PRIV_H

#include "agent/core/item.h"

void pack_u64(struct buf *out, uint64_t value);
void pack_i64(struct buf *out, int64_t value);
void pack_slice(struct buf *out, struct slice bytes);
void pack_print(struct buf *out, const struct fingerprint *print);
void pack_version(struct buf *out, const struct version *version);

struct unpack {
    struct slice rest;
    bool bad;
};

uint64_t unpack_u64(struct unpack *in);
uint64_t unpack_below(struct unpack *in, uint64_t limit); // anything else is bad
int64_t unpack_i64(struct unpack *in);
struct slice unpack_slice(struct unpack *in); // points into what is being read
void unpack_print(struct unpack *in, struct fingerprint *out);
void unpack_version(struct unpack *in, struct arena *arena, struct version *out);

#endif
