// SPDX-License-Identifier: MIT
//
// agent/api/serve — libmicrohttpd's callbacks, all run by its one thread.
//
//     connection_changed(started) -> handle_request, several times -> suspended until the engine
//     has answered -> handle_request again queues the response -> request_completed
//
// The lock is held across putting a request into the mailbox and suspending its connection, so that
// an answer cannot overtake the suspension.
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/api/server_priv.h"
#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"

enum { DRAIN_BYTES_MAX = 16 << 20 }; // of a body that is too big, before we hang up

struct MHD_Response *api_response(const char *type, struct slice body)
{
    char *copy = mem_alloc(body.size > 0 ? body.size : 1);
    if (body.size > 0) memcpy(copy, body.data, body.size);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.size, copy, MHD_RESPMEM_MUST_FREE);
    CHECK(response != NULL);
    CHECK(MHD_add_response_header(response, "Content-Type", type) == MHD_YES);
    CHECK(MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES);
    return response;
}

static struct MHD_Response *error_response(const char *code, const char *message)
{
    AUTO(buf_fini) struct buf body = {0};
    buf_printf(&body, "{\"error\": {\"code\": \"%s\", \"message\": \"%s\", \"exit\": 1}}\n", code,
               message);
    return api_response("application/json", buf_slice(&body));
}

static struct MHD_Response *too_big_response(void)
{
    return error_response("too-big", "the body is over 1 MiB");
}

// Without the lock: libmicrohttpd takes the response's own lock here, and holds it around
// read_stream, which takes ours.
static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response)
{
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static struct api_socket *socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

// The first call for a request: the headers are here, the body is not.
static enum MHD_Result begin(struct api_server *server, struct MHD_Connection *connection,
                             void **request_context)
{
    struct api_socket *socket = socket_of(connection);
    if (socket == NULL) return MHD_NO; // a stranger
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    const char *expect = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Expect");
    // Who asks before sending is told at once; others are read to the end, so that they get to
    // read the answer.
    if (expect != NULL && length != NULL && strtoull(length, NULL, 10) > API_BODY_BYTES_MAX) {
        return queue(connection, 413, too_big_response());
    }
    struct exchange *exchange = mem_zalloc(1, sizeof *exchange);
    exchange->server = server;
    exchange->socket = socket;
    exchange->connection = connection;
    *request_context = exchange;
    pthread_mutex_lock(&server->lock);
    exchange->number = ++server->last_number;
    exchange->next = server->exchanges;
    server->exchanges = exchange;
    pthread_mutex_unlock(&server->lock);
    return MHD_YES;
}

// Only this thread looks at a body, until it is handed to the engine.
static enum MHD_Result take_body(struct exchange *exchange, const char *data, size_t *size)
{
    if (!exchange->is_too_big && exchange->body.size + *size > API_BODY_BYTES_MAX) {
        exchange->is_too_big = true;
        exchange->body.size = 0;
    }
    if (exchange->is_too_big) {
        exchange->body.size += *size; // counts what was dropped
        if (exchange->body.size > DRAIN_BYTES_MAX) {
            exchange->body.size = 0;
            return MHD_NO;
        }
    } else {
        buf_append(&exchange->body, data, *size);
    }
    *size = 0;
    return MHD_YES;
}

static struct api_request *request_new(struct exchange *exchange, const char *method,
                                       const char *path)
{
    struct api_request *request = mem_zalloc(1, sizeof *request);
    request->number = exchange->number;
    size_t size = strnlen(method, sizeof request->method - 1);
    memcpy(request->method, method, size);
    request->path = mem_strdup(path);
    request->body = exchange->body;
    const char *last =
        MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Last-Event-ID");
    if (last != NULL && strlen(last) < sizeof request->last_event)
        memcpy(request->last_event, last, strlen(last) + 1);
    memset(&exchange->body, 0, sizeof exchange->body);
    return request;
}

static void suspend(struct exchange *exchange)
{
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
    api_watch_wake(exchange->server);
}

static void ready(struct exchange *exchange, int http_status, struct MHD_Response *response)
{
    exchange->state = EXCHANGE_ANSWERED;
    exchange->http_status = http_status;
    exchange->response = response;
}

// The request is complete: the engine's turn, unless it is clear what to say.
static void ask(struct exchange *exchange, const char *method, const char *path)
{
    exchange->socket->deadline_ms = 0;
    if (exchange->is_too_big) {
        exchange->body.size = 0;
        ready(exchange, 413, too_big_response());
        return;
    }
    if (exchange->server->closing) {
        ready(exchange, 503, error_response("ending", "the agent is ending"));
        return;
    }
    exchange->state = EXCHANGE_ASKED;
    exchange->was_asked = true;
    suspend(exchange);
    mailbox_put(exchange->server->inbox, request_new(exchange, method, path));
}

static ssize_t read_stream(void *context, uint64_t position, char *out, size_t max)
{
    struct exchange *exchange = context;
    ssize_t result = 0;
    (void)position;

    pthread_mutex_lock(&exchange->server->lock);
    size_t size = exchange->state == EXCHANGE_GONE ? 0 : stream_take(exchange->stream, out, max);
    if (size > 0) {
        result = (ssize_t)size;
    } else if (exchange->state == EXCHANGE_STREAMING) {
        suspend(exchange); // until there is an event
    } else {
        result = exchange->state == EXCHANGE_GONE ? MHD_CONTENT_READER_END_WITH_ERROR
                                                  : MHD_CONTENT_READER_END_OF_STREAM;
    }
    pthread_mutex_unlock(&exchange->server->lock);
    return result;
}

static struct MHD_Response *stream_response(struct exchange *exchange)
{
    enum { BLOCK_BYTES = 4096 };
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES,
                                                                      read_stream, exchange, NULL);
    CHECK(response != NULL);
    CHECK(MHD_add_response_header(response, "Content-Type", "text/event-stream") == MHD_YES);
    CHECK(MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES);
    return response;
}

