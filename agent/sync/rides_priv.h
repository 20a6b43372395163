// SPDX-License-Identifier: MIT
//
// agent/sync/rides — a small content that was just read, with the patch that makes it.
#ifndef AGENT_SYNC_RIDES_PRIV_H
#define AGENT_SYNC_RIDES_PRIV_H

#include "agent/sync/engine_priv.h"

struct ride_entry {
    struct content content;
    struct content base; // what a patch makes it of; no patch: size 0
    struct slice patch;  // behind `bytes`
    size_t room;
    bool elsewhere;          // some item had it when it was read
    struct ride_entry *next; // younger
    uint8_t bytes[];
};

const struct ride_entry *ride_entry(const struct engine *engine,
                                    const struct content *content); // NULL: not kept

#endif
