// SPDX-License-Identifier: MIT
//
// The door: opening, closing, and the turn of the loop. net_poll finds sources that are ready and
// puts them into a ring; net_next takes one event at a time, one message of a source and then the
// next source, until all are empty. So nobody starves, and since a source leaves the ring only when
// it has nothing more, no edge is missed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "agent/base/own.h"
#include "agent/net/net_priv.h"
#include "proto/vv.h"

enum { NET_SOCKETS_MAX = 4096, NET_ENDING_MS = 1000 };

static enum err net_check_library(struct fault *fault)
{
    int major;
    int minor;
    int patch;
    zmq_version(&major, &minor, &patch);
    const char *what = NULL;
    if (ZMQ_MAKE_VERSION(major, minor, patch) < ZMQ_MAKE_VERSION(4, 3, 3)) {
        what = "libzmq is older than 4.3.3";
    }
    if (!zmq_has("curve")) what = "libzmq was built without CURVE";
    if (!what) return ERR_OK;
    *fault = (struct fault){ERR_VERSION, 0, what};
    return ERR_VERSION;
}

static struct net *net_new(const struct net_options *options)
{
    struct net *net = mem_zalloc(1, sizeof *net);
    net->context = zmq_ctx_new();
    CHECK(net->context);
    zmq_ctx_set(net->context, ZMQ_MAX_SOCKETS, NET_SOCKETS_MAX);
    net->identity = options->identity;
    net->trusted = options->trusted;
    net->trusted_context = options->context;
    if (options->socks_proxy)
        (void)snprintf(net->proxy, sizeof net->proxy, "%s", options->socks_proxy);
    net->pace_ms = INT64_MAX;
    net->router_source.kind = SOURCE_ROUTER;
    net->router_monitor_source.kind = SOURCE_ROUTER_MONITOR;
    net->resolver_source.kind = SOURCE_RESOLVER;
    net->network_source.kind = SOURCE_NETWORK;
    network_open(net);
    net->retry_ms = 1;
    net->conns = map_new();
    net->by_routing = map_new();
    net->peers = map_new();
    return net;
}

void net_library(struct buf *out)
{
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    buf_printf(out, "%d.%d.%d", major, minor, patch);
}

enum err net_open(const struct net_options *options, struct net **out, struct fault *fault)
{
    enum err err = net_check_library(fault);
    if (err != ERR_OK) return err;
    struct net *net = net_new(options);
    if (options->listen_count > 0) err = listen_all(net, options, fault);
    if (err != ERR_OK) net_close(&net, 0);
    *out = net;
    return err;
}

// True: all queues are empty.
static bool net_flush(struct net *net)
{
    struct slice key;
    void *value;
    bool is_empty = true;
    for (size_t at = 0; map_next(net->conns, &at, &key, &value);) {
        struct conn *conn = value;
        if (conn->state == CONN_UP && conn->queue.first) (void)conn_flush(net, conn);
        if (conn->state == CONN_UP && conn->queue.first) is_empty = false;
    }
    return is_empty;
}

static void net_linger(struct net *net, int linger_ms)
{
    struct slice key;
    void *value;
    int64_t end_ms = clock_ms(CLOCK_MONOTONIC) + linger_ms;
    while (!net_flush(net) && clock_ms(CLOCK_MONOTONIC) < end_ms)
        zmq_poll(NULL, 0, 1);
    int64_t left_ms = end_ms - clock_ms(CLOCK_MONOTONIC);
    int left = left_ms > 0 ? (int)left_ms : 0;
    for (size_t at = 0; map_next(net->conns, &at, &key, &value);) {
        const struct conn *conn = value;
        if (conn->socket) socket_set(conn->socket, ZMQ_LINGER, left);
    }
    if (net->router) socket_set(net->router, ZMQ_LINGER, left);
}

