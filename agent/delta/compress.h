// SPDX-License-Identifier: MIT
//
// agent/delta/compress — zstd frames in memory, bounded on the way out.
//
// A compressor keeps zstd's contexts for who has many contents: to make one asks the processor what
// it can do, which in a virtual machine takes longer than a small content. Of one thread at a time.
#ifndef AGENT_DELTA_COMPRESS_H
#define AGENT_DELTA_COMPRESS_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"

struct compressor;

struct compressor *compressor_new(void);
void compressor_destroy(struct compressor **compressor);

// Compresses `in` at a fast level when it pays (at least 1/16 saved; tried on a sample of large
// inputs first). Returns false, with *out untouched, when it does not. Appends to *out.
bool compressor_try(struct compressor *compressor, struct slice in, struct buf *out);

// Decompresses one frame to exactly `size` bytes, appended to *out. MALFORMED: not a frame, or
// another size, or a window over 8 MiB. Nothing beyond `size` is ever allocated or written.
enum err compressor_undo(struct compressor *compressor, struct slice in, size_t size,
                         struct buf *out) MUST_USE;

// The same for one content alone.
bool compress_try(struct slice in, struct buf *out);
enum err decompress(struct slice in, size_t size, struct buf *out) MUST_USE;

// The same with what came before it as `base`, which the frame refers to and does not hold. Both
// together have at most COMPRESS_AGAINST_MAX bytes. It is made whether it pays or not.
enum { COMPRESS_AGAINST_MAX = 1 << 20 };
void compress_against(struct slice base, struct slice in, struct buf *out);
enum err decompress_against(struct slice base, struct slice in, size_t size,
                            struct buf *out) MUST_USE;

#endif
