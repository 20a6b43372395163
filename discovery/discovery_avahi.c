// SPDX-License-Identifier: MIT
//
// avahi-client, in discovery's thread. Every call may block for 25 s when avahi-daemon hangs, and
// the client is of no more use once the daemon has gone: it is then made anew by discovery.c.
//
//     NEW -> waiting -> resolver -> found, and it announces something awaited: the resolver stays
//                                   and tells of every change of address
//                                -> else it is freed
//
// A flood of services costs a bounded list, and what finds no room in it is not looked at.
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/simple-watch.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "discovery/backend_priv.h"
#include "discovery/txt_priv.h"

enum {
    LOOKUPS_OPEN_MAX = 32, // resolvers that have not answered yet
    LOOKUPS_MAX = 512,     // with those that wait and those that stay
    RENAMES_MAX = 5,
};

enum lookup_state { LOOKUP_NONE, LOOKUP_WAITING, LOOKUP_OPEN, LOOKUP_KEPT };

struct lookup {
    enum lookup_state state;
    struct place_key key;
    struct backend *backend;
    AvahiServiceResolver *resolver; // OPEN, KEPT
};

struct publication {
    AvahiEntryGroup *group;
    char wanted[DISCOVERY_NAME_MAX + 1];
    char name[DISCOVERY_NAME_MAX + 1]; // another one if that was taken
    uint16_t port;
    unsigned renames;
    struct backend *backend;
    enum discovery_type type;
};

struct search {
    AvahiServiceBrowser *browser;
    bool has_all; // what was there at the beginning
    struct backend *backend;
    enum discovery_type type;
};

struct backend {
    struct hub *hub;
    AvahiSimplePoll *poll;
    AvahiWatch *wake;
    AvahiClient *client;
    bool is_woken;
    bool has_failed;
    const struct discovery_wish *wish;
    struct publication publications[DISCOVERY_TYPES];
    struct search searches[DISCOVERY_TYPES];
    uint32_t open_count;
    struct lookup lookups[LOOKUPS_MAX];
};

static const char *const type_names[DISCOVERY_TYPES] = {"_cfgsync._tcp", "_cfgsync-pair._tcp"};

bool discovery_built(void)
{
    return true;
}

static void fail(struct backend *backend, const char *call)
{
    log_debug(LOG_DISCOVERY, "avahi", "call=%s error=\"%s\"", call,
              avahi_strerror(avahi_client_errno(backend->client)));
    backend->has_failed = true;
}

// ---- looking

// What is not found again after a new beginning is gone; but only when all of it was asked.
static void settle(struct backend *backend, enum discovery_type type)
{
    if (!backend->searches[type].has_all) return;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        const struct lookup *lookup = &backend->lookups[i];
        bool is_asked = lookup->state == LOOKUP_WAITING || lookup->state == LOOKUP_OPEN;
        if (is_asked && lookup->key.type == type) return;
    }
    hub_sweep(backend->hub, type);
}

static void lookup_end(struct lookup *lookup)
{
    if (lookup->resolver != NULL) avahi_service_resolver_free(lookup->resolver);
    if (lookup->state == LOOKUP_OPEN) lookup->backend->open_count--;
    *lookup = (struct lookup){0};
}

// False: nobody we wait for.
static bool is_meant(const struct backend *backend, AvahiStringList *txt,
                     struct discovery_place *place)
{
    if (place->type == DISCOVERY_PAIRING) return true;
    for (; txt != NULL; txt = avahi_string_list_get_next(txt)) {
        if (txt_awaited(backend->wish, avahi_string_list_get_text(txt),
                        avahi_string_list_get_size(txt), &place->tag)) {
            return true;
        }
    }
    return false;
}

static void write_host(const char *host, char out[DISCOVERY_HOST_MAX + 1])
{
    size_t size = 0;
    for (; host[size] != '\0' && size < DISCOVERY_HOST_MAX; size++)
        out[size] = host[size] > ' ' && host[size] < 0x7f ? host[size] : '?';
    out[size] = '\0';
}

static bool write_address(AvahiIfIndex interface, const AvahiAddress *address, uint16_t port,
                          char out[DISCOVERY_ADDRESS_BYTES])
{
    char text[AVAHI_ADDRESS_STR_MAX];
    char link[IF_NAMESIZE] = "";
    if (port == 0 || avahi_address_snprint(text, sizeof text, address) == NULL) return false;
    bool is_six = address->proto == AVAHI_PROTO_INET6;
    const uint8_t *six = address->data.ipv6.address;
    bool is_link = is_six && six[0] == 0xfe && (six[1] & 0xc0) == 0x80;
    if (is_link && if_indextoname((unsigned)interface, link) == NULL) return false;
    int size = snprintf(out, DISCOVERY_ADDRESS_BYTES, "tcp://%s%s%s%s%s:%u", is_six ? "[" : "",
                        text, is_link ? "%" : "", link, is_six ? "]" : "", (unsigned)port);
    return size > 0 && size < DISCOVERY_ADDRESS_BYTES;
}

static void pump(struct backend *backend);

