// SPDX-License-Identifier: MIT
//
// proto/reader — a bounded cursor over msgpack bytes.
//
// It remembers its first fault and goes quiet: reads after a fault yield zeros, and the caller
// looks once at the end. Every count is compared with its limit and with the bytes that are left
// before anything is allocated for it. Only the shortest form of each integer and length is
// accepted.
#ifndef PROTO_READER_PRIV_H
#define PROTO_READER_PRIV_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"

struct reader {
    const uint8_t *data;
    size_t size;
    size_t at;
    struct arena *arena;
    uint32_t depth; // open containers
    struct fault fault;
};

void reader_init(struct reader *r, struct arena *arena, struct slice bytes, uint32_t depth);
bool reader_ok(const struct reader *r);
// The first fault wins. `what` is static.
void reader_fail(struct reader *r, enum err code, size_t offset, const char *what);

uint64_t reader_uint(struct reader *r, uint64_t min, uint64_t max);
int64_t reader_int(struct reader *r);
bool reader_bool(struct reader *r);
struct slice reader_text(struct reader *r, size_t max); // valid UTF-8
struct slice reader_bin(struct reader *r, size_t max);
void reader_fixed(struct reader *r, void *out, size_t size); // bin of exactly that size

// Open a container; reader_leave closes it. `element_bytes`: what one element takes at least.
uint32_t reader_array(struct reader *r, uint32_t max, size_t element_bytes);
void reader_tuple(struct reader *r, uint32_t count); // an array of exactly `count`
uint32_t reader_map(struct reader *r);
void reader_leave(struct reader *r);

// Passes over one value of any type, checking it as strictly as the typed reads do.
void reader_skip(struct reader *r);
// Nothing may follow.
void reader_end(struct reader *r);

#endif
