// SPDX-License-Identifier: MIT
//
// The network of this machine changes: a cable goes, another wireless network comes, a default
// route moves. What was connected from an address that is gone ends at once, and all peers are
// tried again at once. Events come in bursts and repeat themselves: only what differs counts, and
// after the first the rest of a burst is looked at together.
#include <stdlib.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/net/net_priv.h"

enum { BURST_MS = 300 };

void network_open(struct net *net)
{
    net->network_fd = network_watch_open();
    net->network_print = interfaces_print();
    net->network_due_ms = INT64_MAX;
    if (net->network_fd < 0) log_warn(LOG_NET, "network changes are not seen", " ");
}

static bool is_cut_off(const struct conn *conn)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    bool is_open = conn->state == CONN_UP && conn->fd >= 0 && !conn->is_gone;
    return is_open && getsockname(conn->fd, (struct sockaddr *)&own, &size) == 0 &&
           !interface_has((const struct sockaddr *)&own);
}

// Dropping one ends others, so they are collected first.
static void drop_cut_off(struct net *net)
{
    struct slice key;
    void *value;
    uint32_t count = 0;
    AUTO(mem_free) conn_id *ids = mem_zalloc(map_count(net->conns) + 1, sizeof *ids);
    for (size_t at = 0; map_next(net->conns, &at, &key, &value);)
        if (is_cut_off(value)) ids[count++] = ((const struct conn *)value)->id;
    for (uint32_t i = 0; i < count; i++) {
        struct conn *conn = conn_find(net, ids[i]);
        if (!conn) continue;
        log_info(LOG_NET, "its own address is gone", "address=%s", conn->address);
        conn_drop(net, conn);
    }
}

void net_changed(struct net *net)
{
    drop_cut_off(net);
    dial_redial_all(net);
}

static void network_look(struct net *net, bool is_route)
{
    uint64_t print = interfaces_print();
    if (print == net->network_print && !is_route) return;
    net->network_print = print;
    net->network_due_ms = net->now_ms + BURST_MS;
    log_info(LOG_NET, "the network has changed", " ");
    net_changed(net);
    event_put(net, &(struct net_event){.kind = NET_CHANGED}, NULL);
}

void network_serve(struct net *net)
{
    bool is_route = network_watch_read(net->network_fd, &net->route_print);
    if (net->network_due_ms == INT64_MAX)
        network_look(net, is_route);
    else
        net->route_changed = net->route_changed || is_route;
}

void network_tick(struct net *net)
{
    if (net->now_ms < net->network_due_ms) return;
    bool is_route = net->route_changed;
    net->network_due_ms = INT64_MAX;
    net->route_changed = false;
    network_look(net, is_route);
}

void network_close(struct net *net)
{
    fd_close(&net->network_fd);
}
