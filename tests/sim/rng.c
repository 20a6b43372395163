// SPDX-License-Identifier: MIT
#include "tests/sim/rng.h"

#include <string.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_seed(struct rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->s[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
    return n == 0 ? 0 : (uint32_t)(((rng_u64(rng) >> 32) * n) >> 32);
}

uint32_t rng_between(struct rng *rng, uint32_t low, uint32_t high)
{
    return low + rng_below(rng, high - low + 1);
}

bool rng_chance(struct rng *rng, uint32_t per_million)
{
    return per_million > 0 && rng_below(rng, 1000000) < per_million;
}

uint64_t rng_wait(struct rng *rng, uint64_t mean)
{
    uint64_t wait = mean == 0 ? 0 : rng_u64(rng) % (2 * mean + 1);
    uint32_t dice = rng_below(rng, 16);
    if (dice == 0) return wait * 10;
    if (dice < 4) return wait / 16;
    return wait;
}

void rng_fill(struct rng *rng, void *out, size_t size)
{
    uint8_t *bytes = out;
    while (size > 0) {
        uint64_t word = rng_u64(rng);
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(bytes, &word, part);
        bytes += part;
        size -= part;
    }
}
