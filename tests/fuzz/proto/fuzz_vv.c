// SPDX-License-Identifier: MIT
//
// Vectors and sets of dots beside what they mean: a vector is a counter for every incarnation, a
// set of dots is a table of them.
#include "proto/vv.h"
#include "tests/fuzz/fuzz.h"

enum { INCS = 6, COUNTERS = 8 };

struct plain { // vector: the counters
    uint64_t counter[INCS];
};

struct table { // set of dots
    bool has[INCS][COUNTERS];
};

static uint64_t inc_of(uint32_t i)
{
    static const uint64_t incs[INCS] = {1, 2, 3, 255, UINT64_MAX - 1, UINT64_MAX};
    return incs[i];
}

static struct vv vv_feed(struct feed *feed, struct arena *arena, struct plain *out)
{
    struct vv v = {0};
    *out = (struct plain){{0}};
    for (uint32_t i = feed_below(feed, 2 * INCS); i > 0; i--) {
        uint32_t at = feed_below(feed, INCS);
        uint64_t counter = feed_byte(feed) % COUNTERS;
        bool set = (feed_byte(feed) & 1) != 0;
        struct dot dot = {inc_of(at), counter};
        if (set) {
            v = vv_set(arena, v, dot);
            out->counter[at] = counter;
        } else if (counter > 0) {
            v = vv_with(arena, v, dot);
            if (counter > out->counter[at]) out->counter[at] = counter;
        }
    }
    return v;
}

static void vv_means(struct vv v, const struct plain *plain)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < INCS; i++) {
        CHECK(vv_get(v, inc_of(i)) == plain->counter[i]);
        count += plain->counter[i] > 0;
    }
    CHECK(v.count == count);
    for (uint32_t i = 1; i < v.count; i++)
        CHECK(v.entries[i - 1].inc < v.entries[i].inc);
}

static bool plain_le(const struct plain *a, const struct plain *b)
{
    for (uint32_t i = 0; i < INCS; i++) {
        if (a->counter[i] > b->counter[i]) return false;
    }
    return true;
}

static void vectors(struct feed *feed, struct arena *arena)
{
    struct plain pa, pb, joined = {{0}}, above = {{0}}, met = {{0}};
    struct vv a = vv_feed(feed, arena, &pa), b = vv_feed(feed, arena, &pb);
    vv_means(a, &pa);
    vv_means(b, &pb);
    for (uint32_t i = 0; i < INCS; i++) {
        uint64_t x = pa.counter[i], y = pb.counter[i];
        joined.counter[i] = x > y ? x : y;
        above.counter[i] = x > y ? x : 0;
        met.counter[i] = x > y ? y : x;
    }
    struct vv join = vv_join(arena, a, b);
    vv_means(join, &joined);
    vv_means(vv_above(arena, a, b), &above);
    vv_means(vv_meet(arena, a, b), &met);
    CHECK(vv_le(a, b) == plain_le(&pa, &pb));
    CHECK(vv_equal(a, b) == (memcmp(&pa, &pb, sizeof pa) == 0));
    CHECK(vv_equal(vv_join(arena, b, a), join));
    CHECK(vv_equal(vv_join(arena, vv_above(arena, a, b), b), join));
    for (uint32_t i = 0; i < INCS; i++) {
        struct dot dot = {inc_of(i), 1 + feed_byte(feed) % COUNTERS};
        CHECK(vv_covers(a, dot) == (dot.counter <= pa.counter[i]));
    }
}

static struct dots dots_feed(struct feed *feed, struct arena *arena, struct table *out)
{
    struct dots s = {0};
    *out = (struct table){{{0}}};
    for (uint32_t n = feed_below(feed, INCS); n > 0; n--) {
        uint32_t i = feed_below(feed, INCS), c = feed_below(feed, COUNTERS);
        struct dot dot = {inc_of(i), c + 1};
        s = dots_union(arena, s, (struct dots){&dot, 1});
        out->has[i][c] = true;
    }
    return s;
}

static void sets(struct feed *feed, struct arena *arena)
{
    struct table ta, tb;
    struct plain pv;
    struct dots a = dots_feed(feed, arena, &ta), b = dots_feed(feed, arena, &tb);
    struct dots both = dots_union(arena, a, b);
    struct vv v = vv_feed(feed, arena, &pv);
    bool covered = true;
    uint32_t count = 0;
    for (uint32_t i = 0; i < INCS; i++) {
        for (uint32_t c = 0; c < COUNTERS; c++) {
            struct dot dot = {inc_of(i), c + 1};
            CHECK(dots_contain(a, dot) == ta.has[i][c]);
            CHECK(dots_contain(both, dot) == (ta.has[i][c] || tb.has[i][c]));
            count += ta.has[i][c] || tb.has[i][c];
            covered = covered && (!ta.has[i][c] || dot.counter <= pv.counter[i]);
        }
    }
    CHECK(both.count == count);
    CHECK(dots_equal(a, b) == (memcmp(&ta, &tb, sizeof ta) == 0));
    CHECK(dots_equal(dots_union(arena, b, a), both));
    CHECK(dots_covered(a, v) == covered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct feed feed = {data, size};
    vectors(&feed, arena);
    sets(&feed, arena);
    return 0;
}
