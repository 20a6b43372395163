// SPDX-License-Identifier: MIT
//
// discovery/discovery_avahi — the avahi backend's state: discovery_avahi.c has the client and what
// is announced, discovery_avahi_browse.c what is looked for.
#ifndef DISCOVERY_DISCOVERY_AVAHI_PRIV_H
#define DISCOVERY_DISCOVERY_AVAHI_PRIV_H

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/simple-watch.h>

#include "discovery/backend_priv.h"

enum { LOOKUPS_MAX = 512 }; // those that wait, are open, and stay

enum lookup_state { LOOKUP_NONE, LOOKUP_WAITING, LOOKUP_OPEN, LOOKUP_RESTING, LOOKUP_KEPT };

struct lookup {
    enum lookup_state state;
    struct place_key key;
    struct backend *backend;
    AvahiServiceResolver *resolver; // OPEN, KEPT
    unsigned ticks;                 // OPEN: since when
    unsigned tries;
};

struct publication {
    AvahiEntryGroup *group;
    char wanted[DISCOVERY_NAME_MAX + 1];
    char name[DISCOVERY_NAME_MAX + 1]; // another one if that was taken
    uint16_t port;
    unsigned renames;
    int64_t again_s, pause_s; // not announced again before; 0: it never was
    struct backend *backend;
    enum discovery_type type;
};

struct search {
    AvahiServiceBrowser *browser;
    bool has_all; // what was there at the beginning
    struct backend *backend;
    enum discovery_type type;
};

struct backend {
    struct hub *hub;
    AvahiSimplePoll *poll;
    AvahiWatch *wake;
    AvahiTimeout *tick; // armed while lookups are open
    AvahiTimeout *rest; // armed while lookups rest
    unsigned rest_ms;
    bool is_rest_armed;
    AvahiClient *client;
    bool is_woken;
    bool has_failed;
    const struct discovery_wish *wish;
    struct publication publications[DISCOVERY_TYPES];
    struct search searches[DISCOVERY_TYPES];
    uint32_t open_count;
    struct lookup lookups[LOOKUPS_MAX];
};

const char *avahi_type_name(enum discovery_type type);
void avahi_failed(struct backend *backend, const char *call); // the client is of no more use
// If that is what we announce, and not too often. An address that goes while avahi still asks
// whether the name is free may leave it with half an announcement for good: the name is there, and
// nothing tells of where.
void announce_again(struct backend *backend, const struct place_key *key);
// Always anew: what is awaited may have changed, and avahi tells again what it knows.
void search_begin(struct search *search);
void lookup_clocks(struct backend *backend); // makes backend->tick and rest

#endif
