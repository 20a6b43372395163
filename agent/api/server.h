// SPDX-License-Identifier: MIT
//
// agent/api/server — HTTP/JSON on a Unix socket (0600, peer uid checked), in a thread of its own.
//
// It knows HTTP and nothing else: a request becomes a struct api_request in the mailbox of the
// engine's thread, which answers it with api_answer (now or later), or, for server-sent events,
// api_event many times. Owns libmicrohttpd. Limits: docs/API.md.
#ifndef AGENT_API_SERVER_H
#define AGENT_API_SERVER_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"
#include "agent/base/mailbox.h"

struct api_server;

enum { API_EVENT_ID_MAX = 48 }; // with the NUL

struct api_request {
    uint64_t number;
    char method[8];                    // "GET", "POST"
    char *path;                        // "/v1/status"
    struct buf body;                   // at most 1 MiB
    char last_event[API_EVENT_ID_MAX]; // id of the last event that the client has got; empty: none
    bool gone; // the client hung up (sent again as a request with this set and the same number):
               // forget it
};

// `socket_path` was checked for length; the lock is held, a leftover file is removed. CONFIG with
// fault->what. Requests arrive in `inbox`, owned by the receiver (api_request_destroy).
enum err api_server_open(const char *socket_path, struct mailbox *inbox, struct api_server **out,
                         struct fault *fault) MUST_USE;
// Whoever waits gets 503, answers under way have a second; removes the socket file. Drain the inbox
// afterwards.
void api_server_close(struct api_server **server);
void api_request_destroy(struct api_request **request);

// From the engine's thread; any number once, unknown numbers are ignored. `type` static:
// "application/json", "text/plain; version=0.0.4".
void api_answer(struct api_server *server, uint64_t number, int http_status, const char *type,
                struct slice body);
// Turns the request into a stream of server-sent events; then each event (an empty name and text: a
// comment line, to keep it alive); api_answer with 0 ends it. `id`: by which the client may say
// what it has got; empty: none.
void api_stream(struct api_server *server, uint64_t number);
void api_event(struct api_server *server, uint64_t number, const char *event, const char *id,
               struct slice json);

// Client side, for the CLI: one request over the socket (libcurl). UNREACHABLE: no agent there.
struct api_watch {
    void (*on_bytes)(void *context, struct slice piece); // instead of a body, as it comes; or NULL
    void (*on_wait)(void *context); // once a second or more often until it ends; or NULL
    void *context;
};
enum err api_call(const char *socket_path, const char *method, const char *path, struct slice body,
                  long timeout_s, int *out_status, struct buf *out_body,
                  const struct api_watch *watch) MUST_USE; // NULL: nobody watches

#endif
