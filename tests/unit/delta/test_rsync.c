// SPDX-License-Identifier: MIT
//
// Signatures, deltas and patches: there and back in pieces of any size, and what a hostile peer
// may send in their place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/delta/rsync.h"

static void fill_noise(struct buf *out, size_t size, uint64_t state)
{
    buf_reserve(out, size);
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out->data[out->size++] = (uint8_t)(state >> 32);
    }
}

static void sign(struct slice base, uint32_t block, size_t piece, struct buf *out)
{
    AUTO(signer_destroy) struct signer *signer = signer_new(block);
    for (size_t at = 0; at < base.size; at += piece) {
        size_t size = base.size - at < piece ? base.size - at : piece;
        signer_feed(signer, slice_of(base.data + at, size), out);
    }
    signer_end(signer, out);
}

static void signature_of(struct slice base, size_t piece, struct buf *out)
{
    uint32_t block = delta_block(base.size);
    delta_head(block, out);
    sign(base, block, piece, out);
    assert_int_equal(out->size, delta_signature_size(base.size, block));
}

static void delta_of(struct slice signature, struct slice now, size_t piece, struct buf *out)
{
    AUTO(differ_destroy) struct differ *differ = NULL;
    assert_int_equal(differ_new(signature, &differ), ERR_OK);
    for (size_t at = 0; at < now.size; at += piece) {
        size_t size = now.size - at < piece ? now.size - at : piece;
        differ_feed(differ, slice_of(now.data + at, size), out);
    }
    differ_end(differ, out);
}

static void move(struct buf *from, struct buf *to)
{
    buf_append(to, from->data, from->size);
    buf_clear(from);
}

// As `delta_of`, but what is known after each `every` bytes comes out. What came before is taken
// from time to time, as whoever sends pages does.
static void delta_in_parts(struct slice signature, struct slice now, size_t every, struct buf *out)
{
    AUTO(differ_destroy) struct differ *differ = NULL;
    AUTO(buf_fini) struct buf part = {0};
    assert_int_equal(differ_new(signature, &differ), ERR_OK);
    size_t since = 0;
    for (size_t at = 0, size; at < now.size; at += size) {
        size = now.size - at < DELTA_FEED_BYTES ? now.size - at : DELTA_FEED_BYTES;
        differ_feed(differ, slice_of(now.data + at, size), &part);
        if (part.size > 40000) move(&part, out);
        since += size;
        if (since < every) continue;
        size_t again = differ_flush(differ, &part);
        assert_true(again < delta_block(1 << 20));
        at -= again;
        since = 0;
        move(&part, out);
    }
    differ_end(differ, &part);
    move(&part, out);
}

static bool base_read(void *context, uint64_t at, uint8_t *out, size_t size)
{
    const struct slice *base = context;
    if (at + size > base->size) return false;
    memcpy(out, base->data + at, size);
    return true;
}

// What comes of a delta, at most `max` bytes of it.
static enum err patch(struct slice base, struct slice delta, size_t piece, size_t room, size_t max,
                      struct buf *out, bool *out_done)
{
    AUTO(patcher_destroy) struct patcher *patcher = patcher_new(base.size);
    patcher_base(patcher, base_read, &base);
    *out_done = false;
    for (size_t at = 0; at < delta.size;) {
        size_t size = delta.size - at < piece ? delta.size - at : piece;
        struct slice in = slice_of(delta.data + at, size);
        at += size;
        size_t before;
        do {
            enum err err = patcher_run(patcher, &in, room, out_done);
            if (err != ERR_OK) return err;
            struct slice made = patcher_made(patcher);
            assert_true(made.size <= room);
            before = made.size;
            buf_append(out, made.data, made.size);
            patcher_taken(patcher);
            if (out->size >= max) return ERR_OK;
        } while (in.size > 0 || before == room);
    }
    return ERR_OK;
}