// What to do with a complete request. True with *out NULL: nothing now; false: hang up.
static bool proceed(struct exchange *exchange, const char *method, const char *path,
                    struct MHD_Response **out)
{
    *out = NULL;
    if (exchange->state == EXCHANGE_RECEIVING) ask(exchange, method, path);
    switch (exchange->state) {
    case EXCHANGE_RECEIVING:
    case EXCHANGE_ASKED: return true;
    case EXCHANGE_ANSWERED: *out = TAKE(exchange->response); return *out != NULL;
    case EXCHANGE_STREAMING:
    case EXCHANGE_ENDED:
        exchange->http_status = 200;
        *out = stream_response(exchange);
        return true;
    case EXCHANGE_GONE: break;
    }
    return false;
}

static enum MHD_Result handle_request(void *context, struct MHD_Connection *connection,
                                      const char *url, const char *method, const char *version,
                                      const char *upload, size_t *upload_size,
                                      void **request_context)
{
    struct api_server *server = context;
    struct exchange *exchange = *request_context;
    (void)version;

    if (exchange == NULL) return begin(server, connection, request_context);
    if (*upload_size > 0) return take_body(exchange, upload, upload_size);
    pthread_mutex_lock(&server->lock);
    struct MHD_Response *response;
    bool stays = proceed(exchange, method, url, &response);
    pthread_mutex_unlock(&server->lock);
    if (response == NULL) return stays ? MHD_YES : MHD_NO;
    return queue(connection, (unsigned)exchange->http_status, response);
}

static void exchange_free(struct exchange *exchange)
{
    if (exchange->response != NULL) MHD_destroy_response(exchange->response);
    if (exchange->stream != NULL) {
        stream_fini(exchange->stream);
        free(exchange->stream);
    }
    buf_fini(&exchange->body);
    free(exchange);
}

static void request_completed(void *context, struct MHD_Connection *connection,
                              void **request_context, enum MHD_RequestTerminationCode code)
{
    struct api_server *server = context;
    struct exchange *exchange = *request_context;
    (void)connection;
    (void)code;
    if (exchange == NULL) return;
    *request_context = NULL;

    pthread_mutex_lock(&server->lock);
    exchange_tell_gone(exchange);
    struct exchange **at = &server->exchanges;
    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    exchange->socket->deadline_ms = api_now_ms() + API_RECEIVE_MS; // for the next request
    api_watch_wake(server);
    pthread_mutex_unlock(&server->lock);
    exchange_free(exchange);
}

static void connection_started(struct api_server *server, struct MHD_Connection *connection,
                               void **socket_context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info != NULL ? info->connect_fd : -1;
    uid_t uid;
    if (fd < 0 || !api_peer_uid(fd, &uid) || uid != geteuid()) {
        log_warn(LOG_API, "client of another user refused", "fd=%d", fd);
        if (fd >= 0) (void)shutdown(fd, SHUT_RDWR);
        return; // no context: its requests are refused, too
    }
    struct api_socket *socket = mem_zalloc(1, sizeof *socket);
    socket->fd = fd;
    socket->deadline_ms = api_now_ms() + API_RECEIVE_MS;
    pthread_mutex_lock(&server->lock);
    socket->next = server->sockets;
    server->sockets = socket;
    api_watch_wake(server);
    pthread_mutex_unlock(&server->lock);
    *socket_context = socket;
}

// Comes before the descriptor is closed, so the watcher never shuts down a number that has been
// given to something else.
static void connection_closed(struct api_server *server, void **socket_context)
{
    struct api_socket *socket = *socket_context;
    if (socket == NULL) return;
    *socket_context = NULL;
    pthread_mutex_lock(&server->lock);
    struct api_socket **at = &server->sockets;
    while (*at != socket)
        at = &(*at)->next;
    *at = socket->next;
    pthread_mutex_unlock(&server->lock);
    free(socket);
}

static void connection_changed(void *context, struct MHD_Connection *connection,
                               void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_started(context, connection, socket_context);
    } else {
        connection_closed(context, socket_context);
    }
}

struct MHD_Daemon *api_serve(struct api_server *server)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(flags, 0, NULL, NULL, handle_request, server, MHD_OPTION_LISTEN_SOCKET,
                            (MHD_socket)server->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)API_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)API_HEADER_BYTES_MAX, MHD_OPTION_NOTIFY_COMPLETED,
                            request_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
                            connection_changed, server, MHD_OPTION_END);
}
