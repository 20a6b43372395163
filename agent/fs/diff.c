// SPDX-License-Identifier: MIT
//
// The two ends of a delta that only read: what a base looks like, and how a content differs from
// what a peer has. A signature may be made to cost time, so that is measured all along.
#include <errno.h>
#include <string.h>
#include <time.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/delta/rsync.h"
#include "agent/fs/runs_priv.h"

enum {
    BYTES_PER_JOB = 16 << 20, // gone through, and known to the peer then
    MADE_PER_JOB = 128 << 10,
    TRIAL_BYTES = 16 << 20, // by then it is known whether it saves something
    CLOCK_BYTES = 4 * DELTA_FEED_BYTES,
    CPU_NS_PER_BYTE = 50, // a slow machine takes 10
};

static const uint64_t CPU_NS_MIN = UINT64_C(500) * 1000000;

// ---- runs

uint64_t runs_size(const struct runs *runs)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < runs->count; i++)
        size += runs->runs[i].size;
    return size;
}

bool runs_read(const struct runs *runs, uint64_t at, void *out, size_t size)
{
    uint8_t *to = out;
    for (uint32_t i = 0; i < runs->count && size > 0; i++) {
        const struct byte_run *run = &runs->runs[i];
        if (at >= run->size) {
            at -= run->size;
            continue;
        }
        size_t piece = run->size - at < size ? (size_t)(run->size - at) : size, got = 0;
        if (fd_read_at(runs->fd, to, piece, run->at + at, &got) != 0 || got != piece) return false;
        to += piece;
        size -= piece;
        at = 0;
    }
    return size == 0;
}

// ---- a signature

static enum err entries_make(const struct runs *runs, uint32_t block, struct buf *out)
{
    AUTO(mem_free) uint8_t *piece = mem_alloc(FS_IO_BYTES);
    AUTO(signer_destroy) struct signer *signer = signer_new(block);
    uint64_t size = runs_size(runs);
    for (uint64_t at = 0; at < size;) {
        size_t want = size - at < FS_IO_BYTES ? (size_t)(size - at) : FS_IO_BYTES;
        if (!runs_read(runs, at, piece, want)) return ERR_CHANGED;
        signer_feed(signer, slice_of(piece, want), out);
        at += want;
    }
    signer_end(signer, out);
    return ERR_OK;
}

void sign_run(const struct grip *grip, struct job *job)
{
    AUTO(fd_close) int fd = -1;
    AUTO(buf_fini) struct buf entries = {0};
    if (item_read_open(grip, job->sign.path, &fd) != 0) {
        job->err = ERR_CHANGED;
        return;
    }
    const struct runs runs = {fd, job->sign.runs, job->sign.run_count};
    job->err = entries_make(&runs, job->sign.block, &entries);
    if (job->err == ERR_OK) job->sign.entries = arena_copy(job->arena, buf_slice(&entries));
}

// ---- a delta

static bool too_much(const struct job_diff *diff, int64_t begun_ns)
{
    uint64_t cpu = diff->cpu_ns + (uint64_t)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun_ns);
    return cpu > CPU_NS_MIN + diff->at * CPU_NS_PER_BYTE;
}

static bool saves_nothing(const struct job_diff *diff, size_t made)
{
    uint64_t all = diff->made + made;
    return diff->at >= TRIAL_BYTES && all > diff->at - diff->at / 8;
}

static enum err piece_feed(struct job_diff *diff, struct slice piece, int64_t begun_ns,
                           struct buf *out)
{
    for (size_t at = 0; at < piece.size; at += DELTA_FEED_BYTES) {
        size_t left = piece.size - at;
        size_t size = left < DELTA_FEED_BYTES ? left : DELTA_FEED_BYTES;
        differ_feed(diff->differ, slice_of(piece.data + at, size), out);
        diff->at += size;
        if (at % CLOCK_BYTES == 0 && too_much(diff, begun_ns)) return ERR_LIMIT;
    }
    return ERR_OK;
}

static enum err delta_make(struct job_diff *diff, const struct runs *runs, struct buf *out)
{
    AUTO(mem_free) uint8_t *piece = mem_alloc(FS_IO_BYTES);
    int64_t begun_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t size = runs_size(runs), from = diff->at;
    while (diff->at < size && diff->at - from < BYTES_PER_JOB && out->size < MADE_PER_JOB) {
        size_t want = size - diff->at < FS_IO_BYTES ? (size_t)(size - diff->at) : FS_IO_BYTES;
        if (!runs_read(runs, diff->at, piece, want)) return ERR_CHANGED;
        enum err err = piece_feed(diff, slice_of(piece, want), begun_ns, out);
        if (err != ERR_OK) return err;
        if (saves_nothing(diff, out->size)) return ERR_LIMIT;
    }
    diff->done = diff->at == size;
    if (diff->done)
        differ_end(diff->differ, out);
    else if (out->size < MADE_PER_JOB) // else it flows as it is
        diff->at -= differ_flush(diff->differ, out);
    diff->made += out->size;
    diff->cpu_ns += (uint64_t)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun_ns);
    return ERR_OK;
}

void diff_run(const struct grip *grip, struct job *job)
{
    struct job_diff *diff = &job->diff;
    AUTO(fd_close) int fd = -1;
    AUTO(buf_fini) struct buf out = {0};
    job->err = source_open(grip, &diff->entry, &fd);
    if (job->err == ERR_OK && !source_still(fd, &diff->entry)) job->err = ERR_CHANGED;
    if (job->err == ERR_OK && diff->differ == NULL)
        job->err = differ_new(diff->signature, &diff->differ);
    if (job->err != ERR_OK) return;
    const struct runs runs = {fd, diff->runs, diff->run_count};
    job->err = delta_make(diff, &runs, &out);
    if (job->err == ERR_OK && !source_still(fd, &diff->entry)) job->err = ERR_CHANGED;
    if (job->err == ERR_OK) diff->bytes = arena_copy(job->arena, buf_slice(&out));
}
