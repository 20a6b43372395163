// SPDX-License-Identifier: MIT
//
// agent/daemon/nearby — peers that are seen on the local network are dialled there, too, and
// whoever offers to pair is found.
//
// Where a peer was seen is a hint that anybody could have made: it is only dialled, and CURVE says
// who answers.
#ifndef AGENT_DAEMON_NEARBY_PRIV_H
#define AGENT_DAEMON_NEARBY_PRIV_H

#include "agent/daemon/control_priv.h"

void nearby_start(struct agent *agent); // unless the config says off
void nearby_end(struct agent *agent);
void nearby_peers_changed(struct agent *agent);
void nearby_settle(struct agent *agent);
int64_t nearby_deadline(const struct agent *agent);
// An address goes on being dialled while it is connected, whatever mDNS says.
void nearby_net(struct agent *agent, const struct net_event *event);

// Dials a peer at its own addresses and where it is seen.
void nearby_dial(struct agent *agent, const struct registry_peer *peer);

// "works", "away" (no mDNS service answers), "off", "none" (not built in).
const char *nearby_state(const struct agent *agent);
json_t *nearby_json(const struct agent *agent, struct device_id device); // addresses
bool nearby_sees(const struct agent *agent, struct device_id device);    // somewhere, now
bool nearby_is(const struct agent *agent, struct device_id device, const char *address);

void nearby_look_again(struct agent *agent); // asks the network anew

// ---- renew.c: that, when a peer was lost

void renew_soon(struct agent *agent);
void renew_net(struct agent *agent, const struct net_event *event);
void renew_settle(struct agent *agent);

void nearby_find_gone(struct agent *agent, uint64_t request);

#endif
