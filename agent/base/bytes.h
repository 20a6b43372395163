// SPDX-License-Identifier: MIT
//
// agent/base/bytes — a slice borrows bytes, a buf owns them, an arena owns many things at once.
//
// A borrowed slice is valid until the next call on the object it came from, unless a header says
// more. Pure rooms allocate on an arena only and contain no free.
#ifndef AGENT_BASE_BYTES_H
#define AGENT_BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *data; // may be NULL when size is 0
    size_t size;         // bytes
};

struct slice slice_of(const void *data, size_t size);
struct slice slice_text(const char *text); // without the final NUL
bool slice_equal(struct slice a, struct slice b);
int slice_compare(struct slice a, struct slice b); // memcmp, the shorter one first

// For printf("%.*s"): SLICE_ARG(s). Only for bytes that are known to be printable.
#define SLICE_ARG(s) (int)(s).size, (s).size ? (const char *)(s).data : ""

struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void buf_fini(struct buf *buf); // frees and zeroes; for AUTO(buf_fini) struct buf b = {0}
void buf_clear(struct buf *buf);
void buf_reserve(struct buf *buf, size_t more); // room for `more` bytes behind size
void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct slice buf_slice(const struct buf *buf);
const char *buf_text(struct buf *buf); // NUL-terminates behind size; valid until the next call

struct arena;

struct arena *arena_new(void);
void arena_destroy(struct arena **arena);
void arena_reset(struct arena *arena); // keeps one block, so a reused arena does not allocate
void *arena_alloc(struct arena *arena, size_t count, size_t size); // zeroed, aligned for any type
uint8_t *arena_bytes(struct arena *arena, size_t size); // whatever they are: to be written over
struct slice arena_copy(struct arena *arena, struct slice bytes);
char *arena_text(struct arena *arena, struct slice bytes); // NUL-terminated copy
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
