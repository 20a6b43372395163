// SPDX-License-Identifier: MIT
//
// tests/sim/rng — chance from a seed (xoshiro256**, seeded by splitmix64).
#ifndef TESTS_SIM_RNG_H
#define TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);
uint64_t rng_u64(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t n);                    // 0 .. n - 1; 0 when n is 0
uint32_t rng_between(struct rng *rng, uint32_t low, uint32_t high); // both included
bool rng_chance(struct rng *rng, uint32_t per_million);
// Mostly near `mean`, now and then ten times as much.
uint64_t rng_wait(struct rng *rng, uint64_t mean);
void rng_fill(struct rng *rng, void *out, size_t size);

#endif
