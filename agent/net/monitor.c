// SPDX-License-Identifier: MIT
//
// Socket monitors: what ZeroMQ tells about connections, over an inproc PAIR (event format 1: a
// frame of 16 bits event and 32 bits value, then a frame with the address).
#include <stdio.h>
#include <string.h>

#include "agent/net/net_priv.h"

void *monitor_open(struct net *net, void *socket, int events)
{
    char name[64];
    snprintf(name, sizeof name, "inproc://monitor-%llu", (unsigned long long)++net->monitor_count);
    if (zmq_socket_monitor(socket, name, events) != 0) return NULL;
    void *monitor = zmq_socket(net->context, ZMQ_PAIR);
    if (!monitor) {
        zmq_socket_monitor(socket, NULL, 0);
        return NULL;
    }
    // ZeroMQ's I/O thread blocks when a monitor's queue is full, so it must have no end.
    socket_set(monitor, ZMQ_RCVHWM, 0);
    socket_set(monitor, ZMQ_LINGER, 0);
    if (zmq_connect(monitor, name) == 0) return monitor;
    zmq_socket_monitor(socket, NULL, 0);
    zmq_close(monitor);
    return NULL;
}

void monitor_close(void *socket, void **monitor)
{
    if (!*monitor) return;
    zmq_socket_monitor(socket, NULL, 0);
    zmq_close(*monitor);
    *monitor = NULL;
}

bool monitor_next(void *monitor, struct monitor_event *out)
{
    uint8_t head[6];
    int size = zmq_recv(monitor, head, sizeof head, ZMQ_DONTWAIT);
    if (size < 0) return false;
    conn_discard_rest(monitor);
    if (size != (int)sizeof head) return false;
    uint16_t event;
    memcpy(&event, head, sizeof event);
    memcpy(&out->value, head + sizeof event, sizeof out->value);
    out->event = event;
    return true;
}
