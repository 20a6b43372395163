// SPDX-License-Identifier: MIT
//
// discovery — the window to the local network: announces this agent by mDNS/DNS-SD and sees others.
//
// What it shows is a hint where to dial, no more: anybody on the network can say anything. The
// system's mDNS service may be absent, stop, come back or hang: what was seen is then forgotten and
// comes back by itself, and no call here ever waits for it (a thread of its own does).
//
// Threads: one, the caller's. Bounds: what is asked for and what is shown have fixed sizes.
#ifndef DISCOVERY_DISCOVERY_H
#define DISCOVERY_DISCOVERY_H

#include <stdbool.h>
#include <stdint.h>

enum discovery_type {
    DISCOVERY_AGENT,   // _cfgsync._tcp
    DISCOVERY_PAIRING, // _cfgsync-pair._tcp: somebody shows a code
    DISCOVERY_TYPES,
};

enum {
    DISCOVERY_TAG_BYTES = 8,
    DISCOVERY_ANNOUNCED_MAX = 96, // tags; 768 bytes of a TXT record
    DISCOVERY_AWAITED_MAX = 1024, // tags
    DISCOVERY_PLACES_MAX = 64,
    DISCOVERY_NAME_MAX = 63, // bytes, as DNS has it
    DISCOVERY_HOST_MAX = 255,
    DISCOVERY_ADDRESS_BYTES = 96,
};

struct discovery_tag {
    uint8_t bytes[DISCOVERY_TAG_BYTES];
};

// All that is asked for at a time.
struct discovery_wish {
    bool browse[DISCOVERY_TYPES];
    uint16_t port[DISCOVERY_TYPES]; // announced; 0: not
    // Other tags or another port want another name, so that nothing ties them to those before.
    char name[DISCOVERY_TYPES][DISCOVERY_NAME_MAX + 1];
    // of DISCOVERY_AGENT: announced with it; and of others' only those count that announce one of
    // the awaited
    struct discovery_tag announced[DISCOVERY_ANNOUNCED_MAX];
    uint32_t announced_count;
    struct discovery_tag awaited[DISCOVERY_AWAITED_MAX];
    uint32_t awaited_count;
};

// One address at which something was seen.
struct discovery_place {
    enum discovery_type type;
    struct discovery_tag tag; // DISCOVERY_AGENT: the awaited one
    char name[DISCOVERY_NAME_MAX + 1];
    char host[DISCOVERY_HOST_MAX + 1];     // as it calls itself: "hub.local"; printable ASCII
    char address[DISCOVERY_ADDRESS_BYTES]; // "tcp://10.0.0.2:7575", "tcp://[fd00::2]:7575"
};

struct discovery_view {
    bool works; // the system's mDNS service answers
    uint32_t count;
    struct discovery_place places[DISCOVERY_PLACES_MAX];
};

struct discovery;

// False: built without it.
bool discovery_built(void);

// `wake` is called from another thread when there is something new to look at, never after
// discovery_close. NULL: no threads or descriptors left.
struct discovery *discovery_open(void (*wake)(void *context), void *context);
// Waits a moment for an orderly end, not longer.
void discovery_close(struct discovery **discovery);

void discovery_want(struct discovery *discovery, const struct discovery_wish *wish);
// False, and *out untouched: nothing has changed since the last look.
bool discovery_look(struct discovery *discovery, struct discovery_view *out);

#endif
