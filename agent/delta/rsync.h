// SPDX-License-Identifier: MIT
//
// agent/delta/rsync — librsync's signatures, deltas and patches as streams: bytes go in by pieces
// of any size, bytes come out; whoever calls does the reading and the writing.
//
// Signatures are RabinKarp + BLAKE2 with 16 bytes of it, a power of two of 1 KiB to 128 KiB as
// block length and at most 32,768 blocks. Nothing here is believed: whoever patches verifies what
// came out against a content id.
// Source: docs/PROTOCOL.md "Deltas"; https://librsync.github.io/page_formats.html
#ifndef AGENT_DELTA_RSYNC_H
#define AGENT_DELTA_RSYNC_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"

enum {
    DELTA_BLOCK_MIN = 1 << 10,
    DELTA_BLOCK_MAX = 128 << 10,
    DELTA_BLOCKS_MAX = 32768,
    DELTA_HEAD_BYTES = 12,
    DELTA_STRONG_BYTES = 16,
    DELTA_ENTRY_BYTES = 4 + DELTA_STRONG_BYTES,
    DELTA_SIGNATURE_BYTES_MAX = DELTA_HEAD_BYTES + DELTA_BLOCKS_MAX * DELTA_ENTRY_BYTES,
    DELTA_FEED_BYTES = 1 << 10,
};

#define DELTA_BASE_BYTES_MAX ((uint64_t)DELTA_BLOCKS_MAX * DELTA_BLOCK_MAX)

// The block length at which signature and delta of a small change are smallest together.
uint32_t delta_block(uint64_t base_size);
size_t delta_signature_size(uint64_t base_size, uint32_t block);
void delta_head(uint32_t block, struct buf *out); // the signature's first bytes

// ---- the entries of a signature, without its head: those of pieces that are whole blocks can be
// made apart and put one behind the other.
struct signer;
struct signer *signer_new(uint32_t block);
void signer_feed(struct signer *signer, struct slice bytes, struct buf *out);
void signer_end(struct signer *signer, struct buf *out); // once
void signer_destroy(struct signer **signer);

// ---- a delta
struct differ;
// MALFORMED: no signature of the form above. LIMIT: one that is made to cost time.
enum err differ_new(struct slice signature, struct differ **out) MUST_USE;
// At most DELTA_FEED_BYTES at a time, so that its caller can look at the clock: with a signature
// that is made for it each byte costs as much as hashing a block.
void differ_feed(struct differ *differ, struct slice bytes, struct buf *out);
// What was fed has come out, but for the last bytes, fewer than a block: so many are returned and
// are to be fed again, since with what follows they may be a block of the base. `out` is all that
// came of the last calls, any number of them.
size_t differ_flush(struct differ *differ, struct buf *out);
void differ_end(struct differ *differ, struct buf *out); // once
void differ_destroy(struct differ **differ);

// ---- what a delta makes of a base
struct patcher;
// Reads `size` bytes of the base at `at`; false: they cannot be had.
typedef bool patch_read(void *context, uint64_t at, uint8_t *out, size_t size);
struct patcher *patcher_new(uint64_t base_size);
void patcher_base(struct patcher *patcher, patch_read *read, void *context); // from now on
// Takes from *in until there are `size_max` bytes that nobody has taken, or *in is empty;
// *out_done: the delta has ended. MALFORMED: it is no delta of this base, or goes on behind its
// end; it is of no use then.
enum err patcher_run(struct patcher *patcher, struct slice *in, size_t size_max,
                     bool *out_done) MUST_USE;
struct slice patcher_made(const struct patcher *patcher);
void patcher_taken(struct patcher *patcher); // all of that
void patcher_destroy(struct patcher **patcher);

#endif
