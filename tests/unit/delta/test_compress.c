// SPDX-License-Identifier: MIT
//
// compress and decompress: round trips, inputs that do not pay, and frames that lie.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/delta/compress.h"

static void fill_text(struct buf *out, size_t size)
{
    for (unsigned i = 0; out->size < size; i++)
        buf_printf(out, "option_%u = value %u\n", i, i * 7919u);
    out->size = size;
}

static void fill_noise(struct buf *out, size_t size)
{
    uint64_t state = 88172645463325252u;
    buf_reserve(out, size);
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out->data[out->size++] = (uint8_t)(state >> 32);
    }
}

static void text_makes_a_round_trip(void **state)
{
    (void)state;
    size_t sizes[] = {200, 4096, 70000, 128 << 10, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        AUTO(buf_fini) struct buf text = {0};
        AUTO(buf_fini) struct buf frame = {0};
        AUTO(buf_fini) struct buf back = {0};
        fill_text(&text, sizes[i]);
        buf_append_text(&frame, "head");
        buf_append_text(&back, "tail");
        assert_true(compress_try(buf_slice(&text), &frame));
        assert_memory_equal(frame.data, "head", 4);
        assert_true(frame.size - 4 <= sizes[i] - sizes[i] / 16);
        struct slice in = slice_of(frame.data + 4, frame.size - 4);
        assert_int_equal(decompress(in, sizes[i], &back), ERR_OK);
        assert_int_equal(back.size, sizes[i] + 4);
        assert_memory_equal(back.data, "tail", 4);
        assert_memory_equal(back.data + 4, text.data, sizes[i]);
    }
}

static void what_does_not_pay_is_left_alone(void **state)
{
    (void)state;
    size_t sizes[] = {0, 1, 15, 16, 1000, 200000, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        AUTO(buf_fini) struct buf noise = {0};
        AUTO(buf_fini) struct buf frame = {0};
        fill_noise(&noise, sizes[i]);
        buf_append_text(&frame, "head");
        assert_false(compress_try(buf_slice(&noise), &frame));
        assert_int_equal(frame.size, 4);
    }
}

static void another_size_is_refused(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf text = {0};
    AUTO(buf_fini) struct buf frame = {0};
    AUTO(buf_fini) struct buf back = {0};
    fill_text(&text, 5000);
    assert_true(compress_try(buf_slice(&text), &frame));
    size_t wrong[] = {0, 1, 4999, 5001, 1 << 20};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(decompress(buf_slice(&frame), wrong[i], &back), ERR_MALFORMED);
        assert_int_equal(back.size, 0);
    }
}

// A frame made by streaming does not name its size: the bomb must stop at what was announced.
static void an_unnamed_size_is_bounded(void **state)
{
    (void)state;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    assert_non_null(context);
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)));
    AUTO(mem_free) char *zeros = mem_zalloc(1, 10 << 20);
    AUTO(mem_free) char *bomb = mem_alloc(64 << 10);
    size_t size = ZSTD_compress2(context, bomb, 64 << 10, zeros, 10 << 20);
    assert_false(ZSTD_isError(size));
    ZSTD_freeCCtx(context);

    AUTO(buf_fini) struct buf back = {0};
    assert_int_equal(decompress(slice_of(bomb, size), 1000, &back), ERR_MALFORMED);
    assert_int_equal(back.size, 0);
    assert_true(back.capacity < 1 << 20);
    assert_int_equal(decompress(slice_of(bomb, size), 10 << 20, &back), ERR_OK);
    assert_memory_equal(back.data, zeros, 10 << 20);
}

static void a_large_window_is_refused(void **state)
{
    (void)state;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    assert_non_null(context);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 25);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    AUTO(mem_free) char *frame = mem_alloc(64 << 10);
    // Streamed, so that zstd cannot shrink the window to the input.
    ZSTD_outBuffer to = {frame, 64 << 10, 0};
    ZSTD_inBuffer from = {"hello", 5, 0};
    assert_false(ZSTD_isError(ZSTD_compressStream2(context, &to, &from, ZSTD_e_flush)));
    assert_int_equal(ZSTD_compressStream2(context, &to, &from, ZSTD_e_end), 0);
    ZSTD_freeCCtx(context);
    AUTO(buf_fini) struct buf back = {0};
    assert_int_equal(decompress(slice_of(frame, to.pos), 5, &back), ERR_MALFORMED);
}

