// SPDX-License-Identifier: MIT
//
// agent/api/server — opening, closing, and the engine's side: answers and events by number.
//
// Three threads meet here: the engine's (everything in server.h), libmicrohttpd's (serve.c) and the
// watcher's (watch.c). One lock, held for short steps only; the engine never waits for a client.
#include "agent/api/server.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/api/server_priv.h"
#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"

static bool make_pipe(int out[2])
{
    if (pipe(out) != 0) return false;
    for (int i = 0; i < 2; i++) {
        CHECK(fcntl(out[i], F_SETFD, FD_CLOEXEC) == 0);
        CHECK(fcntl(out[i], F_SETFL, O_NONBLOCK) == 0);
    }
    return true;
}

static enum err open_fail(struct fault *fault, const char *what)
{
    *fault = (struct fault){ERR_CONFIG, 0, what};
    return ERR_CONFIG;
}

static void server_free(struct api_server *server)
{
    fd_close(&server->listen_fd);
    fd_close(&server->wake[0]);
    fd_close(&server->wake[1]);
    if (server->path != NULL) (void)unlink(server->path);
    free(server->path);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

enum err api_server_open(const char *socket_path, struct mailbox *inbox, struct api_server **out,
                         struct fault *fault)
{
    int fd = -1;
    enum err err = api_listen(socket_path, &fd, fault);
    if (err) return err;

    struct api_server *server = mem_zalloc(1, sizeof *server);
    CHECK(pthread_mutex_init(&server->lock, NULL) == 0);
    server->inbox = inbox;
    server->listen_fd = fd;
    server->path = mem_strdup(socket_path);
    server->wake[0] = server->wake[1] = -1;
    if (!make_pipe(server->wake) ||
        pthread_create(&server->watcher, NULL, api_watch, server) != 0) {
        server_free(server);
        return open_fail(fault, "no descriptor or thread left for the local API");
    }
    struct MHD_Daemon *daemon = api_serve(server);
    if (daemon == NULL) {
        pthread_mutex_lock(&server->lock);
        server->closing = true;
        api_watch_wake(server);
        pthread_mutex_unlock(&server->lock);
        pthread_join(server->watcher, NULL);
        server->listen_fd = -1; // libmicrohttpd closes what it was given
        server_free(server);
        return open_fail(fault, "the local API cannot be started");
    }
    server->daemon = daemon;
    *out = server;
    return ERR_OK;
}

// Whoever still waits is told that the agent ends.
static void end_all(struct api_server *server)
{
    static const char ending[] =
        "{\"error\": {\"code\": \"ending\", \"message\": \"the agent is ending\", \"exit\": 1}}\n";

    for (struct exchange *at = server->exchanges; at != NULL; at = at->next) {
        if (at->state == EXCHANGE_ASKED) {
            at->response = api_response("application/json", slice_text(ending));
            at->http_status = 503;
            at->state = EXCHANGE_ANSWERED;
        } else if (at->state == EXCHANGE_STREAMING) {
            at->state = EXCHANGE_ENDED;
        }
        exchange_resume(at);
    }
}

// Exchanges that have an answer under way; those still receiving are not waited for.
static bool is_answering(const struct api_server *server)
{
    for (const struct exchange *at = server->exchanges; at != NULL; at = at->next) {
        if (at->state != EXCHANGE_RECEIVING) return true;
    }
    return false;
}

static void wait_answers(struct api_server *server)
{
    const struct timespec nap = {0, 2000000};
    int64_t until = api_now_ms() + API_CLOSE_MS;
    while (is_answering(server) && api_now_ms() < until) {
        pthread_mutex_unlock(&server->lock);
        (void)nanosleep(&nap, NULL);
        pthread_mutex_lock(&server->lock);
    }
}

void api_server_close(struct api_server **out_server)
{
    struct api_server *server = *out_server;
    *out_server = NULL;
    if (server == NULL) return;

    // Nobody new: the descriptor comes back to us and is closed below.
    (void)MHD_quiesce_daemon(server->daemon);
    pthread_mutex_lock(&server->lock);
    server->closing = true;
    end_all(server);
    wait_answers(server);
    api_watch_wake(server);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->watcher, NULL);
    MHD_stop_daemon(server->daemon);
    CHECK(server->exchanges == NULL && server->sockets == NULL);
    server_free(server);
}

void api_request_destroy(struct api_request **request)
{
    if (*request == NULL) return;
    free((*request)->path);
    buf_fini(&(*request)->body);
    free(*request);
    *request = NULL;
}

void exchange_resume(struct exchange *exchange)
{
    if (!exchange->suspended) return;
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
}

void exchange_tell_gone(struct exchange *exchange)
{
    bool waits = exchange->state == EXCHANGE_ASKED || exchange->state == EXCHANGE_STREAMING;
    if (!exchange->was_asked || exchange->told_gone || !waits) return;
    if (exchange->server->closing) return; // the inbox may be gone
    exchange->told_gone = true;
    struct api_request *request = mem_zalloc(1, sizeof *request);
    request->number = exchange->number;
    request->gone = true;
    mailbox_put(exchange->server->inbox, request);
}

// The exchange of this number in the given state, or NULL.
static struct exchange *find(struct api_server *server, uint64_t number, enum exchange_state state)
{
    struct exchange *at = server->exchanges;
    while (at != NULL && at->number != number)
        at = at->next;
    return at != NULL && at->state == state ? at : NULL;
}

void api_answer(struct api_server *server, uint64_t number, int http_status, const char *type,
                struct slice body)
{
    pthread_mutex_lock(&server->lock);
    struct exchange *asked = find(server, number, EXCHANGE_ASKED);
    struct exchange *streaming = find(server, number, EXCHANGE_STREAMING);
    if (asked != NULL) {
        asked->response = api_response(type, body);
        asked->http_status = http_status != 0 ? http_status : 500;
        asked->state = EXCHANGE_ANSWERED;
        exchange_resume(asked);
    } else if (streaming != NULL) {
        streaming->state = EXCHANGE_ENDED;
        exchange_resume(streaming);
    }
    pthread_mutex_unlock(&server->lock);
}

void api_stream(struct api_server *server, uint64_t number)
{
    pthread_mutex_lock(&server->lock);
    struct exchange *exchange = find(server, number, EXCHANGE_ASKED);
    if (exchange != NULL) {
        exchange->stream = mem_alloc(sizeof *exchange->stream);
        stream_init(exchange->stream);
        exchange->state = EXCHANGE_STREAMING;
        exchange_resume(exchange);
    }
    pthread_mutex_unlock(&server->lock);
}

void api_event(struct api_server *server, uint64_t number, const char *event, const char *id,
               struct slice json)
{
    pthread_mutex_lock(&server->lock);
    struct exchange *exchange = find(server, number, EXCHANGE_STREAMING);
    if (exchange != NULL) {
        stream_put(exchange->stream, event, id, json);
        exchange_resume(exchange);
    }
    pthread_mutex_unlock(&server->lock);
}
