// SPDX-License-Identifier: MIT
//
// agent/daemon/links — how each peer is reached, or why it is not and what can be done about it.
//
// attempts.c remembers how the last try at each address ended; links.c says it.
#ifndef AGENT_DAEMON_LINKS_PRIV_H
#define AGENT_DAEMON_LINKS_PRIV_H

#include "agent/daemon/control_priv.h"

enum { ATTEMPTS_PEER_MAX = 16 };

// How the last try at an address ended.
struct attempt {
    struct device_id device;
    char *address;
    enum net_failure failure;
    int64_t wall_ms;
};

void attempts_net(struct agent *agent, const struct net_event *event);
void attempts_forget(struct agent *agent, struct device_id device);
void attempts_end(struct agent *agent);
// Those of a device that are failures, at most ATTEMPTS_PEER_MAX; borrowed until the next change.
uint32_t attempts_of(const struct agent *agent, struct device_id device,
                     const struct attempt *out[ATTEMPTS_PEER_MAX]);

// Adds to `out`: connected, address, via, from, dialled, seen_at, rtt_ms, last_seen,
// clock_ms, reason, hint, tried.
void links_describe(const struct agent *agent, const struct registry_peer *peer,
                    const struct peer_status *status, json_t *out);

#endif