static void there_and_back(struct slice base, struct slice now, size_t most)
{
    const size_t pieces[] = {1, 7, DELTA_FEED_BYTES};
    AUTO(buf_fini) struct buf signature = {0};
    AUTO(buf_fini) struct buf delta = {0};
    signature_of(base, 4096, &signature);
    delta_of(buf_slice(&signature), now, DELTA_FEED_BYTES, &delta);
    assert_true(delta.size <= most);
    for (size_t i = 0; i < 3; i++) {
        AUTO(buf_fini) struct buf again = {0};
        AUTO(buf_fini) struct buf out = {0};
        bool done;
        delta_of(buf_slice(&signature), now, pieces[i], &again);
        assert_true(slice_equal(buf_slice(&again), buf_slice(&delta)));
        assert_int_equal(
            patch(base, buf_slice(&delta), pieces[i], pieces[2 - i] + 9, SIZE_MAX, &out, &done),
            ERR_OK);
        assert_true(done && slice_equal(buf_slice(&out), now));
    }
}

static void changes_cost_little(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf base = {0};
    AUTO(buf_fini) struct buf now = {0};
    fill_noise(&base, 300000, 1);
    there_and_back(buf_slice(&base), buf_slice(&base), 100);
    buf_append_text(&now, "in front");
    buf_append(&now, base.data, base.size);
    there_and_back(buf_slice(&base), buf_slice(&now), 100);
    memset(now.data + 150000, 'x', 500);
    there_and_back(buf_slice(&base), buf_slice(&now), 8192);
    there_and_back(buf_slice(&base), slice_of(now.data + 77, 200000), 12000);
    there_and_back(slice_of(base.data, 1), buf_slice(&now), now.size + 100);
    there_and_back(buf_slice(&base), slice_of(base.data, 1), 100);
}

static void flushed(struct slice base, struct slice now)
{
    const size_t every[] = {8192, 20000, 99999, 500000};
    AUTO(buf_fini) struct buf signature = {0};
    AUTO(buf_fini) struct buf whole = {0};
    signature_of(base, 4096, &signature);
    delta_of(buf_slice(&signature), now, DELTA_FEED_BYTES, &whole);
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        AUTO(buf_fini) struct buf delta = {0};
        AUTO(buf_fini) struct buf out = {0};
        bool done;
        delta_in_parts(buf_slice(&signature), now, every[i], &delta);
        assert_true(delta.size <= whole.size + 40 * (1 + now.size / every[i]));
        assert_int_equal(patch(base, buf_slice(&delta), 4096, 65536, SIZE_MAX, &out, &done),
                         ERR_OK);
        assert_true(done && slice_equal(buf_slice(&out), now));
    }
}

// Wherever it is flushed, in a copy, in what is new or where one ends, it is hardly longer.
static void a_flush_costs_little(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf base = {0};
    AUTO(buf_fini) struct buf now = {0};
    fill_noise(&base, 1 << 20, 11);
    flushed(buf_slice(&base), buf_slice(&base));
    buf_append_text(&now, "in front");
    buf_append(&now, base.data, base.size);
    flushed(buf_slice(&base), buf_slice(&now));
    for (size_t at = 50000; at + 3000 < now.size; at += 70001)
        memset(now.data + at, 'x', 3000); // more than two literals of a byte of length
    flushed(buf_slice(&base), buf_slice(&now));
    size_t size = now.size;
    buf_clear(&now);
    fill_noise(&now, size, 12); // nothing is the same
    flushed(buf_slice(&base), buf_slice(&now));
}

