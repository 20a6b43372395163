// SPDX-License-Identifier: MIT
//
// tests/unit/core/world — a few devices that are nothing but agent/core: items, K, and what their
// users see. Messages are copies; a disk is what `local` says, and takes what it is given.
//
// What must be true is told as text, so that a test and a fuzz target can both ask.
#ifndef TESTS_UNIT_CORE_WORLD_H
#define TESTS_UNIT_CORE_WORLD_H

#include "agent/core/heads.h"
#include "agent/core/resolve.h"

enum { WORLD_DEVICES_MAX = 3, WORLD_PATHS = 3, WORLD_ITEMS_MAX = 48, WORLD_SAVES_MAX = 64 };

struct place_of { // a device
    uint64_t inc, counter;
    struct vv k;
    struct item items[WORLD_ITEMS_MAX];
    uint32_t item_count;
    bool joined; // has pulled once; what is saved before is `first` on all but the first device
};

struct world {
    struct arena *arena;
    struct place_of devices[WORLD_DEVICES_MAX];
    uint32_t device_count;
    uint8_t saves;              // contents are numbered
    bool gone[WORLD_SAVES_MAX]; // somebody who had it before him replaced or deleted it
    struct version minted[4 * WORLD_SAVES_MAX];
    uint32_t minted_count;
};

// On an arena of the caller's; `devices` of them.
void world_init(struct world *world, struct arena *arena, uint32_t devices);

// Users. False: not possible now.
bool world_save(struct world *world, uint32_t device, uint32_t path);
bool world_save_kind(struct world *world, uint32_t device, uint32_t path, enum kind kind);
bool world_delete(struct world *world, uint32_t device, uint32_t path);
// A round, to its end; or cut after some items, from one on.
bool world_pull(struct world *world, uint32_t device, uint32_t from);
bool world_pull_part(struct world *world, uint32_t device, uint32_t from, uint32_t skip,
                     uint32_t count);
// Whatever is concurrent at this path, and a file over what lives below it.
bool world_resolve(struct world *world, uint32_t device, uint32_t path);

// NULL, or what is not true: K claims what it may not, an item has more heads than it can.
const char *world_fault(const struct world *world);
// All exchange and resolve until nothing changes. NULL, or: they do not come to rest, they differ,
// a content is lost, a second time something new is made.
const char *world_settle(struct world *world);

#endif
