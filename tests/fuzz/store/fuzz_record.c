// SPDX-License-Identifier: MIT
//
// Rows of an index that a disk has spoilt: read as nothing at all, or as something that is written
// and read again alike.
#include "agent/core/job.h"
#include "agent/store/store.h"
#include "agent/store/store_priv.h"
#include "tests/fuzz/fuzz.h"

static void journal_again(struct arena *arena, struct slice bytes)
{
    AUTO(buf_fini) struct buf once = {0};
    AUTO(buf_fini) struct buf twice = {0};
    struct job_apply first, second;
    enum err err = journal_decode(arena, bytes, &first);
    CHECK(err == ERR_OK || (err == ERR_CORRUPT && first.count == 0));
    if (err != ERR_OK) return;
    journal_encode(&first, &once);
    CHECK(journal_decode(arena, buf_slice(&once), &second) == ERR_OK);
    journal_encode(&second, &twice);
    CHECK(second.count == first.count && slice_equal(buf_slice(&once), buf_slice(&twice)));
}

static void item_again(struct arena *arena, struct feed *feed)
{
    AUTO(buf_fini) struct buf heads = {0};
    AUTO(buf_fini) struct buf heads_again = {0};
    AUTO(buf_fini) struct buf local = {0};
    AUTO(buf_fini) struct buf again = {0};
    struct item first = {.path = slice_text("p")}, second = {.path = slice_text("p")};
    struct slice record = feed_record(feed);
    if (!heads_decode(arena, record, &first.heads, &first.head_count)) return;
    heads_encode(&first, &heads);
    CHECK(heads_decode(arena, buf_slice(&heads), &second.heads, &second.head_count));
    heads_encode(&second, &heads_again);
    CHECK(second.head_count == first.head_count);
    CHECK(slice_equal(buf_slice(&heads), buf_slice(&heads_again)));
    (void)heads_summarise(arena, first.heads, first.head_count);
    if (!local_decode(arena, slice_of(feed->data, feed->size), &first)) return;
    local_encode(&first, &local);
    CHECK(local_decode(arena, buf_slice(&local), &second));
    local_encode(&second, &again);
    CHECK(slice_equal(buf_slice(&local), buf_slice(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct feed feed = {data, size};
    if (feed_byte(&feed) & 1)
        journal_again(arena, slice_of(feed.data, feed.size));
    else
        item_again(arena, &feed);
    return 0;
}