static void on_resolved(AvahiServiceResolver *resolver, AvahiIfIndex interface,
                        AvahiProtocol protocol, AvahiResolverEvent event, const char *name,
                        const char *type, const char *domain, const char *host,
                        const AvahiAddress *address, uint16_t port, AvahiStringList *txt,
                        AvahiLookupResultFlags flags, void *context)
{
    (void)resolver, (void)protocol, (void)name, (void)type, (void)domain;
    struct lookup *lookup = context;
    struct backend *backend = lookup->backend;
    struct discovery_place place = {.type = lookup->key.type};
    bool is_kept = event == AVAHI_RESOLVER_FOUND && (flags & AVAHI_LOOKUP_RESULT_OUR_OWN) == 0 &&
                   is_meant(backend, txt, &place) &&
                   write_address(interface, address, port, place.address);
    if (is_kept) {
        write_host(host, place.host);
        memcpy(place.name, lookup->key.name, sizeof place.name);
        is_kept = hub_found(backend->hub, &lookup->key, &place);
    }
    if (!is_kept) {
        hub_lost(backend->hub, &lookup->key);
        lookup_end(lookup);
    } else if (lookup->state == LOOKUP_OPEN) {
        lookup->state = LOOKUP_KEPT;
        backend->open_count--;
    }
    pump(backend);
    settle(backend, place.type);
}

static void lookup_open(struct backend *backend, struct lookup *lookup)
{
    lookup->resolver = avahi_service_resolver_new(
        backend->client, lookup->key.interface, lookup->key.protocol, lookup->key.name,
        type_names[lookup->key.type], NULL, lookup->key.protocol, 0, on_resolved, lookup);
    if (lookup->resolver == NULL) {
        // One name that avahi does not like is no reason to give up the others.
        if (avahi_client_errno(backend->client) == AVAHI_ERR_DBUS_ERROR) fail(backend, "resolve");
        *lookup = (struct lookup){0};
        return;
    }
    lookup->state = LOOKUP_OPEN;
    backend->open_count++;
}

// Opens resolvers for those that wait, as many as may be open at a time.
static void pump(struct backend *backend)
{
    for (size_t i = 0; i < LOOKUPS_MAX && !backend->has_failed; i++) {
        if (backend->open_count >= LOOKUPS_OPEN_MAX) return;
        if (backend->lookups[i].state == LOOKUP_WAITING) {
            lookup_open(backend, &backend->lookups[i]);
        }
    }
}

static struct lookup *lookup_find(struct backend *backend, const struct place_key *key)
{
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        if (lookup->state != LOOKUP_NONE && place_key_same(&lookup->key, key)) return lookup;
    }
    return NULL;
}

static void lookup_add(struct backend *backend, const struct place_key *key)
{
    if (lookup_find(backend, key) != NULL) return;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        if (lookup->state != LOOKUP_NONE) continue;
        *lookup = (struct lookup){.state = LOOKUP_WAITING, .key = *key, .backend = backend};
        return;
    }
}

static void lookup_remove(struct backend *backend, const struct place_key *key)
{
    struct lookup *lookup = lookup_find(backend, key);
    if (lookup != NULL) lookup_end(lookup);
    hub_lost(backend->hub, key);
}

static void on_browsed(AvahiServiceBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol,
                       AvahiBrowserEvent event, const char *name, const char *type,
                       const char *domain, AvahiLookupResultFlags flags, void *context)
{
    (void)browser, (void)type, (void)domain, (void)flags;
    struct search *search = context;
    struct backend *backend = search->backend;
    struct place_key key = {.type = search->type, .interface = interface, .protocol = protocol};
    bool is_named = name != NULL && strlen(name) <= DISCOVERY_NAME_MAX;
    if (is_named) memcpy(key.name, name, strlen(name) + 1);
    switch (event) {
    case AVAHI_BROWSER_NEW:
        if (is_named) lookup_add(backend, &key);
        break;
    case AVAHI_BROWSER_REMOVE:
        if (is_named) lookup_remove(backend, &key);
        break;
    case AVAHI_BROWSER_ALL_FOR_NOW: search->has_all = true; break;
    case AVAHI_BROWSER_FAILURE: fail(backend, "browse"); return;
    case AVAHI_BROWSER_CACHE_EXHAUSTED: break;
    }
    pump(backend);
    settle(backend, search->type);
}

static void search_end(struct search *search)
{
    struct backend *backend = search->backend;
    if (search->browser != NULL) avahi_service_browser_free(search->browser);
    search->browser = NULL;
    search->has_all = false;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        if (lookup->state != LOOKUP_NONE && lookup->key.type == search->type) lookup_end(lookup);
    }
    hub_stale(backend->hub, search->type);
}

// Always anew: what is awaited may have changed, and avahi tells again what it knows.
static void search_begin(struct search *search)
{
    struct backend *backend = search->backend;
    search_end(search);
    if (!backend->wish->browse[search->type]) {
        hub_sweep(backend->hub, search->type);
        return;
    }
    search->browser =
        avahi_service_browser_new(backend->client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                  type_names[search->type], NULL, 0, on_browsed, search);
    if (search->browser == NULL) fail(backend, "browse");
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
            type_names[publication->type], NULL, NULL, publication->port, txt);
        if (result == AVAHI_ERR_COLLISION && publication->renames < RENAMES_MAX) {
            rename_it(publication);
            continue;
        }
        if (result < 0 || avahi_entry_group_commit(publication->group) < 0) {
            fail(backend, "announce");
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
    case AVAHI_ENTRY_GROUP_FAILURE: fail(publication->backend, "announce"); return;
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
        fail(backend, "announce");
    } else {
        announce(publication);
    }
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
    case AVAHI_CLIENT_FAILURE: fail(backend, "client"); return;
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
