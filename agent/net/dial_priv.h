// SPDX-License-Identifier: MIT
//
// agent/net/dial — a device that is dialled.
//
//     peer (dial.c)             addresses, rounds of tries, back-off, which link is used
//     candidate (candidate.c)   an endpoint that one of its addresses stands for
//     link (link.c)             two lanes to one endpoint: a try, and the connection it becomes
//
//     RESTING -> round: candidates are tried, a new one every RACE_MS, until one is up
//        ^          |
//        +----------+ none left: after a pause; if what is up is far: near ones again, later
#ifndef AGENT_NET_DIAL_PRIV_H
#define AGENT_NET_DIAL_PRIV_H

#include "agent/net/net_priv.h"

enum {
    PEER_CANDIDATES_MAX = 32,
    PEER_TRIES_MAX = 4, // links that open at the same time
};

struct candidate {
    uint32_t rank; // the place of its address in the list
    bool is_near;
    char endpoint[NET_ADDRESS_BYTES]; // numeric, unless a proxy looks it up
    char proxy[NET_ADDRESS_BYTES];    // numeric; "": none
};

enum link_state { LINK_OPENING, LINK_UP, LINK_SPARE };

struct link {
    struct link *next;
    struct peer *peer;
    enum link_state state;
    struct candidate candidate;
    struct conn *lanes[2];
    int64_t due_ms; // OPENING: the end of the try; SPARE: the end
    int64_t up_ms;
};

struct peer {
    struct device_id device;
    char **addresses;
    uint32_t address_count;
    bool *is_looked_up; // [address_count]: its name is being looked up
    // the round
    bool in_round;
    bool near_only;
    uint64_t round; // its number
    uint32_t lookup_count;
    int64_t lookup_due_ms;
    struct candidate candidates[PEER_CANDIDATES_MAX]; // not tried yet, by rank
    uint32_t candidate_count;
    int64_t try_ms; // the next one, not before
    // between rounds
    int64_t due_ms; // the next one
    int64_t delay_ms;
    int64_t near_delay_ms;
    int64_t failing_ms; // since when; -1: not failing
    struct link *links;
};

// ---- candidate.c

void candidates_begin(struct net *net, struct peer *peer); // of all addresses
void candidates_resolved(struct net *net, struct peer *peer, const struct resolved *answer);
void candidates_expire(struct net *net, struct peer *peer); // names that are looked up for too long
bool candidate_take(struct peer *peer, struct candidate *out); // the first one
void candidates_clear(struct peer *peer);

// ---- link.c

// False: no descriptors left.
bool link_open(struct net *net, struct peer *peer, const struct candidate *candidate);
void link_close(struct net *net, struct link *link);

// ---- dial.c

void peer_failed(struct net *net, const struct peer *peer, const char *address,
                 enum net_failure failure);
void peer_advance(struct net *net, struct peer *peer); // goes on with the round
void peer_link_up(struct net *net, struct link *link);
void peer_link_down(struct net *net, struct peer *peer, bool was_steady);
struct link *peer_used(const struct peer *peer); // what is up; NULL: nothing

#endif
