// SPDX-License-Identifier: MIT
//
// The queue of events one client has not read: format, pieces, overflow.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/stream_priv.h"
#include "agent/base/check.h"
#include "agent/base/own.h"

static void take_all(struct stream *stream, size_t piece, struct buf *out)
{
    char bytes[512];
    assert_true(piece <= sizeof bytes);
    for (size_t got; (got = stream_take(stream, bytes, piece)) > 0;)
        buf_append(out, bytes, got);
}

static void events_come_in_order_in_any_pieces(void **state)
{
    (void)state;
    static const char want[] = "event: status\ndata: {\"a\": 1}\n\n"
                               "event: status\ndata: one\ndata: two\n\n:\n\n"
                               "event: x\ndata: \n\n";
    for (size_t piece = 1; piece <= 512; piece = piece * 3 + 1) {
        struct stream stream;
        stream_init(&stream);
        stream_put(&stream, "status", "", slice_text("{\"a\": 1}"));
        stream_put(&stream, "status", "", slice_text("one\ntwo"));
        stream_put(&stream, "", "", slice_text(""));
        stream_put(&stream, "x", "", slice_text(""));
        AUTO(buf_fini) struct buf out = {0};
        take_all(&stream, piece, &out);
        assert_string_equal(buf_text(&out), want);
        stream_fini(&stream);
    }
}

static void overflow_drops_the_oldest_and_says_so(void **state)
{
    (void)state;
    struct stream stream;
    stream_init(&stream);
    char first[4];
    stream_put(&stream, "n", "", slice_text("current"));
    assert_int_equal(stream_take(&stream, first, 4), 4); // this one is being sent, it stays whole
    for (int i = 0; i < STREAM_EVENTS_MAX + 10; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        stream_put(&stream, "n", "", slice_text(text));
    }
    AUTO(buf_fini) struct buf out = {0};
    buf_append(&out, first, 4);
    take_all(&stream, 100, &out);
    static const char want[] = "event: n\ndata: current\n\nevent: lost\ndata: {\"count\": 10}\n\n"
                               "event: n\ndata: 10\n\nevent: n\ndata: 11\n\n";
    assert_memory_equal(buf_text(&out), want, sizeof want - 1);
    assert_non_null(strstr(buf_text(&out), "data: 265\n"));
    stream_fini(&stream);
}

static void waiting_bytes_are_bounded(void **state)
{
    (void)state;
    AUTO(mem_free) char *large = mem_alloc(1 << 20);
    memset(large, 'x', 1 << 20);
    struct stream stream;
    stream_init(&stream);
    for (int i = 0; i < 20; i++) {
        stream_put(&stream, "n", "", slice_of(large, 1 << 20));
        assert_true(stream.bytes <= STREAM_BYTES_MAX);
    }
    assert_int_equal(stream.lost, 17);
    assert_int_equal(stream.count, 3);
    stream_fini(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_in_order_in_any_pieces),
        cmocka_unit_test(overflow_drops_the_oldest_and_says_so),
        cmocka_unit_test(waiting_bytes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
