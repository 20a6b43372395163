// SPDX-License-Identifier: MIT
//
// Looking for lost peers again. mDNS tells of a machine that has moved once or twice, in packets
// that may be lost, and asks again by itself only after a minute or two. So when a connection is
// lost, it is asked anew a few times.
#include "agent/daemon/nearby_priv.h"

static const int64_t pauses_ms[] = {500, 5 * 1000, 20 * 1000};
enum { PAUSES = sizeof pauses_ms / sizeof pauses_ms[0] };

void renew_soon(struct agent *agent)
{
    agent->renewals = 0;
    agent->renew_due_ms = agent->now_ms + pauses_ms[0];
}

void renew_net(struct agent *agent, const struct net_event *event)
{
    if (event->kind == NET_CHANGED || event->kind == NET_DOWN) renew_soon(agent);
}

static bool is_anybody_away(struct agent *agent)
{
    const struct registry_peer *peers;
    uint32_t count = registry_peers(agent->registry, &peers);
    for (uint32_t i = 0; i < count; i++)
        if (!engine_connected(agent->engine, peers[i].device)) return true;
    return false;
}

void renew_settle(struct agent *agent)
{
    if (agent->now_ms < agent->renew_due_ms) return;
    agent->renew_due_ms = INT64_MAX;
    if (!is_anybody_away(agent)) return;
    nearby_look_again(agent);
    if (++agent->renewals == PAUSES) return;
    agent->renew_due_ms = agent->now_ms + pauses_ms[agent->renewals];
}
