// SPDX-License-Identifier: MIT
//
// The thread in which a backend may block, and what it shares with the caller, behind one mutex.
// Whoever lets go last frees: a thread that hangs in a call (25 s, if the mDNS service hangs) is
// left behind when the agent ends.
#include "discovery/discovery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/thread.h"
#include "discovery/backend_priv.h"

enum {
    RETRY_MS_MIN = 500,
    RETRY_MS_MAX = 15 * 1000, // a service that starts is not told to us
    END_MS = 500,
};

struct hub {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int wake_fds[2]; // ends the thread's sleep
    void (*wake)(void *context);
    void *context;
    bool is_closed;   // by the caller
    bool is_ended;    // the thread
    bool wish_is_new; // for the thread
    bool view_is_new; // for the caller
    bool works;
    struct discovery_wish wish;
    struct places places;
};

struct discovery {
    struct hub *hub;
};

static void lock(struct hub *hub)
{
    CHECK(pthread_mutex_lock(&hub->mutex) == 0);
}

static void unlock(struct hub *hub)
{
    CHECK(pthread_mutex_unlock(&hub->mutex) == 0);
}

static void hub_free(struct hub *hub)
{
    CHECK(pthread_mutex_destroy(&hub->mutex) == 0);
    CHECK(pthread_cond_destroy(&hub->ended) == 0);
    fd_close(&hub->wake_fds[0]);
    fd_close(&hub->wake_fds[1]);
    free(hub);
}

// ---- what the backend tells; the mutex is held by the callers of `changed`

static void changed(struct hub *hub)
{
    bool is_known = hub->view_is_new;
    hub->view_is_new = true;
    if (!is_known && !hub->is_closed) hub->wake(hub->context);
}

void hub_works(struct hub *hub, bool works)
{
    lock(hub);
    if (hub->works != works) {
        log_info(LOG_DISCOVERY, works ? "mDNS works" : "mDNS is away", " ");
        hub->works = works;
        changed(hub);
    }
    unlock(hub);
}

bool hub_found(struct hub *hub, const struct place_key *key, const struct discovery_place *place)
{
    lock(hub);
    enum places_change change = places_put(&hub->places, key, place);
    if (change == PLACES_CHANGED) changed(hub);
    unlock(hub);
    return change != PLACES_FULL;
}

void hub_lost(struct hub *hub, const struct place_key *key)
{
    lock(hub);
    if (places_remove(&hub->places, key)) changed(hub);
    unlock(hub);
}

void hub_stale(struct hub *hub, enum discovery_type type)
{
    lock(hub);
    places_stale(&hub->places, type);
    unlock(hub);
}

void hub_sweep(struct hub *hub, enum discovery_type type)
{
    lock(hub);
    if (places_sweep(&hub->places, type)) changed(hub);
    unlock(hub);
}

// ---- the thread

struct server {
    struct hub *hub;
    struct backend *backend; // NULL: the service is away
    struct discovery_wish wish;
    int64_t retry_ms; // pause until the next try
};

static bool is_idle(const struct discovery_wish *wish)
{
    for (int type = 0; type < DISCOVERY_TYPES; type++)
        if (wish->browse[type] || wish->port[type] != 0) return false;
    return true;
}

// False: the caller has let go.
static bool take_wish(struct server *server, bool *out_new)
{
    uint8_t bytes[64];
    struct hub *hub = server->hub;
    while (read(hub->wake_fds[0], bytes, sizeof bytes) > 0) {
    }
    lock(hub);
    bool goes_on = !hub->is_closed;
    *out_new = hub->wish_is_new;
    if (hub->wish_is_new) server->wish = hub->wish;
    hub->wish_is_new = false;
    unlock(hub);
    return goes_on;
}

static void give_up(struct server *server)
{
    backend_close(&server->backend);
    hub_works(server->hub, false);
    for (int type = 0; type < DISCOVERY_TYPES; type++) {
        hub_stale(server->hub, (enum discovery_type)type);
        hub_sweep(server->hub, (enum discovery_type)type);
    }
}