static void damage_is_refused(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf text = {0};
    AUTO(buf_fini) struct buf frame = {0};
    AUTO(buf_fini) struct buf back = {0};
    fill_text(&text, 2000);
    assert_true(compress_try(buf_slice(&text), &frame));
    for (size_t cut = 0; cut < frame.size; cut++) {
        // A copy of exactly that size, so that a sanitizer sees any byte read beyond it.
        AUTO(mem_free) uint8_t *part = mem_alloc(cut + 1);
        memcpy(part, frame.data, cut);
        part = mem_realloc(part, cut > 0 ? cut : 1);
        assert_int_equal(decompress(slice_of(part, cut), 2000, &back), ERR_MALFORMED);
    }
    buf_append(&frame, "x", 1);
    assert_int_equal(decompress(buf_slice(&frame), 2000, &back), ERR_MALFORMED);
    assert_int_equal(decompress(slice_text("not a frame"), 2000, &back), ERR_MALFORMED);
    const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
    assert_int_equal(decompress(slice_of(skippable, sizeof skippable), 4, &back), ERR_MALFORMED);
    assert_int_equal(back.size, 0);
}

static void a_base_that_is_known_need_not_be_sent(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf base = {0};
    AUTO(buf_fini) struct buf now = {0};
    AUTO(buf_fini) struct buf frame = {0};
    AUTO(buf_fini) struct buf back = {0};
    fill_noise(&base, 256 << 10);
    buf_append(&now, base.data, 100000);
    buf_append_text(&now, "edited here");
    buf_append(&now, base.data + 100000, base.size - 100000 - 11);
    compress_against(buf_slice(&base), buf_slice(&now), &frame);
    assert_true(frame.size < 300);
    struct slice in = buf_slice(&frame);
    assert_int_equal(decompress_against(buf_slice(&base), in, now.size, &back), ERR_OK);
    assert_true(slice_equal(buf_slice(&back), buf_slice(&now)));
    size_t before = back.size;
    assert_int_equal(decompress_against(buf_slice(&base), in, now.size - 1, &back), ERR_MALFORMED);
    assert_int_equal(decompress_against(slice_of(base.data, 10), in, now.size, &back),
                     ERR_MALFORMED);
    assert_int_equal(decompress(in, now.size, &back), ERR_MALFORMED);
    assert_true(back.size == before);
    base.data[50000] ^= 1; // another base makes something else, or nothing
    if (decompress_against(buf_slice(&base), in, now.size, &back) == ERR_OK)
        assert_false(slice_equal(slice_of(back.data + before, now.size), buf_slice(&now)));
    // Nothing and nothing in common are no trouble.
    buf_clear(&frame);
    buf_clear(&back);
    compress_against(slice_of(NULL, 0), buf_slice(&now), &frame);
    assert_int_equal(decompress_against(slice_of(NULL, 0), buf_slice(&frame), now.size, &back),
                     ERR_OK);
    assert_true(slice_equal(buf_slice(&back), buf_slice(&now)));
}

// What a frame left half read, or one that came to another size, is none of the next one's.
static void a_compressor_forgets_what_was_bad(void **state)
{
    (void)state;
    AUTO(compressor_destroy) struct compressor *compressor = compressor_new();
    AUTO(buf_fini) struct buf noise = {0};
    fill_noise(&noise, 300);
    for (size_t size = 200; size < 200000; size = size * 3 + 1) {
        AUTO(buf_fini) struct buf text = {0};
        AUTO(buf_fini) struct buf frame = {0};
        AUTO(buf_fini) struct buf back = {0};
        fill_text(&text, size);
        assert_false(compressor_try(compressor, buf_slice(&noise), &frame));
        assert_true(compressor_try(compressor, buf_slice(&text), &frame));
        struct slice half = slice_of(frame.data, frame.size / 2);
        struct slice whole = buf_slice(&frame);
        assert_int_equal(compressor_undo(compressor, half, size, &back), ERR_MALFORMED);
        assert_int_equal(compressor_undo(compressor, whole, size - 1, &back), ERR_MALFORMED);
        frame.data[frame.size - 1] ^= 0x55;
        enum err seen = compressor_undo(compressor, whole, size, &back);
        assert_true(seen == ERR_OK || seen == ERR_MALFORMED); // as zstd sees it
        frame.data[frame.size - 1] ^= 0x55;
        buf_clear(&back);
        assert_int_equal(compressor_undo(compressor, whole, size, &back), ERR_OK);
        assert_true(slice_equal(buf_slice(&back), buf_slice(&text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_makes_a_round_trip),
        cmocka_unit_test(what_does_not_pay_is_left_alone),
        cmocka_unit_test(another_size_is_refused),
        cmocka_unit_test(an_unnamed_size_is_bounded),
        cmocka_unit_test(a_large_window_is_refused),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(a_base_that_is_known_need_not_be_sent),
        cmocka_unit_test(a_compressor_forgets_what_was_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
