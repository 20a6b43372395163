// SPDX-License-Identifier: MIT
//
// avahi-client, in discovery's thread. Every call may block for 25 s when avahi-daemon hangs, and
// the client is of no more use once the daemon has gone: it is then made anew by discovery.c.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>

#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "discovery/discovery_avahi_priv.h"
#include "discovery/txt_priv.h"

enum {
    RENAMES_MAX = 5,
    AGAIN_S_MIN = 8, // where nothing answers for what was announced: then ever more seldom
    AGAIN_S_MAX = 3600,
};

bool discovery_built(void)
{
    return true;
}

const char *avahi_type_name(enum discovery_type type)
{
    return type == DISCOVERY_PAIRING ? "_cfgsync-pair._tcp" : "_cfgsync._tcp";
}

void avahi_failed(struct backend *backend, const char *call)
{
    log_debug(LOG_DISCOVERY, "avahi", "call=%s error=\"%s\"", call,
              avahi_strerror(avahi_client_errno(backend->client)));
    backend->has_failed = true;
}

// ---- announcing

static void string_list_free(AvahiStringList **list)
{
    avahi_string_list_free(*list);
}

static AvahiStringList *txt_of(const struct discovery_wish *wish, enum discovery_type type)
{
    AvahiStringList *list = avahi_string_list_new("v=1", NULL);
    const uint8_t *value;
    size_t size;
    if (type != DISCOVERY_AGENT) return list;
    for (unsigned i = 0; (size = txt_value(wish, i, &value)) > 0; i++) {
        char key[] = {'t', (char)('0' + i), '\0'};
        list = avahi_string_list_add_pair_arbitrary(list, key, value, size);
    }
    return list;
}

static void rename_it(struct publication *publication)
{
    char *other = avahi_alternative_service_name(publication->name);
    (void)snprintf(publication->name, sizeof publication->name, "%s", other);
    avahi_free(other);
    publication->renames++;
}

static void announce(struct publication *publication)
{
    struct backend *backend = publication->backend;
    AUTO(string_list_free) AvahiStringList *txt = txt_of(backend->wish, publication->type);
    for (;;) {
        int result = avahi_entry_group_add_service_strlst(
            publication->group, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, 0, publication->name,
            avahi_type_name(publication->type), NULL, NULL, publication->port, txt);
        if (result == AVAHI_ERR_COLLISION && publication->renames < RENAMES_MAX) {
            rename_it(publication);
            continue;
        }
        if (result < 0 || avahi_entry_group_commit(publication->group) < 0) {
            avahi_failed(backend, "announce");
        }
        return;
    }
}

static void on_group(AvahiEntryGroup *group, AvahiEntryGroupState state, void *context)
{
    struct publication *publication = context;
    switch (state) {
    case AVAHI_ENTRY_GROUP_COLLISION:
        if (publication->renames >= RENAMES_MAX) return;
        publication->group = group;
        rename_it(publication);
        announce(publication);
        return;
    case AVAHI_ENTRY_GROUP_FAILURE: avahi_failed(publication->backend, "announce"); return;
    case AVAHI_ENTRY_GROUP_UNCOMMITED:
    case AVAHI_ENTRY_GROUP_REGISTERING:
    case AVAHI_ENTRY_GROUP_ESTABLISHED: return;
    }
}

static void publication_end(struct publication *publication)
{
    if (publication->group != NULL) avahi_entry_group_free(publication->group);
    publication->group = NULL;
}

// The same name and port: nothing has changed, or it would have another name.
static bool is_announced(const struct publication *publication, const char *name, uint16_t port)
{
    return publication->group != NULL && publication->port == port &&
           strcmp(publication->wanted, name) == 0;
}

static void publication_begin(struct publication *publication)
{
    struct backend *backend = publication->backend;
    const char *name = backend->wish->name[publication->type];
    uint16_t port = backend->wish->port[publication->type];
    if (is_announced(publication, name, port)) return;
    publication_end(publication);
    publication->port = port;
    publication->renames = 0;
    (void)snprintf(publication->wanted, sizeof publication->wanted, "%s", name);
    (void)snprintf(publication->name, sizeof publication->name, "%s", name);
    if (port == 0) return;
    publication->group = avahi_entry_group_new(backend->client, on_group, publication);
    if (publication->group == NULL) {
        avahi_failed(backend, "announce");
    } else {
        announce(publication);
    }
}

