// SPDX-License-Identifier: MIT
//
// Events that wait for net_next. There are few: one message at a time is read from the sockets.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/net/net_priv.h"

const char *net_failure_text(enum net_failure failure)
{
    switch (failure) {
    case NET_NO_MEANS: return "no file descriptors left";
    case NET_BAD_ADDRESS: return "not an address of the form tcp://HOST:PORT";
    case NET_NAME_UNKNOWN: return "name not found";
    case NET_NO_ROUTE: return "no route";
    case NET_TIMED_OUT: return "timed out";
    case NET_REFUSED: return "refused";
    case NET_NOT_AN_AGENT: return "not an agent";
    case NET_SOMEBODY_ELSE: return "another device or program answers there";
    case NET_KEY_REFUSED: return "key not accepted";
    case NET_NO_FAILURE: break;
    }
    return NULL;
}

static void event_free(struct event_node *node)
{
    if (!node) return;
    zmq_msg_close(&node->message);
    free(node);
}

void event_put(struct net *net, const struct net_event *event, zmq_msg_t *message)
{
    struct event_node *node = mem_zalloc(1, sizeof *node);
    node->event = *event;
    size_t size = event->address.size;
    if (size > sizeof node->address) size = sizeof node->address;
    if (size) memcpy(node->address, event->address.data, size);
    node->event.address = slice_of(node->address, size);
    zmq_msg_init(&node->message);
    if (message) CHECK(zmq_msg_move(&node->message, message) == 0);
    if (message) {
        node->event.bytes = slice_of(zmq_msg_data(&node->message), zmq_msg_size(&node->message));
    }
    if (net->event_last) {
        net->event_last->next = node;
    } else {
        net->event_first = node;
    }
    net->event_last = node;
}

bool event_take(struct net *net, struct net_event *out)
{
    event_free(net->event_current);
    net->event_current = net->event_first;
    if (!net->event_current) return false;
    net->event_first = net->event_current->next;
    if (!net->event_first) net->event_last = NULL;
    *out = net->event_current->event;
    return true;
}

void event_forget_messages(struct net *net, conn_id id)
{
    struct event_node *last = NULL;
    struct event_node **at = &net->event_first;
    while (*at) {
        struct event_node *node = *at;
        if (node->event.kind == NET_MESSAGE && node->event.conn == id) {
            *at = node->next;
            event_free(node);
        } else {
            last = node;
            at = &node->next;
        }
    }
    net->event_last = last;
}

void event_fini(struct net *net)
{
    struct net_event event;
    while (event_take(net, &event)) {
    }
}