// What a peer can make already is said, however long the copy is.
static void a_flush_tells_what_a_copy_has_reached(void **state)
{
    (void)state;
    AUTO(differ_destroy) struct differ *differ = NULL;
    AUTO(buf_fini) struct buf base = {0};
    AUTO(buf_fini) struct buf signature = {0};
    AUTO(buf_fini) struct buf delta = {0};
    AUTO(buf_fini) struct buf out = {0};
    bool done;
    fill_noise(&base, 1 << 20, 13);
    signature_of(buf_slice(&base), 4096, &signature);
    assert_int_equal(differ_new(buf_slice(&signature), &differ), ERR_OK);
    for (size_t at = 0; at < base.size / 2; at += DELTA_FEED_BYTES)
        differ_feed(differ, slice_of(base.data + at, DELTA_FEED_BYTES), &delta);
    size_t again = differ_flush(differ, &delta);
    assert_int_equal(patch(buf_slice(&base), buf_slice(&delta), 4096, 65536, SIZE_MAX, &out, &done),
                     ERR_OK);
    assert_false(done);
    assert_int_equal(out.size, base.size / 2 - again);
}

static void repetitive_contents_are_no_attack(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf base = {0};
    AUTO(buf_fini) struct buf now = {0};
    fill_noise(&base, 1000, 3);
    buf_reserve(&base, 400000);
    memset(base.data + 1000, 0, 399000);
    base.size = 400000;
    buf_append_text(&now, "!");
    buf_append(&now, base.data, base.size);
    there_and_back(buf_slice(&base), buf_slice(&now), 2000);
}

static void pieces_can_be_signed_apart(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf base = {0};
    AUTO(buf_fini) struct buf whole = {0};
    AUTO(buf_fini) struct buf parts = {0};
    fill_noise(&base, 70000, 5);
    sign(buf_slice(&base), 1024, 70000, &whole);
    sign(slice_of(base.data, 10240), 1024, 100, &parts);
    sign(slice_of(base.data + 10240, 59760), 1024, 4096, &parts);
    assert_true(slice_equal(buf_slice(&whole), buf_slice(&parts)));
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(delta_block(0), DELTA_BLOCK_MIN);
    assert_int_equal(delta_block(1 << 20), 4096);
    assert_int_equal(delta_block(UINT64_C(1) << 30), DELTA_BLOCK_MAX);
    assert_int_equal(delta_signature_size(DELTA_BASE_BYTES_MAX, delta_block(DELTA_BASE_BYTES_MAX)),
                     DELTA_SIGNATURE_BYTES_MAX);
}

static enum err load(struct slice signature)
{
    AUTO(differ_destroy) struct differ *differ = NULL;
    return differ_new(signature, &differ);
}

static void signatures_that_are_none(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf base = {0};
    AUTO(buf_fini) struct buf good = {0};
    // Bytes of the head that make it another magic (MD4), block length or length of strong sums.
    const uint8_t wrong[][2] = {{0, 0}, {3, 0x36}, {3, 0x37}, {3, 0x46}, {4, 1},
                                {6, 3}, {6, 5},    {6, 0},    {11, 8},   {11, 32}};
    fill_noise(&base, 50000, 7);
    signature_of(buf_slice(&base), 999, &good);
    assert_int_equal(load(buf_slice(&good)), ERR_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t was = good.data[wrong[i][0]];
        good.data[wrong[i][0]] = wrong[i][1];
        assert_int_equal(load(buf_slice(&good)), ERR_MALFORMED);
        good.data[wrong[i][0]] = was;
    }
    assert_int_equal(load(slice_of(good.data, good.size - 1)), ERR_MALFORMED);
    assert_int_equal(load(slice_of(good.data, DELTA_HEAD_BYTES)), ERR_MALFORMED);
    assert_int_equal(load(slice_of(good.data, 0)), ERR_MALFORMED);
    buf_reserve(&good, DELTA_SIGNATURE_BYTES_MAX);
    memset(good.data + good.size, 0, DELTA_SIGNATURE_BYTES_MAX - good.size);
    good.size = DELTA_SIGNATURE_BYTES_MAX;
    assert_int_equal(load(buf_slice(&good)), ERR_OK);
    buf_append(&good, good.data + DELTA_HEAD_BYTES, DELTA_ENTRY_BYTES);
    assert_int_equal(load(buf_slice(&good)), ERR_MALFORMED);
}

