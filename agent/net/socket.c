// SPDX-License-Identifier: MIT
//
// Options that every socket of ours has; the reasons are in docs/ARCHITECTURE.md "ZeroMQ".
#include "agent/base/check.h"
#include "agent/net/net_priv.h"

// zmq.h hides it in its draft section; the stock library has it.
enum { SOCKET_ZAP_ENFORCE_DOMAIN = 93 };

void socket_set(void *socket, int option, int value)
{
    CHECK(zmq_setsockopt(socket, option, &value, sizeof value) == 0);
}

void *socket_new(struct net *net, int type, int hwm)
{
    void *socket = zmq_socket(net->context, type);
    if (!socket) return NULL;
    int64_t frame_bytes_max = PROTO_FRAME_BYTES_MAX;
    CHECK(zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max) == 0);
    socket_set(socket, ZMQ_SNDHWM, hwm);
    socket_set(socket, ZMQ_RCVHWM, NET_RECEIVE_HWM);
    socket_set(socket, ZMQ_LINGER, 0);
    socket_set(socket, ZMQ_IPV6, 1);
    socket_set(socket, ZMQ_IMMEDIATE, 1);
    socket_set(socket, ZMQ_HANDSHAKE_IVL, NET_HANDSHAKE_MS);
    // For the bulk lane, which has no heartbeats.
    socket_set(socket, ZMQ_TCP_KEEPALIVE, 1);
    socket_set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 60);
    socket_set(socket, ZMQ_TCP_KEEPALIVE_INTVL, 15);
    socket_set(socket, ZMQ_TCP_KEEPALIVE_CNT, 4);
    return socket;
}

void socket_keys(struct net *net, void *socket)
{
    uint8_t key[CURVE_KEY_BYTES];
    identity_curve_public(net->identity, key);
    CHECK(zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, key, sizeof key) == 0);
    identity_curve_secret(net->identity, key);
    CHECK(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key, sizeof key) == 0);
    crypto_wipe(key, sizeof key);
}

// Without the enforced domain a missing handler admits any key.
bool socket_admission(struct net *net, void *socket)
{
    static const char domain[] = "cfgsync";
    int one = 1;
    socket_keys(net, socket);
    return zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof one) == 0 &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, sizeof domain - 1) == 0 &&
           zmq_setsockopt(socket, SOCKET_ZAP_ENFORCE_DOMAIN, &one, sizeof one) == 0;
}
