// SPDX-License-Identifier: MIT
//
// librsync's jobs, driven by buffers. Its own messages go nowhere: what is wrong with what a peer
// has sent is said by the caller, once.
#include "agent/delta/rsync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librsync.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/delta/commands_priv.h"

enum {
    PIECE_BYTES = 32 << 10,
    WEAK_EQUAL_MAX = 64, // with different strong sums; honest signatures have one or two
};

static void say_nothing(rs_loglevel level, char const *text)
{
    (void)level, (void)text;
}

static rs_job_t *job_quiet(rs_job_t *job)
{
    rs_trace_to(say_nothing);
    CHECK(job != NULL);
    return job;
}

static void job_free(rs_job_t **job)
{
    if (*job != NULL) (void)rs_job_free(*job);
    *job = NULL;
}

// Gives the job all of `in`, and `out` all it makes of it.
static rs_result job_feed(rs_job_t *job, struct slice in, bool last, struct buf *out)
{
    // librsync reads its input only.
    rs_buffers_t b = {.next_in = (char *)(uintptr_t)in.data, .avail_in = in.size, .eof_in = last};
    rs_result result;
    do {
        buf_reserve(out, PIECE_BYTES);
        b.next_out = (char *)(out->data + out->size);
        b.avail_out = PIECE_BYTES;
        result = rs_job_iter(job, &b);
        out->size += PIECE_BYTES - b.avail_out;
    } while (result == RS_BLOCKED && (b.avail_in > 0 || b.avail_out == 0 || last));
    return result;
}

// Likewise, without the first *skip bytes that it makes.
static rs_result job_feed_skipping(rs_job_t *job, struct slice in, bool last, size_t *skip,
                                   struct buf *out)
{
    size_t before = out->size;
    rs_result result = job_feed(job, in, last, out);
    size_t made = out->size - before, less = *skip < made ? *skip : made;
    if (less > 0) memmove(out->data + before, out->data + before + less, made - less);
    out->size -= less;
    *skip -= less;
    return result;
}

// ---- sizes

// Next to sqrt(20 * size): signature and one block of a delta are then of about the same size.
uint32_t delta_block(uint64_t base_size)
{
    uint64_t block = DELTA_BLOCK_MIN;
    while (block < DELTA_BLOCK_MAX && 2 * block * block <= DELTA_ENTRY_BYTES * base_size)
        block *= 2;
    return (uint32_t)block;
}

size_t delta_signature_size(uint64_t base_size, uint32_t block)
{
    uint64_t blocks = (base_size + block - 1) / block;
    CHECK(blocks <= DELTA_BLOCKS_MAX);
    return DELTA_HEAD_BYTES + (size_t)blocks * DELTA_ENTRY_BYTES;
}

static uint32_t number_of(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void number_put(struct buf *out, uint32_t number)
{
    const uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8), (uint8_t)number};
    buf_append(out, bytes, sizeof bytes);
}

void delta_head(uint32_t block, struct buf *out)
{
    number_put(out, RS_RK_BLAKE2_SIG_MAGIC);
    number_put(out, block);
    number_put(out, DELTA_STRONG_BYTES);
}

// ---- signing

struct signer {
    rs_job_t *job;
    size_t skip; // of the head that librsync makes
};

struct signer *signer_new(uint32_t block)
{
    struct signer *signer = mem_zalloc(1, sizeof *signer);
    signer->job = job_quiet(rs_sig_begin(block, DELTA_STRONG_BYTES, RS_RK_BLAKE2_SIG_MAGIC));
    signer->skip = DELTA_HEAD_BYTES;
    return signer;
}

static void signer_run(struct signer *signer, struct slice bytes, bool last, struct buf *out)
{
    rs_result result = job_feed_skipping(signer->job, bytes, last, &signer->skip, out);
    CHECK(result == (last ? RS_DONE : RS_BLOCKED));
}

void signer_feed(struct signer *signer, struct slice bytes, struct buf *out)
{
    signer_run(signer, bytes, false, out);
}

void signer_end(struct signer *signer, struct buf *out)
{
    signer_run(signer, slice_of("", 0), true, out);
}

void signer_destroy(struct signer **signer)
{
    if (*signer == NULL) return;
    job_free(&(*signer)->job);
    mem_free(signer);
}

// ---- a delta

// librsync joins copies that follow each other, and says them when they end. So that a peer can
// work on what is known, a delta is made of several, of which the first has the head and the last
// the end.
struct differ {
    rs_signature_t *signature;
    size_t block;
    rs_job_t *job;
    size_t skip;   // of the head of a further one
    uint64_t made; // by all of them
};

static int entry_compare(const void *a, const void *b)
{
    return memcmp(a, b, DELTA_ENTRY_BYTES);
}

// Blocks of one weak sum that are not the same are hashed one after the other at each byte.
static bool costs_time(struct slice entries)
{
    AUTO(buf_fini) struct buf sorted = {0};
    buf_append(&sorted, entries.data, entries.size);
    qsort(sorted.data, entries.size / DELTA_ENTRY_BYTES, DELTA_ENTRY_BYTES, entry_compare);
    uint32_t equal = 0;
    for (size_t at = DELTA_ENTRY_BYTES; at < sorted.size; at += DELTA_ENTRY_BYTES) {
        const uint8_t *one = sorted.data + at, *before = one - DELTA_ENTRY_BYTES;
        if (number_of(one) != number_of(before))
            equal = 0;
        else if (entry_compare(one, before) != 0 && ++equal >= WEAK_EQUAL_MAX)
            return true;
    }
    return false;
}