static void net_close_conns(struct net *net)
{
    struct slice key;
    void *value;
    dial_fini(net);
    for (size_t at = 0; map_next(net->conns, &at, &key, &value);)
        conn_free(net, value);
    if (!net->router) return;
    monitor_close(net->router, &net->router_monitor);
    zmq_close(net->router);
}

void net_close(struct net **handle, int linger_ms)
{
    struct net *net = TAKE(*handle);
    if (!net) return;
    if (linger_ms > 0) net_linger(net, linger_ms);
    net_close_conns(net);
    event_fini(net);
    resolver_destroy(&net->resolver);
    network_close(net);
    while (zmq_ctx_term(net->context) != 0 && zmq_errno() == EINTR) {
    }
    zap_join(&net->zap);
    for (uint32_t i = 0; i < net->endpoint_count; i++)
        free(net->endpoints[i]);
    free(net->endpoints);
    map_destroy(&net->conns);
    map_destroy(&net->by_routing);
    map_destroy(&net->peers);
    free(net->open_fds);
    free(net->items);
    free(net->item_sources);
    free(net);
}

uint32_t net_endpoints(const struct net *net, const char *const **out)
{
    *out = (const char *const *)net->endpoints;
    return net->endpoint_count;
}

enum err net_send(struct net *net, conn_id id, struct slice bytes)
{
    struct conn *conn = conn_find(net, id);
    if (bytes.size > PROTO_MESSAGE_BYTES_MAX) return ERR_LIMIT;
    if (!conn || conn->state != CONN_UP || conn->is_gone) return ERR_UNREACHABLE;
    return conn_send(net, conn, bytes);
}

size_t net_queued(const struct net *net, conn_id id)
{
    const struct conn *conn = conn_find(net, id);
    return conn ? conn->queue.bytes : 0;
}

void net_drop(struct net *net, conn_id id)
{
    struct conn *conn = conn_find(net, id);
    if (conn) conn_drop(net, conn);
}

void net_forget(struct net *net, struct device_id device)
{
    struct slice key;
    void *value;
    dial_forget(net, device);
    for (size_t at = 0; map_next(net->by_routing, &at, &key, &value);) {
        struct conn *conn = value;
        bool is_theirs = device_equal(conn->device, device);
        if (is_theirs && conn->state != CONN_MUTED) conn_drop(net, conn);
    }
}

void source_ready(struct net *net, struct source *source)
{
    if (source->is_queued) return;
    source->is_queued = true;
    source->next = NULL;
    if (net->ready_last) {
        net->ready_last->next = source;
    } else {
        net->ready_first = source;
    }
    net->ready_last = source;
}

static struct source *net_take_source(struct net *net)
{
    struct source *source = net->ready_first;
    if (!source) return NULL;
    net->ready_first = source->next;
    if (!net->ready_first) net->ready_last = NULL;
    source->is_queued = false;
    return source;
}

void source_forget(struct net *net, struct source *source)
{
    struct source *last = NULL;
    struct source **at = &net->ready_first;
    if (!source->is_queued) return;
    while (*at) {
        if (*at == source) {
            *at = source->next;
        } else {
            last = *at;
            at = &(*at)->next;
        }
    }
    net->ready_last = last;
    source->is_queued = false;
}

static void net_add_item(struct net *net, uint32_t *count, zmq_pollitem_t item,
                         struct source *source)
{
    if (*count == net->item_capacity) {
        net->item_capacity = net->item_capacity ? net->item_capacity * 2 : 32;
        net->items = mem_realloc(net->items, net->item_capacity * sizeof *net->items);
        net->item_sources =
            mem_realloc(net->item_sources, net->item_capacity * sizeof *net->item_sources);
    }
    net->items[*count] = item;
    net->item_sources[(*count)++] = source;
}

