// SPDX-License-Identifier: MIT
//
// The descriptors behind accepted conns: which are open, whose they are, and cutting them off.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/net/accept_priv.h"
#include "proto/vv.h"

enum fd_use {
    FD_CLOSED,
    FD_ACCEPTED, // nothing was delivered yet
    FD_IN_DOUBT, // has a conn, which may be of the connection before it
    FD_HAS_CONN
};

struct open_fd {
    enum fd_use use;
    int64_t since_ms;
    bool ended_unread;   // what the one before it delivered may still come
    uint64_t opened_dry; // net->dry_count by then
};

static struct open_fd *accepted_fd(struct net *net, int fd)
{
    size_t at = (size_t)fd;
    if (at >= net->open_fds_size) {
        size_t size = (at + 64) & ~(size_t)63;
        net->open_fds = mem_realloc(net->open_fds, size * sizeof *net->open_fds);
        for (size_t i = net->open_fds_size; i < size; i++)
            net->open_fds[i] = (struct open_fd){.use = FD_CLOSED};
        net->open_fds_size = size;
    }
    return &net->open_fds[at];
}

static void accepted_use(struct net *net, int fd, enum fd_use use)
{
    struct open_fd *open = accepted_fd(net, fd);
    open->use = use;
    open->since_ms = net->now_ms;
}

static void accepted_closed_fd(struct net *net, int fd)
{
    struct open_fd *open = accepted_fd(net, fd);
    if (open->use != FD_CLOSED) open->ended_unread = open->use != FD_HAS_CONN;
    accepted_use(net, fd, FD_CLOSED);
}

static void accepted_opened_fd(struct net *net, int fd)
{
    accepted_closed_fd(net, fd); // not every end is told
    accepted_use(net, fd, FD_ACCEPTED);
    accepted_fd(net, fd)->opened_dry = net->dry_count;
}

// What was delivered before it was opened is read when the ROUTER has been empty since.
static bool accepted_may_be_before(const struct net *net, int fd)
{
    const struct open_fd *open = &net->open_fds[fd];
    return open->ended_unread && open->opened_dry == net->dry_count;
}

static bool accepted_is_open(const struct net *net, int fd)
{
    return fd >= 0 && (size_t)fd < net->open_fds_size && net->open_fds[fd].use != FD_CLOSED;
}

bool accept_is_silent(const struct net *net, int fd)
{
    return accepted_is_open(net, fd) && net->open_fds[fd].use == FD_ACCEPTED;
}

int64_t accept_silent_ms(const struct net *net, int fd)
{
    return accept_is_silent(net, fd) ? net->now_ms - net->open_fds[fd].since_ms : 0;
}

// That it is closed is said by the monitor, a moment later.
void accept_cut_silent(struct net *net, int fd)
{
    net->open_fds[fd].since_ms = net->now_ms;
    shutdown(fd, SHUT_RDWR);
}

void accept_mark_gone(struct net *net, struct conn *conn)
{
    if (conn->is_gone) return;
    conn->is_gone = true;
    if (net->ending_count++ == 0) net->ending_ms = net->now_ms;
    source_ready(net, &net->router_source);
}

static void accepted_end_conns(struct net *net, int fd)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(net->by_routing, &at, &key, &value);) {
        struct conn *conn = value;
        if (conn->fd == fd) accept_mark_gone(net, conn);
    }
}

void accept_monitor(struct net *net)
{
    struct monitor_event event;
    while (monitor_next(net->router_monitor, &event)) {
        int fd = (int)event.value;
        if (fd < 0) continue;
        accepted_end_conns(net, fd);
        if (event.event == ZMQ_EVENT_ACCEPTED) {
            accepted_opened_fd(net, fd);
        } else {
            accepted_closed_fd(net, fd);
        }
    }
}

// ZMQ_SRCFD of a message whose connection has ended may by now be anything.
static bool accepted_remote(struct conn *conn, const char *peer)
{
    conn->remote_size = sizeof conn->remote;
    if (getpeername(conn->fd, (struct sockaddr *)&conn->remote, &conn->remote_size) != 0 ||
        !address_text((const struct sockaddr *)&conn->remote, conn->remote_size, conn->address)) {
        return false;
    }
    if (!strncmp(peer, "::ffff:", 7) && strchr(peer, '.')) peer += 7;
    struct address address;
    return address_parse(conn->address, &address) && !strcmp(address.host, peer);
}

