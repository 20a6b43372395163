// SPDX-License-Identifier: MIT
//
// Signatures and deltas of a hostile peer, and what was signed here, differs and comes back the
// same, by pieces of any size.
#include "agent/delta/rsync.h"
#include "tests/fuzz/fuzz.h"

enum { OUT_MAX = 1 << 20, ROOM = 4096 };

static bool base_read(void *context, uint64_t at, uint8_t *out, size_t size)
{
    const struct slice *base = context;
    CHECK(at <= base->size && size <= base->size - at);
    memcpy(out, base->data + at, size);
    return true;
}

// False: it is no delta.
static bool patch(struct slice base, struct slice delta, size_t piece, struct buf *out)
{
    AUTO(patcher_destroy) struct patcher *patcher = patcher_new(base.size);
    bool done = false;
    patcher_base(patcher, base_read, &base);
    for (size_t at = 0; at < delta.size; at += piece) {
        struct slice in =
            slice_of(delta.data + at, delta.size - at < piece ? delta.size - at : piece);
        size_t made;
        do {
            if (patcher_run(patcher, &in, ROOM, &done) != ERR_OK) return false;
            made = patcher_made(patcher).size;
            CHECK(made <= ROOM);
            buf_append(out, patcher_made(patcher).data, made);
            patcher_taken(patcher);
        } while ((in.size > 0 || made == ROOM) && out->size < OUT_MAX);
        if (out->size >= OUT_MAX) return false;
    }
    return done;
}

static void delta_of(struct differ *differ, struct slice now, size_t piece, struct buf *out)
{
    AUTO(buf_fini) struct buf part = {0};
    bool flushed = false;
    for (size_t at = 0; at < now.size; at += piece) {
        if (!flushed && at > now.size / 2) {
            at -= differ_flush(differ, &part);
            flushed = true;
            buf_append(out, part.data, part.size);
            buf_clear(&part);
        }
        differ_feed(differ, slice_of(now.data + at, now.size - at < piece ? now.size - at : piece),
                    &part);
    }
    differ_end(differ, &part);
    buf_append(out, part.data, part.size);
}

static void hostile_signature(struct slice signature, struct slice now)
{
    AUTO(differ_destroy) struct differ *differ = NULL;
    AUTO(buf_fini) struct buf out = {0};
    enum err err = differ_new(signature, &differ);
    CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_LIMIT);
    if (err == ERR_OK) delta_of(differ, now, DELTA_FEED_BYTES, &out);
}

static void there_and_back(struct slice base, struct slice now, size_t piece)
{
    AUTO(signer_destroy) struct signer *signer = NULL;
    AUTO(differ_destroy) struct differ *differ = NULL;
    AUTO(buf_fini) struct buf signature = {0};
    AUTO(buf_fini) struct buf delta = {0};
    AUTO(buf_fini) struct buf back = {0};
    uint32_t block = delta_block(base.size);
    delta_head(block, &signature);
    signer = signer_new(block);
    for (size_t at = 0; at < base.size; at += piece)
        signer_feed(signer,
                    slice_of(base.data + at, base.size - at < piece ? base.size - at : piece),
                    &signature);
    signer_end(signer, &signature);
    CHECK(signature.size == delta_signature_size(base.size, block));
    if (base.size == 0) return; // nothing to be made of it
    CHECK(differ_new(buf_slice(&signature), &differ) == ERR_OK);
    delta_of(differ, now, piece, &delta);
    CHECK(patch(base, buf_slice(&delta), piece, &back));
    CHECK(slice_equal(buf_slice(&back), now));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed = {data, size};
    AUTO(buf_fini) struct buf head = {0};
    AUTO(buf_fini) struct buf out = {0};
    uint8_t what = feed_byte(&feed);
    size_t piece = 1 + feed_number(&feed) % DELTA_FEED_BYTES;
    struct slice one = feed_record(&feed);
    struct slice other = slice_of(feed.data, feed.size);
    if (what % 4 == 0) {
        hostile_signature(one, other);
    } else if (what % 4 == 1) { // a head that is right
        delta_head((uint32_t)DELTA_BLOCK_MIN << (what / 4 % 8), &head);
        buf_append(&head, one.data, one.size / DELTA_ENTRY_BYTES * DELTA_ENTRY_BYTES);
        hostile_signature(buf_slice(&head), other);
    } else if (what % 4 == 2) {
        buf_append(&head, "rs\x02\x36", what / 4 % 2 * 4);
        buf_append(&head, other.data, other.size);
        (void)patch(one, buf_slice(&head), piece, &out);
    } else {
        there_and_back(one, other, piece);
    }
    return 0;
}
