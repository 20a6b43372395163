// SPDX-License-Identifier: MIT
//
// The ZAP handler (RFC 27): a thread that answers for each handshake whether its key is trusted.
// Handshakes wait for it one after the other, so it asks memory only. It ends with the context.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/thread.h"
#include "agent/net/net_priv.h"
#include "crypto/hash.h"

enum { ZAP_FRAMES = 7, ZAP_FRAME_BYTES = 256, ZAP_KEY_HEX = 2 * CURVE_KEY_BYTES };
enum zap_part {
    ZAP_VERSION,
    ZAP_REQUEST,
    ZAP_DOMAIN,
    ZAP_ADDRESS,
    ZAP_ROUTING,
    ZAP_MECHANISM,
    ZAP_CREDENTIALS
};

struct zap {
    pthread_t thread;
    void *socket;
    bool (*trusted)(void *context, const uint8_t curve_key[32], struct device_id *out_device);
    void *context;
};

struct zap_request {
    uint8_t bytes[ZAP_FRAMES][ZAP_FRAME_BYTES];
    size_t sizes[ZAP_FRAMES];
    bool is_whole; // all frames there, none cut
};

static int zap_frame(void *socket, uint8_t out[ZAP_FRAME_BYTES])
{
    int size;
    do {
        size = zmq_recv(socket, out, ZAP_FRAME_BYTES, 0);
    } while (size < 0 && zmq_errno() == EINTR);
    return size;
}

// False: the context ends.
static bool zap_receive(void *socket, struct zap_request *out)
{
    int more = 1;
    size_t more_size = sizeof more;
    out->is_whole = true;
    unsigned count = 0;
    for (; more; count++) {
        uint8_t spare[ZAP_FRAME_BYTES];
        bool is_known = count < ZAP_FRAMES;
        int size = zap_frame(socket, is_known ? out->bytes[count] : spare);
        if (size < 0) return false;
        if (!is_known || size > ZAP_FRAME_BYTES) out->is_whole = false;
        if (is_known) out->sizes[count] = (size_t)size;
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_size);
    }
    for (; count < ZAP_FRAMES; count++) {
        out->sizes[count] = 0;
        out->is_whole = false;
    }
    if (out->sizes[ZAP_REQUEST] > ZAP_FRAME_BYTES) out->sizes[ZAP_REQUEST] = ZAP_FRAME_BYTES;
    return true;
}

static bool zap_frame_is(const struct zap_request *request, enum zap_part frame, const char *text)
{
    return slice_equal(slice_of(request->bytes[frame], request->sizes[frame]), slice_text(text));
}

static bool zap_admits(const struct zap *zap, const struct zap_request *request)
{
    struct device_id device;
    return request->is_whole && zap_frame_is(request, ZAP_VERSION, "1.0") &&
           zap_frame_is(request, ZAP_DOMAIN, "cfgsync") &&
           zap_frame_is(request, ZAP_MECHANISM, "CURVE") &&
           request->sizes[ZAP_CREDENTIALS] == CURVE_KEY_BYTES &&
           zap->trusted(zap->context, request->bytes[ZAP_CREDENTIALS], &device);
}

static void zap_answer(void *socket, const struct zap_request *request, bool admits)
{
    char user[ZAP_KEY_HEX + 1] = "";
    if (admits) hex_lower(request->bytes[ZAP_CREDENTIALS], CURVE_KEY_BYTES, user);
    const char *status = admits ? "200" : "400";
    const char *text = admits ? "OK" : "key not trusted";
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, request->bytes[ZAP_REQUEST], request->sizes[ZAP_REQUEST], ZMQ_SNDMORE);
    zmq_send(socket, status, 3, ZMQ_SNDMORE);
    zmq_send(socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(socket, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static void *zap_run(void *argument)
{
    struct zap *zap = argument;
    struct zap_request request;
    while (zap_receive(zap->socket, &request)) {
        zap_answer(zap->socket, &request, zap_admits(zap, &request));
    }
    zmq_close(zap->socket);
    return NULL;
}

// The socket is bound before the thread exists, so that no handshake can come earlier.
static bool zap_launch(struct zap *zap)
{
    if (zmq_bind(zap->socket, "inproc://zeromq.zap.01") != 0) return false;
    return thread_start(&zap->thread, zap_run, zap);
}

struct zap *zap_start(struct net *net)
{
    struct zap *zap = mem_zalloc(1, sizeof *zap);
    zap->trusted = net->trusted;
    zap->context = net->trusted_context;
    zap->socket = zmq_socket(net->context, ZMQ_REP);
    if (zap->socket) {
        socket_set(zap->socket, ZMQ_LINGER, 0);
        if (zap_launch(zap)) return zap;
        zmq_close(zap->socket);
    }
    free(zap);
    return NULL;
}

void zap_join(struct zap **zap)
{
    if (!*zap) return;
    pthread_join((*zap)->thread, NULL);
    free(*zap);
    *zap = NULL;
}
