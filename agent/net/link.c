// SPDX-License-Identifier: MIT
//
// Two lanes to one endpoint. The bulk lane is dialled when the control lane is up, to the same
// endpoint: a peer that is off or refuses us costs one connection attempt, and both lanes end at
// the same place. Nobody hears of a lane before both are up: of several links that open at a time
// the lanes would get mixed up.
#include <stdlib.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/net/dial_priv.h"

enum {
    LINK_TRY_MS = NET_CONNECT_MS + NET_HANDSHAKE_MS + 500,
    LINK_STEADY_MS = 10 * 1000, // up for so long: the back-off begins anew
};

static bool lane_open(struct net *net, struct link *link, enum lane lane)
{
    const struct peer *peer = link->peer;
    const char *address = peer->addresses[link->candidate.rank];
    struct conn *conn = dealer_open(net, link, peer->device, lane, &link->candidate, address);
    link->lanes[lane] = conn;
    return conn != NULL;
}

static void link_unlink(struct link *link)
{
    for (struct link **at = &link->peer->links; *at; at = &(*at)->next) {
        if (*at != link) continue;
        *at = link->next;
        return;
    }
}

void link_close(struct net *net, struct link *link)
{
    link_unlink(link);
    for (int lane = LANE_CONTROL; lane <= LANE_BULK; lane++) {
        struct conn *conn = link->lanes[lane];
        if (!conn) continue;
        if (link->state != LINK_OPENING) conn_event(net, conn, NET_DOWN, NET_NO_FAILURE);
        conn_free(net, conn);
    }
    free(link);
}

bool link_open(struct net *net, struct peer *peer, const struct candidate *candidate)
{
    struct link *link = mem_zalloc(1, sizeof *link);
    link->peer = peer;
    link->candidate = *candidate;
    link->due_ms = net->now_ms + LINK_TRY_MS;
    link->next = peer->links;
    peer->links = link;
    if (lane_open(net, link, LANE_CONTROL)) return true;
    link_close(net, link);
    return false;
}

static void link_fail(struct net *net, struct link *link, const struct conn *conn,
                      enum net_failure failure)
{
    struct peer *peer = link->peer;
    conn_event(net, conn, NET_FAILED, failure);
    link_close(net, link);
    peer->try_ms = net->now_ms; // the next one need not wait for this one
    peer_advance(net, peer);
}

void dial_lane_up(struct net *net, struct conn *conn)
{
    struct link *link = conn->link;
    if (conn->lane == LANE_BULK) {
        link->up_ms = net->now_ms;
        link->due_ms = INT64_MAX;
        link->state = LINK_UP;
        conn_event(net, link->lanes[LANE_CONTROL], NET_UP, NET_NO_FAILURE);
        conn_event(net, conn, NET_UP, NET_NO_FAILURE);
        peer_link_up(net, link);
    } else if (!lane_open(net, link, LANE_BULK)) {
        link_fail(net, link, conn, NET_NO_MEANS);
    }
}

void dial_lane_failed(struct net *net, struct conn *conn, enum net_failure failure)
{
    link_fail(net, conn->link, conn, failure);
}

void dial_lane_down(struct net *net, struct conn *conn)
{
    struct link *link = conn->link;
    struct peer *peer = link->peer;
    if (link->state == LINK_OPENING) { // the control lane, before the bulk lane was up
        link_fail(net, link, conn, NET_SOMEBODY_ELSE);
        return;
    }
    bool was_steady = net->now_ms - link->up_ms >= LINK_STEADY_MS;
    link_close(net, link);
    peer_link_down(net, peer, was_steady);
}
