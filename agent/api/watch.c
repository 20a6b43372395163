// SPDX-License-Identifier: MIT
//
// agent/api/watch — one poll over the clients that wait for an answer, with the earliest deadline
// of those that are sending a request as its timeout. Sleeps without end when there is neither.
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/api/server_priv.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"

// One more than connections: the pipe. Another few, because a connection counts as free for
// libmicrohttpd a moment before its exchange is.
enum { WATCHED_MAX = 1 + API_CONNECTIONS_MAX + 8 };

struct watched {
    struct pollfd fds[WATCHED_MAX];
    uint64_t numbers[WATCHED_MAX];
    nfds_t count;
    int timeout_ms; // -1: none
};

int64_t api_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void api_watch_wake(struct api_server *server)
{
    (void)!write(server->wake[1], "", 1); // full: it is awake already
}

// Clients that are too slow: an end of file makes libmicrohttpd close the connection.
static void cut_slow(struct api_server *server, struct watched *watched)
{
    int64_t now = api_now_ms();
    for (struct api_socket *at = server->sockets; at != NULL; at = at->next) {
        if (at->deadline_ms == 0) continue;
        int64_t left = at->deadline_ms - now;
        if (left <= 0) {
            (void)shutdown(at->fd, SHUT_RDWR);
            at->deadline_ms = 0;
        } else if (watched->timeout_ms < 0 || left < watched->timeout_ms) {
            watched->timeout_ms = (int)left;
        }
    }
}

static void collect(struct api_server *server, struct watched *watched)
{
    watched->fds[0] = (struct pollfd){.fd = server->wake[0], .events = POLLIN};
    watched->count = 1;
    watched->timeout_ms = -1;
    cut_slow(server, watched);
    for (struct exchange *at = server->exchanges; at != NULL; at = at->next) {
        if (!at->suspended || watched->count == WATCHED_MAX) continue;
        // No events: a hang-up is always reported, and a client that has only closed its sending
        // side still wants its answer.
        watched->fds[watched->count] = (struct pollfd){.fd = at->socket->fd};
        watched->numbers[watched->count++] = at->number;
    }
}

static void hang_up(struct api_server *server, uint64_t number)
{
    struct exchange *at = server->exchanges;
    while (at != NULL && at->number != number)
        at = at->next;
    if (at == NULL || !at->suspended) return;
    exchange_tell_gone(at);
    at->state = EXCHANGE_GONE;
    exchange_resume(at);
}

static void drain(int fd)
{
    char bytes[64];
    while (read(fd, bytes, sizeof bytes) > 0)
        continue;
}

void *api_watch(void *context)
{
    struct api_server *server = context;
    struct watched watched;

    for (;;) {
        pthread_mutex_lock(&server->lock);
        bool closing = server->closing;
        collect(server, &watched);
        pthread_mutex_unlock(&server->lock);
        if (closing) return NULL;

        if (poll(watched.fds, watched.count, watched.timeout_ms) < 0 && errno != EINTR) {
            (void)log_errno(LOG_API, "poll", slice_text("clients"));
            return NULL;
        }
        if (watched.fds[0].revents != 0) drain(watched.fds[0].fd);
        pthread_mutex_lock(&server->lock);
        for (nfds_t i = 1; i < watched.count; i++) {
            if (watched.fds[i].revents != 0) hang_up(server, watched.numbers[i]);
        }
        pthread_mutex_unlock(&server->lock);
    }
}
