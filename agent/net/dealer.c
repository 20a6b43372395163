// SPDX-License-Identifier: MIT
//
// One lane that we dialled: a DEALER for one connection attempt and the session it becomes.
// ZeroMQ never reconnects it: a new attempt is a new socket, so that nothing of an old session can
// leak into a new one, and the back-off is ours.
#include <stdio.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/net/dial_priv.h"

enum {
    // Whoever is gone without a word is noticed within 6 s: a PING comes after at most IVL, and is
    // waited for no longer than DEAD.
    DEALER_NEAR_IVL = 1500,
    DEALER_NEAR_DEAD = 4000,
    DEALER_FAR_IVL = 10000,
    DEALER_FAR_DEAD = 30000
};

// On the control lane only: behind bulk on a slow link a PONG comes too late for ever. TTL makes
// the accepting side, which cannot know the lane, notice as well.
static void dealer_heartbeat(void *socket, bool is_near)
{
    int dead = is_near ? DEALER_NEAR_DEAD : DEALER_FAR_DEAD;
    socket_set(socket, ZMQ_HEARTBEAT_IVL, is_near ? DEALER_NEAR_IVL : DEALER_FAR_IVL);
    socket_set(socket, ZMQ_HEARTBEAT_TIMEOUT, dead);
    socket_set(socket, ZMQ_HEARTBEAT_TTL, dead);
}

static void *dealer_socket(struct net *net, const struct conn *conn,
                           const struct candidate *candidate)
{
    int hwm = conn->lane == LANE_BULK ? NET_BULK_HWM : NET_CONTROL_HWM;
    void *socket = socket_new(net, ZMQ_DEALER, hwm);
    if (!socket) return NULL;
    socket_keys(net, socket);
    CHECK(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, conn->key, sizeof conn->key) == 0);
    socket_set(socket, ZMQ_RECONNECT_IVL, -1);
    socket_set(socket, ZMQ_CONNECT_TIMEOUT, NET_CONNECT_MS);
    if (conn->lane == LANE_CONTROL) dealer_heartbeat(socket, candidate->is_near);
    return socket;
}

static bool dealer_connect(struct net *net, struct conn *conn, const struct candidate *candidate)
{
    int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
                 ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    conn->socket = dealer_socket(net, conn, candidate);
    if (!conn->socket) return false;
    conn->monitor = monitor_open(net, conn->socket, events);
    const char *endpoint = candidate->endpoint;
    char instead[NET_ADDRESS_BYTES];
    if (candidate->proxy[0] && !socks_open(candidate->proxy, endpoint, instead)) return false;
    if (candidate->proxy[0]) endpoint = instead;
    return conn->monitor && zmq_connect(conn->socket, endpoint) == 0;
}

struct conn *dealer_open(struct net *net, struct link *link, struct device_id device,
                         enum lane lane, const struct candidate *candidate, const char *address)
{
    struct conn *conn = conn_new(net, true);
    conn->link = link;
    conn->is_near = candidate->is_near;
    conn->device = device;
    conn->lane = lane;
    snprintf(conn->address, sizeof conn->address, "%s", address);
    snprintf(conn->endpoint, sizeof conn->endpoint, "%s", candidate->endpoint);
    if (device_curve_key(device, conn->key) == ERR_OK && dealer_connect(net, conn, candidate)) {
        return conn;
    }
    log_warn(LOG_NET, "cannot dial", "errno=%d", zmq_errno());
    conn_free(net, conn);
    return NULL;
}

static enum net_failure dealer_failure(const struct net *net, const struct conn *conn,
                                       unsigned event)
{
    bool is_late = net->now_ms - conn->last_ms >= NET_CONNECT_MS - 200;
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return NET_KEY_REFUSED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return NET_NOT_AN_AGENT;
    case ZMQ_EVENT_CLOSED:
        if (!address_has_route(conn->endpoint)) return NET_NO_ROUTE;
        return is_late ? NET_TIMED_OUT : NET_REFUSED;
    default: return is_late ? NET_TIMED_OUT : NET_SOMEBODY_ELSE;
    }
}

// True: the conn is not what it was (up now, or freed).
static bool dealer_monitor(struct net *net, struct conn *conn)
{
    struct monitor_event event;
    while (monitor_next(conn->monitor, &event)) {
        if (event.event == ZMQ_EVENT_CONNECTED) {
            conn->fd = (int)event.value;
            alive_watch(conn->fd, conn->is_near);
            continue;
        }
        if (conn->state == CONN_OPENING && event.event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            conn->state = CONN_UP;
            dial_lane_up(net, conn);
            return true;
        }
        if (conn->state == CONN_OPENING) {
            dial_lane_failed(net, conn, dealer_failure(net, conn, event.event));
            return true;
        }
        if (event.event == ZMQ_EVENT_DISCONNECTED) {
            dial_lane_down(net, conn);
            return true;
        }
    }
    return false;
}

// True: there was one. The key is the pinned one, but its owner may not be trusted any more.
static bool dealer_receive(struct net *net, struct conn *conn)
{
    zmq_msg_t message;
    struct device_id device;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, conn->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&message);
        return false;
    }
    bool is_multipart = zmq_msg_more(&message);
    if (is_multipart) conn_discard_rest(conn->socket);
    if (is_multipart || !net->trusted(net->trusted_context, conn->key, &device)) {
        zmq_msg_close(&message);
        conn_drop(net, conn);
        return true;
    }
    conn->last_ms = net->now_ms;
    conn_message(net, conn, &message);
    zmq_msg_close(&message);
    source_ready(net, &conn->source);
    return true;
}

// While it opens the monitor comes first, so that NET_UP precedes messages; later the messages, so
// that NET_DOWN follows them.
void dealer_serve(struct net *net, struct conn *conn)
{
    if (conn->state == CONN_OPENING) {
        conn_id id = conn->id;
        if (dealer_monitor(net, conn) && conn_find(net, id)) source_ready(net, &conn->source);
        return;
    }
    (void)conn_flush(net, conn);
    if (!dealer_receive(net, conn)) dealer_monitor(net, conn);
}

bool dealer_transmit(struct conn *conn, zmq_msg_t *message)
{
    return zmq_msg_send(message, conn->socket, ZMQ_DONTWAIT) >= 0;
}
