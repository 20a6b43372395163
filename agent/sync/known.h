// SPDX-License-Identifier: MIT
//
// agent/sync/known — devices that peers name to each other: whom each may hear of, and what
// several of them trust and this one does not.
#ifndef AGENT_SYNC_KNOWN_H
#define AGENT_SYNC_KNOWN_H

#include "agent/sync/engine.h"

// Where it is dialled, for others that may hear of it.
void engine_peer_addresses(struct engine *engine, struct device_id device, char *const *addresses,
                           uint32_t count);

// What at least so many peers that may approve trust, and what is not trusted here.
enum { ENGINE_KNOWN_BY = 2 };
struct known_by {
    struct slice peer; // as it is called here
    struct slice name; // what that calls the device; any text
};
struct known_device {
    struct device_id device;
    struct known_by *by; // by the names of the peers
    uint32_t by_count;
    uint32_t address_count;
    struct slice addresses[PROTO_PEER_ADDRESSES_MAX]; // any text
};
// By device id, on the arena.
uint32_t engine_known(struct engine *engine, struct arena *arena, struct known_device **out);

#endif
