// SPDX-License-Identifier: MIT
//
// agent/delta/compress — one-shot zstd. The output never grows past what was announced, because
// the destination is reserved once and zstd is told its end.
#include "agent/delta/compress.h"

#include <zstd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"

enum {
    LEVEL = 1,
    GAIN = 16, // at least 1/16 must be saved
    SAMPLE_BYTES = 16 << 10,
    SAMPLE_FROM_BYTES = 128 << 10, // inputs from here on are tried on samples first
    SAMPLE_COUNT = 3,
    WINDOW_LOG_MAX = 23,     // 8 MiB
    AGAINST_WINDOW_LOG = 20, // all of COMPRESS_AGAINST_MAX
};

struct compressor {
    ZSTD_CCtx *out; // made when first needed
    ZSTD_DCtx *in;
};

struct compressor *compressor_new(void)
{
    return mem_zalloc(1, sizeof(struct compressor));
}

void compressor_destroy(struct compressor **compressor)
{
    struct compressor *self = *compressor;
    if (self == NULL) return;
    (void)ZSTD_freeCCtx(self->out);
    (void)ZSTD_freeDCtx(self->in);
    mem_free(compressor);
}

static void drop_cctx(ZSTD_CCtx **context)
{
    ZSTD_freeCCtx(*context);
    *context = NULL;
}

// The size at which compressing stops to pay.
static size_t worthwhile(size_t size)
{
    return size - size / GAIN;
}

// Appends the frame if it fits in what pays; false leaves *out as it was.
static bool squeeze(ZSTD_CCtx *context, struct slice in, struct buf *out)
{
    size_t room = worthwhile(in.size);
    if (room == in.size) return false; // too small to save anything
    buf_reserve(out, room);
    size_t made = ZSTD_compressCCtx(context, out->data + out->size, room, in.data, in.size, LEVEL);
    if (ZSTD_isError(made)) return false; // does not fit
    out->size += made;
    return true;
}

// Whether samples from the front, the middle and the end of a large input shrink taken together.
static bool sample_shrinks(ZSTD_CCtx *context, struct slice in)
{
    AUTO(buf_fini) struct buf sample = {0};
    buf_reserve(&sample, (size_t)SAMPLE_COUNT * SAMPLE_BYTES);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        size_t at = (in.size - SAMPLE_BYTES) / (SAMPLE_COUNT - 1) * i;
        buf_append(&sample, in.data + at, SAMPLE_BYTES);
    }
    AUTO(buf_fini) struct buf squeezed = {0};
    return squeeze(context, buf_slice(&sample), &squeezed);
}

bool compressor_try(struct compressor *compressor, struct slice in, struct buf *out)
{
    if (worthwhile(in.size) == in.size) return false;
    if (compressor->out == NULL) compressor->out = ZSTD_createCCtx();
    CHECK(compressor->out != NULL);
    if (in.size >= SAMPLE_FROM_BYTES && !sample_shrinks(compressor->out, in)) return false;
    return squeeze(compressor->out, in, out);
}

bool compress_try(struct slice in, struct buf *out)
{
    AUTO(compressor_destroy) struct compressor *compressor = compressor_new();
    return compressor_try(compressor, in, out);
}

static enum err unpack(struct compressor *compressor, struct slice base, struct slice in,
                       size_t size, struct buf *out)
{
    // One frame and nothing behind it. A frame that names its size is refused before allocating.
    size_t frame = ZSTD_findFrameCompressedSize(in.data, in.size);
    if (ZSTD_isError(frame) || frame != in.size) return ERR_MALFORMED;
    unsigned long long named = ZSTD_getFrameContentSize(in.data, in.size);
    if (named == ZSTD_CONTENTSIZE_ERROR) return ERR_MALFORMED;
    if (named != ZSTD_CONTENTSIZE_UNKNOWN && named != size) return ERR_MALFORMED;

    if (compressor->in == NULL) compressor->in = ZSTD_createDCtx();
    ZSTD_DCtx *context = compressor->in;
    CHECK(context != NULL);
    (void)ZSTD_DCtx_reset(context, ZSTD_reset_session_only); // what a bad frame has left
    if (ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        return ERR_MALFORMED;
    }
    if (ZSTD_isError(ZSTD_DCtx_refPrefix(context, base.data, base.size))) return ERR_MALFORMED;
    size_t before = out->size;
    buf_reserve(out, size > 0 ? size : 1);
    ZSTD_outBuffer to = {out->data + before, size, 0};
    ZSTD_inBuffer from = {in.data, in.size, 0};
    size_t left = ZSTD_decompressStream(context, &to, &from);
    // Skippable frames end with left == 0, too, but make nothing; they are no content.
    if (left != 0 || to.pos != size || from.pos != in.size) return ERR_MALFORMED;
    out->size = before + size;
    return ERR_OK;
}

enum err compressor_undo(struct compressor *compressor, struct slice in, size_t size,
                         struct buf *out)
{
    return unpack(compressor, slice_of(NULL, 0), in, size, out);
}

enum err decompress(struct slice in, size_t size, struct buf *out)
{
    AUTO(compressor_destroy) struct compressor *compressor = compressor_new();
    return compressor_undo(compressor, in, size, out);
}

void compress_against(struct slice base, struct slice in, struct buf *out)
{
    CHECK(base.size + in.size <= COMPRESS_AGAINST_MAX);
    AUTO(drop_cctx) ZSTD_CCtx *context = ZSTD_createCCtx();
    CHECK(context != NULL);
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL)));
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, AGAINST_WINDOW_LOG)));
    CHECK(!ZSTD_isError(ZSTD_CCtx_refPrefix(context, base.data, base.size)));
    size_t room = ZSTD_compressBound(in.size);
    buf_reserve(out, room);
    size_t made = ZSTD_compress2(context, out->data + out->size, room, in.data, in.size);
    CHECK(!ZSTD_isError(made));
    out->size += made;
}

enum err decompress_against(struct slice base, struct slice in, size_t size, struct buf *out)
{
    AUTO(compressor_destroy) struct compressor *compressor = compressor_new();
    return unpack(compressor, base, in, size, out);
}
