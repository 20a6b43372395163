// SPDX-License-Identifier: MIT
//
// Once a second each connection is looked at: is its other side gone, and does it send without end?
//
// Messages without end. ZeroMQ keeps the frames of a message until its last one has come, and no
// limit of its own counts them. So what a connection has received is compared with what it has
// delivered: who sends much and never ends a message is cut off. Only a trusted peer gets so far.
#include <sys/socket.h>

#include "agent/base/log.h"
#include "agent/net/accept_priv.h"

enum {
    FLOW_MS = 1000,
    FLOW_SOON_MS = 50,
    FLOW_UNREAD_MAX = 16 << 20,
    FLOW_SILENT_MS = 15 * 1000, // HELLO comes with the connection
};

// How often in a row it was seen to have sent too much for nothing. Once may be that we were busy:
// before the next time all that is whole has been delivered.
static unsigned flow_strikes(struct conn *conn)
{
    uint64_t bytes = flow_received(conn->fd);
    bool has_moved = conn->message_count != conn->flow_count || bytes < conn->flow_bytes;
    if (has_moved) conn->flow_bytes = bytes;
    conn->flow_count = conn->message_count;
    bool is_over = bytes - conn->flow_bytes > FLOW_UNREAD_MAX;
    conn->flow_strikes = is_over ? conn->flow_strikes + 1 : 0;
    return conn->flow_strikes;
}

// Those that have not delivered a single message yet are no conns; they are only descriptors, which
// no limit counts and no removal of a peer finds.
static void flow_silent(struct net *net)
{
    for (size_t fd = 0; fd < net->open_fds_size; fd++) {
        if (!accept_is_silent(net, (int)fd)) continue;
        bool endless = flow_received((int)fd) > FLOW_UNREAD_MAX;
        if (!endless && accept_silent_ms(net, (int)fd) < FLOW_SILENT_MS) continue;
        if (endless) log_warn(LOG_NET, "message without end", "address=?");
        accept_cut_silent(net, (int)fd);
    }
}

static void flow_check(struct net *net)
{
    struct slice key;
    void *value;
    struct conn *over = NULL;
    struct conn *gone = NULL;
    for (size_t at = 0; map_next(net->conns, &at, &key, &value);) {
        struct conn *conn = value;
        if (conn->state != CONN_UP || conn->is_gone || conn->fd < 0) continue;
        unsigned strikes = flow_strikes(conn);
        if (strikes == 1) net->flow_ms = net->now_ms + FLOW_SOON_MS;
        if (strikes > 1) over = conn;
        if (alive_is_gone(conn->fd, conn->is_near)) gone = conn;
    }
    if (gone) {
        log_info(LOG_NET, "nothing is acknowledged", "address=%s", gone->address);
        conn_drop(net, gone);
    }
    if (!over || gone) return; // they may be of one link; there is a next time
    log_warn(LOG_NET, "message without end", "address=%s", over->address);
    conn_drop(net, over);
}

// Only when all that is there has been read: what waits to be read is not without end.
void flow_tick(struct net *net)
{
    if (net->now_ms < net->flow_ms || net->ready_first) return;
    net->flow_ms = net->now_ms + FLOW_MS;
    if (net->router) accept_monitor(net);
    flow_silent(net);
    flow_check(net);
}

int64_t flow_next_ms(const struct net *net)
{
    bool any = map_count(net->conns) > 0;
    for (size_t fd = 0; fd < net->open_fds_size && !any; fd++)
        any = accept_is_silent(net, (int)fd);
    return any ? net->flow_ms : INT64_MAX;
}
