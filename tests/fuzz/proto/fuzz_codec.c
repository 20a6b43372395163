// SPDX-License-Identifier: MIT
//
// Bytes that are a message, a version or a vector are written and read again: what was read first
// and what is read then are written alike.
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

static bool refused(enum err err, const struct fault *fault, struct slice bytes)
{
    if (err == ERR_OK) return false;
    CHECK(err_reaction(err) == REACT_DROP_PEER);
    CHECK(fault->code == err && fault->what != NULL && fault->offset <= bytes.size);
    return true;
}

static void message_again(struct arena *arena, struct slice bytes)
{
    AUTO(buf_fini) struct buf once = {0};
    AUTO(buf_fini) struct buf twice = {0};
    struct message first, second;
    struct fault fault = {0};
    if (refused(message_decode(arena, bytes, &first, &fault), &fault, bytes)) return;
    CHECK(message_kind_text(first.kind) != NULL);
    message_encode(&first, &once);
    CHECK(once.size <= PROTO_MESSAGE_BYTES_MAX);
    CHECK(message_decode(arena, buf_slice(&once), &second, &fault) == ERR_OK);
    CHECK(second.kind == first.kind && second.session == first.session);
    message_encode(&second, &twice);
    CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
}

static void version_again(struct arena *arena, struct slice bytes)
{
    AUTO(buf_fini) struct buf once = {0};
    AUTO(buf_fini) struct buf twice = {0};
    struct version first, second;
    struct fault fault = {0};
    if (refused(version_decode(arena, bytes, &first, &fault), &fault, bytes)) return;
    version_encode(&first, &once);
    CHECK(version_encoded_size(&first) >= once.size);
    CHECK(version_decode(arena, buf_slice(&once), &second, &fault) == ERR_OK);
    version_encode(&second, &twice);
    CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
}

static void vv_again(struct arena *arena, struct slice bytes)
{
    AUTO(buf_fini) struct buf once = {0};
    AUTO(buf_fini) struct buf twice = {0};
    struct vv first, second;
    struct fault fault = {0};
    if (refused(vv_decode(arena, bytes, &first, &fault), &fault, bytes)) return;
    vv_encode(first, &once);
    CHECK(vv_decode(arena, buf_slice(&once), &second, &fault) == ERR_OK);
    vv_encode(second, &twice);
    CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct feed feed = {data, size};
    uint32_t what = feed_below(&feed, 3);
    struct slice bytes = slice_of(feed.data, feed.size);
    if (what == 0) message_again(arena, bytes);
    if (what == 1) version_again(arena, bytes);
    if (what == 2) vv_again(arena, bytes);
    return 0;
}
