// SPDX-License-Identifier: MIT
//
// The ROUTER: everyone who dialled us. A conn is a routing id; its key is checked again with each
// message, because an admitted connection outlives its admission.
//
// The descriptor of a conn (ZMQ_SRCFD) ties it to the monitor's events. Descriptors are reused, so
// three rules keep the books right. The monitor is read up before a new conn is made: what it says
// of this descriptor by then belongs to earlier connections, and where the descriptor counts as
// closed this one has ended. A conn whose descriptor closed ends only when the ROUTER has nothing
// more to read, so that its last messages come before its NET_DOWN. And a first message on a
// descriptor whose last connection closed unread may be of that one until the ROUTER has been
// empty: nothing is done to the descriptor for the sake of such a conn.
#include <string.h>
#include <sys/socket.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/net/accept_priv.h"

static struct slice accept_key(const uint8_t routing_id[NET_ROUTING_ID_BYTES])
{
    return slice_of(routing_id, NET_ROUTING_ID_BYTES);
}

static int accept_nibble(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The key as the ZAP handler wrote it into User-Id. False: there is none, no handler has spoken.
static bool accept_user(zmq_msg_t *message, uint8_t out[CURVE_KEY_BYTES])
{
    const char *user = zmq_msg_gets(message, "User-Id");
    if (!user || strlen(user) != 2 * CURVE_KEY_BYTES) return false;
    for (unsigned i = 0; i < CURVE_KEY_BYTES; i++) {
        int high = accept_nibble(user[2 * i]);
        int low = accept_nibble(user[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

// By the frame that came from the peer: the routing id before it is ZeroMQ's own, and carries
// properties or not depending on whether a poll has read ahead (measured).
static bool accept_identify(struct net *net, zmq_msg_t *body, struct sender *out)
{
    return accept_user(body, out->key) &&
           net->trusted(net->trusted_context, out->key, &out->device);
}

static bool accept_is_buried(const struct net *net, zmq_msg_t *routing)
{
    for (uint32_t i = 0; i < NET_GRAVES && i < net->grave_count; i++) {
        if (!memcmp(net->graves[i].routing_id, zmq_msg_data(routing), NET_ROUTING_ID_BYTES)) {
            return true;
        }
    }
    return false;
}

static struct conn *accept_new(struct net *net, zmq_msg_t *routing, zmq_msg_t *body,
                               const struct sender *sender)
{
    accept_monitor(net);
    accept_make_room(net, sender->device);
    struct conn *conn = conn_new(net, false);
    conn->state = CONN_UP;
    conn->device = sender->device;
    memcpy(conn->key, sender->key, sizeof conn->key);
    memcpy(conn->routing_id, zmq_msg_data(routing), NET_ROUTING_ID_BYTES);
    map_put(net->by_routing, accept_key(conn->routing_id), conn);
    accept_attach(net, conn, body);
    conn_event(net, conn, NET_UP, NET_NO_FAILURE);
    return conn;
}

// Automatic routing ids are five bytes, the first 0; one that a peer chose could be another's.
static struct conn *accept_conn(struct net *net, zmq_msg_t *routing, zmq_msg_t *body)
{
    struct sender sender;
    bool is_sound = zmq_msg_size(routing) == NET_ROUTING_ID_BYTES &&
                    *(const uint8_t *)zmq_msg_data(routing) == 0;
    struct conn *conn =
        is_sound ? map_get(net->by_routing, accept_key(zmq_msg_data(routing))) : NULL;
    if (conn && conn->state == CONN_MUTED) return NULL;
    if (!conn && is_sound && accept_is_buried(net, routing)) return NULL;
    bool is_known = is_sound && accept_identify(net, body, &sender);
    if (is_known && !conn) return accept_new(net, routing, body, &sender);
    if (is_known && !memcmp(conn->key, sender.key, sizeof sender.key)) return conn;
    log_warn(LOG_NET, "message refused", "known=%d", conn != NULL);
    if (conn) conn_drop(net, conn);
    if (!conn) accept_cut_stranger(net, body);
    return NULL;
}

static void accept_message(struct net *net, zmq_msg_t *routing, zmq_msg_t *body)
{
    bool is_multipart = zmq_msg_more(body);
    if (is_multipart) conn_discard_rest(net->router);
    struct conn *conn = accept_conn(net, routing, body);
    if (!conn) return;
    if (is_multipart) {
        log_warn(LOG_NET, "second frame", "address=%s", conn->address);
        conn_drop(net, conn);
        return;
    }
    conn->last_ms = net->now_ms;
    conn_message(net, conn, body);
}

bool accept_receive(struct net *net)
{
    zmq_msg_t routing;
    zmq_msg_t body;
    zmq_msg_init(&routing);
    zmq_msg_init(&body);
    bool is_there = zmq_msg_recv(&routing, net->router, ZMQ_DONTWAIT) >= 0;
    if (is_there && zmq_msg_more(&routing) && zmq_msg_recv(&body, net->router, ZMQ_DONTWAIT) >= 0) {
        accept_message(net, &routing, &body);
    }
    zmq_msg_close(&routing);
    zmq_msg_close(&body);
    return is_there;
}

// A full pipe refuses the routing id, and then the body is not sent.
bool accept_transmit(struct net *net, struct conn *conn, zmq_msg_t *message, bool *out_gone)
{
    int sent = zmq_send(net->router, conn->routing_id, sizeof conn->routing_id,
                        ZMQ_SNDMORE | ZMQ_DONTWAIT);
    if (sent < 0) {
        *out_gone = zmq_errno() == EHOSTUNREACH;
        return false;
    }
    while (zmq_msg_send(message, net->router, ZMQ_DONTWAIT) < 0) {
        CHECK(zmq_errno() == EINTR || zmq_errno() == EAGAIN);
    }
    return true;
}

void accept_gone(struct net *net, struct conn *conn)
{
    conn_event(net, conn, NET_DOWN, NET_NO_FAILURE);
    accept_mark_gone(net, conn);
    accept_mute(net, conn);
}

void accept_bury(struct net *net)
{
    struct slice key;
    void *value;
    if (!net->ending_count) return;
    for (size_t at = 0; map_next(net->by_routing, &at, &key, &value);) {
        struct conn *conn = value;
        if (!conn->is_gone) continue;
        if (conn->state != CONN_MUTED) conn_event(net, conn, NET_DOWN, NET_NO_FAILURE);
        accept_mute(net, conn);
        struct grave *grave = &net->graves[net->grave_count++ % NET_GRAVES];
        memcpy(grave->routing_id, conn->routing_id, sizeof grave->routing_id);
        map_remove(net->by_routing, accept_key(conn->routing_id));
        conn_free(net, conn);
    }
    net->ending_count = 0;
}

// One full pipe says nothing of the others, and ZMQ_POLLOUT of a ROUTER nothing of this one:
// so queues are tried again after a pause that grows while nothing moves.
void accept_flush(struct net *net)
{
    struct slice key;
    void *value;
    bool has_moved = false;
    if (!net->blocked_count) return;
    for (size_t at = 0; map_next(net->by_routing, &at, &key, &value);) {
        struct conn *conn = value;
        size_t count = conn->queue.count;
        if (count) (void)conn_flush(net, conn);
        if (conn->queue.count < count) has_moved = true;
    }
    net->retry_ms = has_moved ? 1 : net->retry_ms * 2;
    if (net->retry_ms > NET_RETRY_MS_MAX) net->retry_ms = NET_RETRY_MS_MAX;
}