static void a_signature_that_costs_time_is_refused(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf signature = {0};
    delta_head(1024, &signature);
    for (uint32_t i = 0; i < 64; i++) {
        uint8_t entry[DELTA_ENTRY_BYTES] = {1, 2, 3, 4, (uint8_t)(i * 37), (uint8_t)i};
        buf_append(&signature, entry, sizeof entry);
        buf_append(&signature, entry, sizeof entry); // the same again does not count
    }
    assert_int_equal(load(buf_slice(&signature)), ERR_OK);
    uint8_t more[DELTA_ENTRY_BYTES] = {1, 2, 3, 4, 255, 255};
    buf_append(&signature, more, sizeof more);
    assert_int_equal(load(buf_slice(&signature)), ERR_LIMIT);
}

static enum err outcome(struct slice base, const void *delta, size_t size, size_t max)
{
    AUTO(buf_fini) struct buf out = {0};
    bool done;
    enum err err = patch(base, slice_of(delta, size), size, 4096, max, &out, &done);
    return err == ERR_OK && !done && max == SIZE_MAX ? ERR_BUSY : err;
}

static void deltas_that_are_none(void **state)
{
    (void)state;
    struct slice base = slice_text("the base");
    // Magic, a command of librsync's, its numbers; 0x45: copy from an offset and of a length of one
    // byte, 0x54: both of eight.
    const uint8_t sound[] = "rs\x02\x36\x45\x01\x03\x02hi\x00";
    const uint8_t outside[] = "rs\x02\x36\x45\x06\x03\x00";
    const uint8_t far[] =
        "rs\x02\x36\x54\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01";
    const uint8_t negative[] =
        "rs\x02\x36\x54\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01";
    assert_int_equal(outcome(base, sound, 11, SIZE_MAX), ERR_OK);
    assert_int_equal(outcome(base, sound, 12, SIZE_MAX), ERR_MALFORMED); // something behind it
    assert_int_equal(outcome(base, sound, 10, SIZE_MAX), ERR_BUSY);      // it does not end
    assert_int_equal(outcome(base, outside, 8, SIZE_MAX), ERR_MALFORMED);
    assert_int_equal(outcome(base, far, 21, SIZE_MAX), ERR_MALFORMED);
    assert_int_equal(outcome(base, negative, 21, SIZE_MAX), ERR_MALFORMED);
    assert_int_equal(outcome(base, "rs\x02\x35\x00", 5, SIZE_MAX), ERR_MALFORMED);
    assert_int_equal(outcome(base, "rs\x02\x36\xff", 5, SIZE_MAX), ERR_MALFORMED);
}

// 18 KB that would unfold to gigabytes come out as far as somebody wants them.
static void what_comes_out_is_bounded(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf base = {0};
    AUTO(buf_fini) struct buf bomb = {0};
    fill_noise(&base, 1 << 20, 9);
    buf_append(&bomb, "rs\x02\x36", 4);
    for (int i = 0; i < 2000; i++) {
        const uint8_t all[] = {0x4f, 0, 0, 0, 0, 0, 0x10, 0, 0}; // 1 MiB from 0, four bytes each
        buf_append(&bomb, all, sizeof all);
    }
    assert_int_equal(outcome(buf_slice(&base), bomb.data, bomb.size, 3 << 20), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_cost_little),
        cmocka_unit_test(a_flush_costs_little),
        cmocka_unit_test(a_flush_tells_what_a_copy_has_reached),
        cmocka_unit_test(repetitive_contents_are_no_attack),
        cmocka_unit_test(pieces_can_be_signed_apart),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(signatures_that_are_none),
        cmocka_unit_test(a_signature_that_costs_time_is_refused),
        cmocka_unit_test(deltas_that_are_none),
        cmocka_unit_test(what_comes_out_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
