// SPDX-License-Identifier: MIT
//
// discovery/backend — one way to the system's mDNS service (discovery_avahi.c, discovery_dnssd.c);
// lives in discovery's thread, where calls may block.
#ifndef DISCOVERY_BACKEND_PRIV_H
#define DISCOVERY_BACKEND_PRIV_H

#include "discovery/places_priv.h"

struct backend;
struct hub;

// NULL: the service is not there now.
struct backend *backend_open(struct hub *hub, int wake_fd);
void backend_close(struct backend **backend);
// Valid until the next one.
void backend_wish(struct backend *backend, const struct discovery_wish *wish);
// Serves until wake_fd is readable or something has happened. False: the service is gone.
bool backend_serve(struct backend *backend);

// ---- what a backend tells

void hub_works(struct hub *hub, bool works);
bool hub_found(struct hub *hub, const struct place_key *key, const struct discovery_place *place);
void hub_lost(struct hub *hub, const struct place_key *key);
// What was found of this type and is not found again until hub_sweep is lost.
void hub_stale(struct hub *hub, enum discovery_type type);
void hub_sweep(struct hub *hub, enum discovery_type type);

#endif
