// SPDX-License-Identifier: MIT
//
// tests/sim/focus — `sim --focus NAME`: runs that are about one kind of trouble. Some only change
// what is drawn; others have a script of what people do and what goes wrong, whose times, places
// and contents are drawn.
#ifndef TESTS_SIM_FOCUS_H
#define TESTS_SIM_FOCUS_H

#include <stdint.h>

struct options;
struct rng;
struct world;

struct focus {
    const char *name;
    void (*draw)(struct options *o, struct rng *rng);
    void (*script)(struct world *world); // NULL: people and faults at random, as ever
};

const struct focus *focus_find(const char *name); // NULL: there is none
void focus_draw(const struct focus *focus, struct options *o, uint64_t seed);
void focus_calm(struct options *o); // nothing goes wrong by itself

// ---- script.c
void hub_lost_draw(struct options *o, struct rng *rng);
void hub_lost(struct world *world);
void old_files_draw(struct options *o, struct rng *rng);
void old_files(struct world *world);
void old_machine_draw(struct options *o, struct rng *rng);
void old_machine(struct world *world);
void same_again_draw(struct options *o, struct rng *rng);
void same_again(struct world *world);
void made_again_draw(struct options *o, struct rng *rng);
void made_again(struct world *world);
void doubt_draw(struct options *o, struct rng *rng);
void doubt(struct world *world);

#endif