static void sleep_for(struct server *server, int ms)
{
    struct pollfd item = {.fd = server->hub->wake_fds[0], .events = POLLIN};
    (void)poll(&item, 1, ms);
}

static void serve(struct server *server, bool is_new)
{
    if (is_idle(&server->wish)) {
        if (server->backend != NULL) give_up(server);
        sleep_for(server, -1);
        return;
    }
    if (server->backend == NULL) {
        server->backend = backend_open(server->hub, server->hub->wake_fds[0]);
        is_new = true;
    }
    if (server->backend != NULL) {
        if (is_new) backend_wish(server->backend, &server->wish);
        server->retry_ms = RETRY_MS_MIN;
        if (backend_serve(server->backend)) return;
        give_up(server);
    }
    sleep_for(server, (int)server->retry_ms);
    server->retry_ms *= 2;
    if (server->retry_ms > RETRY_MS_MAX) server->retry_ms = RETRY_MS_MAX;
}

static void *run(void *argument)
{
    struct hub *hub = argument;
    struct server *server = mem_zalloc(1, sizeof *server);
    bool is_new;
    server->hub = hub;
    server->retry_ms = RETRY_MS_MIN;
    while (take_wish(server, &is_new))
        serve(server, is_new);
    backend_close(&server->backend);
    free(server);
    lock(hub);
    hub->is_ended = true;
    bool is_last = hub->is_closed && hub->wake == NULL;
    CHECK(pthread_cond_signal(&hub->ended) == 0);
    unlock(hub);
    if (is_last) hub_free(hub);
    return NULL;
}

// ---- the caller's side

static bool open_wake(struct hub *hub)
{
    if (pipe(hub->wake_fds) != 0) return false;
    for (int i = 0; i < 2; i++) {
        fcntl(hub->wake_fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(hub->wake_fds[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}

static void poke(struct hub *hub)
{
    ssize_t written = write(hub->wake_fds[1], "", 1);
    (void)written; // a full pipe wakes as well
}

struct discovery *discovery_open(void (*wake)(void *context), void *context)
{
    struct hub *hub = mem_zalloc(1, sizeof *hub);
    hub->wake_fds[0] = hub->wake_fds[1] = -1;
    hub->wake = wake;
    hub->context = context;
    CHECK(pthread_mutex_init(&hub->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&hub->ended, NULL) == 0);
    if (!open_wake(hub) || !thread_start_detached(run, hub)) {
        hub_free(hub);
        return NULL;
    }
    struct discovery *discovery = mem_zalloc(1, sizeof *discovery);
    discovery->hub = hub;
    return discovery;
}

void discovery_close(struct discovery **discovery)
{
    struct timespec end = {0};
    if (*discovery == NULL) return;
    struct hub *hub = (*discovery)->hub;
    CHECK(clock_gettime(CLOCK_REALTIME, &end) == 0);
    end.tv_nsec += END_MS * 1000000L;
    end.tv_sec += end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    lock(hub);
    hub->is_closed = true;
    poke(hub);
    int late = 0;
    while (!hub->is_ended && late == 0)
        late = pthread_cond_timedwait(&hub->ended, &hub->mutex, &end);
    bool is_last = hub->is_ended;
    hub->wake = NULL; // the thread frees, if it has not ended
    unlock(hub);
    if (is_last) hub_free(hub);
    free(*discovery);
    *discovery = NULL;
}

void discovery_want(struct discovery *discovery, const struct discovery_wish *wish)
{
    struct hub *hub = discovery->hub;
    lock(hub);
    hub->wish = *wish;
    hub->wish_is_new = true;
    unlock(hub);
    poke(hub);
}

bool discovery_look(struct discovery *discovery, struct discovery_view *out)
{
    struct hub *hub = discovery->hub;
    lock(hub);
    bool is_new = hub->view_is_new;
    hub->view_is_new = false;
    if (is_new) {
        out->works = hub->works;
        out->count = hub->places.count;
        for (uint32_t i = 0; i < hub->places.count; i++)
            out->places[i] = hub->places.entries[i].place;
    }
    unlock(hub);
    return is_new;
}
