// SPDX-License-Identifier: MIT
//
// discovery/places — what has been seen, as a table of fixed size. Pure.
#ifndef DISCOVERY_PLACES_PRIV_H
#define DISCOVERY_PLACES_PRIV_H

#include "discovery/discovery.h"

// The same service is seen once by each interface and protocol.
struct place_key {
    enum discovery_type type;
    int interface;
    int protocol;
    char name[DISCOVERY_NAME_MAX + 1];
};

struct places_entry {
    struct place_key key;
    bool stale;
    struct discovery_place place;
};

struct places {
    uint32_t count;
    struct places_entry entries[DISCOVERY_PLACES_MAX];
};

bool place_key_same(const struct place_key *a, const struct place_key *b);

enum places_change { PLACES_SAME, PLACES_CHANGED, PLACES_FULL };

enum {
    PLACES_TAG_MAX = 16,     // of one tag: whoever repeats it under other addresses
    PLACES_PAIRING_MAX = 16, // leaves room for agents
};

enum places_change places_put(struct places *places, const struct place_key *key,
                              const struct discovery_place *place);
bool places_remove(struct places *places, const struct place_key *key); // false: was not there
void places_stale(struct places *places, enum discovery_type type);
bool places_sweep(struct places *places, enum discovery_type type); // false: none was stale

#endif
