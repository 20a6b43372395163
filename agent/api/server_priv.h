// SPDX-License-Identifier: MIT
//
// agent/api/server — what the parts of the server share: one lock guards everything below.
//
// A socket is one client's connection, an exchange one request on it. libmicrohttpd's thread makes
// and frees both; the engine's thread and the watcher find them under the lock, by number.
#ifndef AGENT_API_SERVER_PRIV_H
#define AGENT_API_SERVER_PRIV_H

#include <pthread.h>
#include <sys/types.h>

#include <microhttpd.h>

#include "agent/api/server.h"
#include "agent/api/stream_priv.h"

enum {
    API_CONNECTIONS_MAX = 64,
    API_HEADER_BYTES_MAX = 8 << 10,
    API_BODY_BYTES_MAX = 1 << 20,
    API_RECEIVE_MS = 10000, // to receive one request
    API_CLOSE_MS = 1000,    // for answers under way when the server closes
};

enum exchange_state {
    EXCHANGE_RECEIVING,
    EXCHANGE_ASKED,     // in the engine's hands
    EXCHANGE_ANSWERED,  // `response` waits to be queued, or is being sent
    EXCHANGE_STREAMING, // `stream` is being sent
    EXCHANGE_ENDED,     // the stream ends when what waits is sent
    EXCHANGE_GONE,      // the client hung up
};

struct api_socket {
    struct api_socket *next;
    int fd;
    int64_t deadline_ms; // monotonic; 0: not receiving a request
};

struct exchange {
    struct exchange *next;
    struct api_server *server;
    struct api_socket *socket;
    struct MHD_Connection *connection;
    uint64_t number;
    enum exchange_state state;
    bool suspended;  // libmicrohttpd does not look at it; to be resumed
    bool told_gone;  // the engine was told
    bool was_asked;  // the engine knows the number
    bool is_too_big; // the rest of the body is read and dropped
    struct buf body;
    struct MHD_Response *response;
    int http_status;
    struct stream *stream; // NULL unless STREAMING or ENDED
};

struct api_server {
    pthread_mutex_t lock;
    struct MHD_Daemon *daemon;
    struct mailbox *inbox;
    struct exchange *exchanges;
    struct api_socket *sockets;
    uint64_t last_number;
    bool closing;
    int listen_fd;
    char *path;
    pthread_t watcher;
    int wake[2]; // pipe that wakes the watcher
};

// listen.c: a bound and listening socket of mode 0600.
enum err api_listen(const char *path, int *out_fd, struct fault *fault) MUST_USE;

// peercred_*.c: the user at the other end.
bool api_peer_uid(int fd, uid_t *out_uid);

// serve.c: libmicrohttpd's side.
struct MHD_Daemon *api_serve(struct api_server *server);
struct MHD_Response *api_response(const char *type, struct slice body);

// watch.c: a thread that notices clients that hang up while they wait (libmicrohttpd does not look
// at suspended connections) and those that take too long to send a request.
void *api_watch(void *server);
void api_watch_wake(struct api_server *server); // something to watch has changed
int64_t api_now_ms(void);

// server.c, with the lock held.
void exchange_resume(struct exchange *exchange);
void exchange_tell_gone(struct exchange *exchange); // once, if the engine knows it and waits

#endif
