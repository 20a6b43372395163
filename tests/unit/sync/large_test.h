// SPDX-License-Identifier: MIT
//
// A large content, and what becomes of it: for test_large.c and test_lies.c.
#ifndef TESTS_UNIT_SYNC_LARGE_TEST_H
#define TESTS_UNIT_SYNC_LARGE_TEST_H

#include "agent/core/job.h"
#include "proto/message.h"
#include "tests/unit/sync/sweep.h"

enum { LEAF = PROTO_LEAF_BYTES, LEAVES = 3, SIZE = LEAVES * LEAF + 12345 };

// The same bytes for the same seed, and nothing that could be compressed.
static inline void noise(uint64_t *out, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        out[i] = seed;
    }
}

static inline const uint8_t *content(uint64_t seed)
{
    static uint64_t words[3][SIZE / 8 + 1];
    if (words[seed][0] == 0) noise(words[seed], SIZE / 8 + 1, seed + 88172645463325252u);
    return (const uint8_t *)words[seed];
}

static inline void have_large(struct lan *lan)
{
    user_bytes(&lan->machines[0], "big", content(1), SIZE);
    lan_wait(lan, 20000);
    assert_true(lan_in_step(lan) && trees_equal(lan));
}

static inline void send_large(struct lan *lan)
{
    user_bytes(&lan->machines[0], "big", content(1), SIZE);
    lan_wait(lan, 20000);
}

static inline void large_is_there(struct lan *lan)
{
    assert_true(shows_bytes(&lan->machines[1], "big", content(1), SIZE));
}

// A few bytes are put in, so that all that follows has moved, and the last leaf is gone.
static inline size_t edited(struct lan *lan, uint8_t **out)
{
    const uint8_t *was = content(1);
    uint8_t *bytes = arena_alloc(lan->arena, SIZE, 1);
    size_t at = LEAF + 1000, size = SIZE - LEAF;
    memcpy(bytes, was, at);
    memcpy(bytes + at, "inserted", 8);
    memcpy(bytes + at + 8, was + at, size - at - 8);
    *out = bytes;
    return size;
}

static inline void edit_large(struct lan *lan)
{
    uint8_t *bytes;
    size_t size = edited(lan, &bytes);
    user_bytes(&lan->machines[0], "big", bytes, size);
    lan_wait(lan, 20000);
}

static inline void edit_is_there(struct lan *lan)
{
    uint8_t *bytes;
    size_t size = edited(lan, &bytes);
    assert_true(shows_bytes(&lan->machines[1], "big", bytes, size));
}

// Leaves change their places, and some new ones come.
static inline uint8_t *shuffled(struct lan *lan)
{
    const uint8_t *was = content(1);
    uint8_t *bytes = arena_alloc(lan->arena, SIZE, 1);
    memcpy(bytes, content(2), SIZE);
    for (size_t i = 0; i < LEAVES - 1; i++)
        memcpy(bytes + i * LEAF, was + (LEAVES - 1 - i) * LEAF, LEAF);
    return bytes;
}

static inline void shuffle_large(struct lan *lan)
{
    user_bytes(&lan->machines[0], "big", shuffled(lan), SIZE);
    lan_wait(lan, 20000);
}

static inline void shuffle_is_there(struct lan *lan)
{
    assert_true(shows_bytes(&lan->machines[1], "big", shuffled(lan), SIZE));
}

#endif
