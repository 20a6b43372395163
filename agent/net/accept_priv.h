// SPDX-License-Identifier: MIT
//
// agent/net/accept_priv — between accept.c (messages) and accepted.c (descriptors and limits).
#ifndef AGENT_NET_ACCEPT_PRIV_H
#define AGENT_NET_ACCEPT_PRIV_H

#include "agent/net/net_priv.h"

enum { NET_RETRY_MS_MAX = 16 };

struct sender {
    uint8_t key[CURVE_KEY_BYTES];
    struct device_id device;
};

void accept_attach(struct net *net, struct conn *conn, zmq_msg_t *body); // descriptor and address
void accept_mark_gone(struct net *net, struct conn *conn);
void accept_cut_stranger(struct net *net, zmq_msg_t *body);
bool accept_is_silent(const struct net *net, int fd);    // open, and nothing was delivered yet
int64_t accept_silent_ms(const struct net *net, int fd); // for so long
void accept_cut_silent(struct net *net, int fd);
void accept_make_room(struct net *net, struct device_id device);

#endif
