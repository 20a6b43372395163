// SPDX-License-Identifier: MIT
//
// What accepted and dialled conns have in common: identity, queue, events.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/net/net_priv.h"

struct slice conn_key(const conn_id *id)
{
    return slice_of(id, sizeof *id);
}

struct conn *conn_new(struct net *net, bool dialled)
{
    struct conn *conn = mem_zalloc(1, sizeof *conn);
    conn->id = ++net->last_id;
    conn->dialled = dialled;
    conn->fd = -1;
    conn->source = (struct source){.kind = SOURCE_DEALER, .conn = conn};
    conn->last_ms = net->now_ms;
    map_put(net->conns, conn_key(&conn->id), conn);
    return conn;
}

struct conn *conn_find(const struct net *net, conn_id id)
{
    struct conn *conn = map_get(net->conns, conn_key(&id));
    return conn && conn->state != CONN_MUTED ? conn : NULL;
}

// A dialled one's sockets are closed at once: what ZeroMQ still holds is lost.
void conn_free(struct net *net, struct conn *conn)
{
    event_forget_messages(net, conn->id);
    source_forget(net, &conn->source);
    map_remove(net->conns, conn_key(&conn->id));
    if (conn->socket) {
        monitor_close(conn->socket, &conn->monitor);
        zmq_close(conn->socket);
    }
    queue_fini(&conn->queue);
    free(conn);
}

void conn_event(struct net *net, const struct conn *conn, enum net_event_kind kind,
                enum net_failure failure)
{
    struct net_event event = {.kind = kind,
                              .conn = conn->id,
                              .device = conn->device,
                              .dialled = conn->dialled,
                              .is_near = conn->is_near,
                              .lane = conn->lane,
                              .address = slice_text(conn->address),
                              .failure = failure};
    event_put(net, &event, NULL);
}

void conn_message(struct net *net, struct conn *conn, zmq_msg_t *message)
{
    conn->message_count++;
    struct net_event event = {.kind = NET_MESSAGE,
                              .conn = conn->id,
                              .device = conn->device,
                              .dialled = conn->dialled,
                              .lane = conn->lane,
                              .address = slice_text(conn->address)};
    event_put(net, &event, message);
}

void conn_discard_rest(void *socket)
{
    zmq_msg_t rest;
    int more = 0;
    size_t size = sizeof more;
    zmq_msg_init(&rest);
    while (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more &&
           zmq_msg_recv(&rest, socket, ZMQ_DONTWAIT) >= 0) {
    }
    zmq_msg_close(&rest);
}

static size_t conn_budget(const struct conn *conn)
{
    return conn->dialled && conn->lane == LANE_BULK ? NET_BULK_BUDGET : NET_CONTROL_BUDGET;
}

// False: ZeroMQ's queue is full, or the conn is gone.
static bool conn_transmit(struct net *net, struct conn *conn, zmq_msg_t *message, bool *out_gone)
{
    *out_gone = false;
    if (conn->dialled) return dealer_transmit(conn, message);
    return accept_transmit(net, conn, message, out_gone);
}

static void conn_enqueue(struct net *net, struct conn *conn, zmq_msg_t *message)
{
    if (!conn->dialled && !conn->queue.first) net->blocked_count++;
    queue_put(&conn->queue, message);
    if (conn->queue.bytes > conn_budget(conn) / 2) conn->queue.was_high = true;
}

enum err conn_send(struct net *net, struct conn *conn, struct slice bytes)
{
    if (!queue_fits(&conn->queue, bytes.size, conn_budget(conn))) {
        conn->queue.was_high = true;
        return ERR_BUSY;
    }
    zmq_msg_t message;
    bool is_gone = false;
    CHECK(zmq_msg_init_size(&message, bytes.size) == 0);
    if (bytes.size) memcpy(zmq_msg_data(&message), bytes.data, bytes.size);
    bool is_sent = !conn->queue.first && conn_transmit(net, conn, &message, &is_gone);
    if (!is_sent && !is_gone) conn_enqueue(net, conn, &message);
    zmq_msg_close(&message);
    pace_begin(net, bytes.size);
    if (!is_gone) return ERR_OK;
    accept_gone(net, conn);
    return ERR_UNREACHABLE;
}

bool conn_flush(struct net *net, struct conn *conn)
{
    bool is_gone = false;
    bool had_queue = conn->queue.first != NULL;
    while (conn->queue.first && conn_transmit(net, conn, &conn->queue.first->message, &is_gone)) {
        queue_pop(&conn->queue);
    }
    if (is_gone) {
        accept_gone(net, conn);
        return false;
    }
    if (!conn->dialled && had_queue && !conn->queue.first) net->blocked_count--;
    if (conn->queue.was_high && conn->queue.bytes < conn_budget(conn) / 2) {
        conn->queue.was_high = false;
        conn_event(net, conn, NET_DRAINED, NET_NO_FAILURE);
    }
    return true;
}

void conn_drop(struct net *net, struct conn *conn)
{
    if (conn->dialled) {
        dial_lane_down(net, conn);
        return;
    }
    conn_event(net, conn, NET_DOWN, NET_NO_FAILURE);
    accept_mute(net, conn);
}
