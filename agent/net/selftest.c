// SPDX-License-Identifier: MIT
//
// Before anything is bound for others: a server with exactly the admission of the real one must
// refuse a key that nobody knows, because ZeroMQ without a working handler admits everyone.
#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/net/net_priv.h"

struct selftest {
    void *server;
    void *client;
    void *monitor;
};

static bool selftest_server(struct net *net, struct selftest *test, char *endpoint, size_t size)
{
    test->server = socket_new(net, ZMQ_ROUTER, 10);
    return test->server && socket_admission(net, test->server) &&
           zmq_bind(test->server, "tcp://127.0.0.1:*") == 0 &&
           zmq_getsockopt(test->server, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0;
}

static bool selftest_client(struct net *net, struct selftest *test, const char *endpoint)
{
    char public_key[41];
    char secret_key[41];
    uint8_t server_key[CURVE_KEY_BYTES];
    identity_curve_public(net->identity, server_key);
    test->client = socket_new(net, ZMQ_DEALER, 10);
    if (!test->client || zmq_curve_keypair(public_key, secret_key) != 0) return false;
    socket_set(test->client, ZMQ_RECONNECT_IVL, -1);
    zmq_setsockopt(test->client, ZMQ_CURVE_PUBLICKEY, public_key, sizeof public_key);
    zmq_setsockopt(test->client, ZMQ_CURVE_SECRETKEY, secret_key, sizeof secret_key);
    zmq_setsockopt(test->client, ZMQ_CURVE_SERVERKEY, server_key, sizeof server_key);
    test->monitor = monitor_open(net, test->client, ZMQ_EVENT_ALL);
    return test->monitor && zmq_connect(test->client, endpoint) == 0;
}

// True: refused for its key, and for nothing else.
static bool selftest_refused(struct selftest *test)
{
    for (int wait = 0; wait < 50; wait++) {
        zmq_pollitem_t item = {test->monitor, 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 100);
        struct monitor_event event;
        while (monitor_next(test->monitor, &event)) {
            if (event.event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) return true;
            if (event.event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return false;
            if (event.event == ZMQ_EVENT_DISCONNECTED) return false;
        }
    }
    return false;
}

enum err selftest_run(struct net *net, struct fault *fault)
{
    struct selftest test = {0};
    char endpoint[NET_ADDRESS_BYTES];
    bool is_ready = selftest_server(net, &test, endpoint, sizeof endpoint) &&
                    selftest_client(net, &test, endpoint);
    bool is_refused = is_ready && selftest_refused(&test);
    if (test.client) monitor_close(test.client, &test.monitor);
    if (test.client) zmq_close(test.client);
    if (test.server) zmq_close(test.server);
    if (is_refused) return ERR_OK;
    *fault =
        (struct fault){ERR_CONFIG, 0,
                       is_ready ? "the admission self-test failed: an unknown key was not refused"
                                : "the admission self-test could not run on 127.0.0.1"};
    log_error(LOG_NET, "admission self-test failed", "ran=%d", is_ready);
    return ERR_CONFIG;
}