static enum err signature_check(struct slice signature)
{
    if (signature.size <= DELTA_HEAD_BYTES || signature.size > DELTA_SIGNATURE_BYTES_MAX)
        return ERR_MALFORMED;
    uint32_t block = number_of(signature.data + 4);
    bool power = block >= DELTA_BLOCK_MIN && block <= DELTA_BLOCK_MAX && (block & (block - 1)) == 0;
    if (number_of(signature.data) != RS_RK_BLAKE2_SIG_MAGIC || !power ||
        number_of(signature.data + 8) != DELTA_STRONG_BYTES ||
        (signature.size - DELTA_HEAD_BYTES) % DELTA_ENTRY_BYTES != 0)
        return ERR_MALFORMED;
    bool slow =
        costs_time(slice_of(signature.data + DELTA_HEAD_BYTES, signature.size - DELTA_HEAD_BYTES));
    return slow ? ERR_LIMIT : ERR_OK;
}

enum err differ_new(struct slice signature, struct differ **out)
{
    AUTO(differ_destroy) struct differ *differ = NULL;
    AUTO(job_free) rs_job_t *load = NULL;
    AUTO(buf_fini) struct buf nothing = {0};
    enum err err = signature_check(signature);
    if (err != ERR_OK) return err;
    differ = mem_zalloc(1, sizeof *differ);
    load = job_quiet(rs_loadsig_begin(&differ->signature));
    if (job_feed(load, signature, true, &nothing) != RS_DONE) return ERR_MALFORMED;
    if (rs_build_hash_table(differ->signature) != RS_DONE) return ERR_MALFORMED;
    differ->block = number_of(signature.data + 4);
    differ->job = job_quiet(rs_delta_begin(differ->signature));
    *out = TAKE(differ);
    return ERR_OK;
}

static void differ_run(struct differ *differ, struct slice bytes, bool last, struct buf *out)
{
    size_t before = out->size;
    rs_result result = job_feed_skipping(differ->job, bytes, last, &differ->skip, out);
    CHECK(result == (last ? RS_DONE : RS_BLOCKED));
    differ->made += out->size - before;
}

void differ_feed(struct differ *differ, struct slice bytes, struct buf *out)
{
    CHECK(bytes.size <= DELTA_FEED_BYTES);
    differ_run(differ, bytes, false, out);
}

void differ_end(struct differ *differ, struct buf *out)
{
    differ_run(differ, slice_of("", 0), true, out);
}

size_t differ_flush(struct differ *differ, struct buf *out)
{
    differ_end(differ, out);
    bool has_head = differ->made == out->size;
    out->size -= COMMAND_END_BYTES;
    size_t again = commands_cut(out, has_head ? COMMAND_MAGIC_BYTES : 0, differ->block - 1);
    job_free(&differ->job);
    differ->job = job_quiet(rs_delta_begin(differ->signature));
    differ->skip = COMMAND_MAGIC_BYTES;
    return again;
}

void differ_destroy(struct differ **differ)
{
    if (*differ == NULL) return;
    job_free(&(*differ)->job);
    if ((*differ)->signature != NULL) rs_free_sumset((*differ)->signature);
    mem_free(differ);
}

// ---- a patch

struct patcher {
    rs_job_t *job;
    uint64_t base_size;
    patch_read *read; // of the call under way
    void *context;
    struct buf made;
    bool done;
};

static rs_result copy_from_base(void *opaque, rs_long_t at, size_t *size, void **out)
{
    const struct patcher *patcher = opaque;
    if (at < 0 || (uint64_t)at > patcher->base_size || *size > patcher->base_size - (uint64_t)at)
        return RS_CORRUPT;
    return patcher->read(patcher->context, (uint64_t)at, *out, *size) ? RS_DONE : RS_IO_ERROR;
}

struct patcher *patcher_new(uint64_t base_size)
{
    struct patcher *patcher = mem_zalloc(1, sizeof *patcher);
    patcher->base_size = base_size;
    patcher->job = job_quiet(rs_patch_begin(copy_from_base, patcher));
    return patcher;
}

void patcher_base(struct patcher *patcher, patch_read *read, void *context)
{
    patcher->read = read;
    patcher->context = context;
}

enum err patcher_run(struct patcher *patcher, struct slice *in, size_t size_max, bool *out_done)
{
    struct buf *made = &patcher->made;
    size_t room = size_max > made->size ? size_max - made->size : 0;
    *out_done = patcher->done;
    if (patcher->done) return in->size == 0 ? ERR_OK : ERR_MALFORMED;
    buf_reserve(made, room);
    rs_buffers_t b = {.next_in = (char *)(uintptr_t)in->data,
                      .avail_in = in->size,
                      .next_out = (char *)(made->data + made->size),
                      .avail_out = room};
    rs_result result = rs_job_iter(patcher->job, &b);
    made->size += room - b.avail_out;
    *in = slice_of(in->data + (in->size - b.avail_in), b.avail_in);
    if (result != RS_BLOCKED && result != RS_DONE) return ERR_MALFORMED;
    *out_done = patcher->done = result == RS_DONE;
    return patcher->done && in->size > 0 ? ERR_MALFORMED : ERR_OK;
}

struct slice patcher_made(const struct patcher *patcher)
{
    return buf_slice(&patcher->made);
}

void patcher_taken(struct patcher *patcher)
{
    buf_clear(&patcher->made);
}

void patcher_destroy(struct patcher **patcher)
{
    if (*patcher == NULL) return;
    job_free(&(*patcher)->job);
    buf_fini(&(*patcher)->made);
    mem_free(patcher);
}
