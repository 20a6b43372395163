// SPDX-License-Identifier: MIT
//
// tests/fuzz — one input, one run: what every target is, and how it takes values from its input.
//
// A target never fails on an input by itself: a CHECK of the target or of the program, or a
// sanitizer, does. Built plainly it is driven by replay.c, with preset fuzz by libFuzzer.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <string.h>

#include "agent/base/bytes.h"
#include "agent/base/check.h"
#include "agent/base/err.h"
#include "agent/base/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What is left of an input. Whoever takes more than there is gets zeros. Two calls in one
// expression would come in an order that is the compiler's.
struct feed {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t feed_byte(struct feed *feed)
{
    if (feed->size == 0) return 0;
    feed->size--;
    return *feed->data++;
}

static inline uint32_t feed_below(struct feed *feed, uint32_t end)
{
    return feed_byte(feed) % end;
}

static inline uint64_t feed_number(struct feed *feed)
{
    uint64_t number = 0;
    for (uint32_t i = feed_byte(feed) % 9; i > 0; i--)
        number = number << 8 | feed_byte(feed);
    return number;
}

static inline struct slice feed_slice(struct feed *feed, size_t size)
{
    if (size > feed->size) size = feed->size;
    struct slice slice = slice_of(feed->data, size);
    feed->data += size;
    feed->size -= size;
    return slice;
}

// With its length before it, in two bytes.
static inline struct slice feed_record(struct feed *feed)
{
    size_t size = (size_t)feed_byte(feed) << 8;
    size |= feed_byte(feed);
    return feed_slice(feed, size);
}

#endif