static void net_add_dealers(struct net *net, uint32_t *count)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(net->conns, &at, &key, &value);) {
        struct conn *conn = value;
        if (!conn->socket) continue;
        short wanted = (short)(ZMQ_POLLIN | (conn->queue.first ? ZMQ_POLLOUT : 0));
        zmq_pollitem_t monitor = {conn->monitor, 0, ZMQ_POLLIN, 0};
        zmq_pollitem_t socket = {conn->socket, 0, wanted, 0};
        net_add_item(net, count, monitor, &conn->source);
        if (conn->state == CONN_UP) net_add_item(net, count, socket, &conn->source);
    }
}

static uint32_t net_add_items(struct net *net, const int *fds, uint32_t fd_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fd_count; i++) {
        net_add_item(net, &count, (zmq_pollitem_t){NULL, fds[i], ZMQ_POLLIN, 0}, NULL);
    }
    if (net->router) {
        zmq_pollitem_t monitor = {net->router_monitor, 0, ZMQ_POLLIN, 0};
        zmq_pollitem_t router = {net->router, 0, ZMQ_POLLIN, 0};
        net_add_item(net, &count, monitor, &net->router_monitor_source);
        net_add_item(net, &count, router, &net->router_source);
    }
    if (net->resolver) {
        zmq_pollitem_t answers = {NULL, resolver_fd(net->resolver), ZMQ_POLLIN, 0};
        net_add_item(net, &count, answers, &net->resolver_source);
    }
    if (net->network_fd >= 0) {
        zmq_pollitem_t network = {NULL, net->network_fd, ZMQ_POLLIN, 0};
        net_add_item(net, &count, network, &net->network_source);
    }
    net_add_dealers(net, &count);
    return count;
}

void net_poll(struct net *net, const int *fds, bool *ready, uint32_t fd_count, int timeout_ms)
{
    uint32_t count = net_add_items(net, fds, fd_count);
    bool has_work = net->event_first || net->ready_first;
    bool is_capped = net->blocked_count && (timeout_ms < 0 || timeout_ms > net->retry_ms);
    if (is_capped) timeout_ms = net->retry_ms;
    if (has_work) timeout_ms = 0;
    bool is_any = zmq_poll(net->items, (int)count, timeout_ms) > 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_ready = is_any && net->items[i].revents != 0;
        if (i < fd_count) ready[i] = is_ready;
        if (i >= fd_count && is_ready) source_ready(net, net->item_sources[i]);
    }
    net->retry_due = true;
}

static void net_serve_router(struct net *net)
{
    bool is_overdue = net->ending_count && net->now_ms - net->ending_ms >= NET_ENDING_MS;
    if (is_overdue) accept_bury(net);
    if (accept_receive(net)) {
        source_ready(net, &net->router_source);
    } else {
        net->dry_count++;
        accept_bury(net);
    }
}

static void net_serve(struct net *net, struct source *source)
{
    switch (source->kind) {
    case SOURCE_ROUTER: net_serve_router(net); break;
    case SOURCE_ROUTER_MONITOR: accept_monitor(net); break;
    case SOURCE_DEALER: dealer_serve(net, source->conn); break;
    case SOURCE_RESOLVER: dial_resolved(net); break;
    case SOURCE_NETWORK: network_serve(net); break;
    }
}

bool net_next(struct net *net, int64_t now_ms, struct net_event *out)
{
    net->now_ms = now_ms;
    if (net->retry_due) {
        net->retry_due = false;
        accept_flush(net);
        network_tick(net);
        dial_tick(net);
        pace_tick(net);
    }
    for (;;) {
        if (event_take(net, out)) return true;
        struct source *source = net_take_source(net);
        if (!source) flow_tick(net);
        if (!source && event_take(net, out)) return true;
        if (!source) return false;
        net_serve(net, source);
    }
}

int64_t net_next_ms(const struct net *net)
{
    int64_t next_ms = dial_next_ms(net), flow_ms = flow_next_ms(net);
    if (flow_ms < next_ms) next_ms = flow_ms;
    if (net->pace_ms < next_ms) next_ms = net->pace_ms;
    return net->network_due_ms < next_ms ? net->network_due_ms : next_ms;
}