void accept_attach(struct net *net, struct conn *conn, zmq_msg_t *body)
{
    const char *peer = zmq_msg_gets(body, "Peer-Address");
    int fd = zmq_msg_get(body, ZMQ_SRCFD);
    if (fd >= 0) accepted_end_conns(net, fd); // whoever had it before
    conn->fd = fd;
    if (peer && accepted_is_open(net, fd) && accepted_remote(conn, peer)) {
        accepted_use(net, fd, accepted_may_be_before(net, fd) ? FD_IN_DOUBT : FD_HAS_CONN);
        conn->is_near = interface_near((const struct sockaddr *)&conn->remote);
        alive_watch(fd, conn->is_near);
        return;
    }
    snprintf(conn->address, sizeof conn->address, "tcp://%.250s", peer ? peer : "?");
    conn->fd = -1;
    accept_mark_gone(net, conn);
}

static void accepted_shutdown(struct net *net, struct conn *conn)
{
    struct sockaddr_storage remote;
    socklen_t size = sizeof remote;
    accept_monitor(net);
    if (conn->is_gone || conn->fd < 0) return;
    if (net->open_fds[conn->fd].use == FD_IN_DOUBT) {
        accepted_use(net, conn->fd, FD_ACCEPTED); // whoever it is speaks soon, or is cut as silent
        return;
    }
    if (getpeername(conn->fd, (struct sockaddr *)&remote, &size) == 0 &&
        size == conn->remote_size && !memcmp(&remote, &conn->remote, size)) {
        shutdown(conn->fd, SHUT_RDWR);
    }
}

void accept_mute(struct net *net, struct conn *conn)
{
    if (conn->state == CONN_MUTED) return;
    conn->state = CONN_MUTED;
    event_forget_messages(net, conn->id);
    if (conn->queue.first) net->blocked_count--;
    queue_fini(&conn->queue);
    accepted_shutdown(net, conn);
}

// A conn that was never made: admitted, but not trusted any more by its first message.
void accept_cut_stranger(struct net *net, zmq_msg_t *body)
{
    struct conn conn = {.fd = zmq_msg_get(body, ZMQ_SRCFD)};
    const char *peer = zmq_msg_gets(body, "Peer-Address");
    accept_monitor(net);
    if (peer && accept_is_silent(net, conn.fd) && !accepted_may_be_before(net, conn.fd) &&
        accepted_remote(&conn, peer)) {
        shutdown(conn.fd, SHUT_RDWR);
    }
}

static bool accepted_is_of(const struct conn *conn, struct device_id device)
{
    return conn->state != CONN_MUTED && device_equal(conn->device, device);
}

static uint32_t accepted_count(const struct net *net, struct device_id device,
                               struct conn **out_oldest)
{
    struct slice key;
    void *value;
    uint32_t count = 0;
    *out_oldest = NULL;
    for (size_t at = 0; map_next(net->by_routing, &at, &key, &value);) {
        struct conn *conn = value;
        if (!accepted_is_of(conn, device)) continue;
        count++;
        if (!*out_oldest || conn->last_ms < (*out_oldest)->last_ms) *out_oldest = conn;
    }
    return count;
}

// How many devices there are, and the one that said nothing for longest. Only when a device comes.
static uint32_t accepted_devices(const struct net *net, struct device_id *out_silent)
{
    struct slice key;
    void *value;
    uint32_t count = 0;
    int64_t silent_ms = INT64_MAX;
    AUTO(map_destroy) struct map *latest = map_new();
    for (size_t at = 0; map_next(net->by_routing, &at, &key, &value);) {
        struct conn *conn = value;
        struct slice device = slice_of(conn->device.bytes, sizeof conn->device.bytes);
        struct conn *other = conn->state == CONN_MUTED ? conn : map_get(latest, device);
        if (!other || other->last_ms < conn->last_ms) map_put(latest, device, conn);
    }
    for (size_t at = 0; map_next(latest, &at, &key, &value); count++) {
        const struct conn *conn = value;
        if (conn->last_ms >= silent_ms) continue;
        silent_ms = conn->last_ms;
        *out_silent = conn->device;
    }
    return count;
}

void accept_make_room(struct net *net, struct device_id device)
{
    struct conn *oldest;
    struct device_id silent = {{0}};
    uint32_t count = accepted_count(net, device, &oldest);
    if (count >= NET_DEVICE_CONNS_MAX) {
        log_warn(LOG_NET, "too many connections of one device", "count=%u", count);
        conn_drop(net, oldest);
    }
    if (count > 0 || accepted_devices(net, &silent) < NET_DEVICES_MAX) return;
    log_warn(LOG_NET, "too many devices", "limit=%d", NET_DEVICES_MAX);
    for (; accepted_count(net, silent, &oldest) > 0;)
        conn_drop(net, oldest);
}