void announce_again(struct backend *backend, const struct place_key *key)
{
    struct publication *publication = &backend->publications[key->type];
    bool is_ours = publication->group != NULL && strcmp(publication->name, key->name) == 0;
    int64_t now_s = clock_ms(CLOCK_MONOTONIC) / 1000;
    if (!is_ours || now_s < publication->again_s) return;
    int64_t pause_s = publication->pause_s == 0 ? AGAIN_S_MIN : 2 * publication->pause_s;
    publication->pause_s = pause_s < AGAIN_S_MAX ? pause_s : AGAIN_S_MAX;
    publication->again_s = now_s + publication->pause_s;
    log_debug(LOG_DISCOVERY, "announced again", "name=%s", key->name);
    publication_end(publication);
    publication_begin(publication);
}

// ---- the client

static void begin_all(struct backend *backend)
{
    for (int type = 0; type < DISCOVERY_TYPES && !backend->has_failed; type++)
        search_begin(&backend->searches[type]);
    for (int type = 0; type < DISCOVERY_TYPES && !backend->has_failed; type++)
        publication_begin(&backend->publications[type]);
}

static void on_client(AvahiClient *client, AvahiClientState state, void *context)
{
    struct backend *backend = context;
    backend->client = client; // the first call comes from within avahi_client_new
    switch (state) {
    case AVAHI_CLIENT_S_RUNNING:
        if (backend->wish != NULL) begin_all(backend);
        hub_works(backend->hub, !backend->has_failed);
        return;
    case AVAHI_CLIENT_FAILURE: avahi_failed(backend, "client"); return;
    case AVAHI_CLIENT_S_REGISTERING:
    case AVAHI_CLIENT_S_COLLISION:
        for (int type = 0; type < DISCOVERY_TYPES; type++)
            publication_end(&backend->publications[type]);
        return;
    case AVAHI_CLIENT_CONNECTING: return;
    }
}

static void on_wake(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *context)
{
    (void)watch, (void)fd, (void)event;
    struct backend *backend = context;
    backend->is_woken = true;
}

struct backend *backend_open(struct hub *hub, int wake_fd)
{
    struct backend *backend = mem_zalloc(1, sizeof *backend);
    int error = 0;
    backend->hub = hub;
    for (int type = 0; type < DISCOVERY_TYPES; type++) {
        backend->publications[type].backend = backend->searches[type].backend = backend;
        backend->publications[type].type = backend->searches[type].type = (enum discovery_type)type;
    }
    backend->poll = avahi_simple_poll_new();
    if (backend->poll != NULL) {
        const AvahiPoll *api = avahi_simple_poll_get(backend->poll);
        backend->wake = api->watch_new(api, wake_fd, AVAHI_WATCH_IN, on_wake, backend);
        lookup_clocks(backend);
        backend->client = avahi_client_new(api, AVAHI_CLIENT_NO_FAIL, on_client, backend, &error);
    }
    if (backend->client == NULL) {
        log_debug(LOG_DISCOVERY, "avahi", "call=client error=\"%s\"", avahi_strerror(error));
        backend_close(&backend);
    }
    return backend;
}

void backend_close(struct backend **backend)
{
    struct backend *self = *backend;
    if (self == NULL) return;
    // Browsers, groups and resolvers go with it.
    if (self->client != NULL) avahi_client_free(self->client);
    if (self->wake != NULL) avahi_simple_poll_get(self->poll)->watch_free(self->wake);
    if (self->tick != NULL) avahi_simple_poll_get(self->poll)->timeout_free(self->tick);
    if (self->rest != NULL) avahi_simple_poll_get(self->poll)->timeout_free(self->rest);
    if (self->poll != NULL) avahi_simple_poll_free(self->poll);
    free(self);
    *backend = NULL;
}

void backend_wish(struct backend *backend, const struct discovery_wish *wish)
{
    backend->wish = wish;
    if (backend->has_failed) return;
    if (avahi_client_get_state(backend->client) == AVAHI_CLIENT_S_RUNNING) begin_all(backend);
}

bool backend_serve(struct backend *backend)
{
    backend->is_woken = false;
    while (!backend->is_woken && !backend->has_failed) {
        if (avahi_simple_poll_iterate(backend->poll, -1) != 0) return false;
    }
    return !backend->has_failed;
}
