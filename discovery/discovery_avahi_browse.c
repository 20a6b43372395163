// SPDX-License-Identifier: MIT
//
//     NEW -> waiting -> resolver -> found, and it announces something awaited: the resolver stays
//                                   and tells of every change of address
//                                -> found, and it does not: it is freed
//                                -> not found: waiting again, and after some tries resting
//
// avahi tells of a name once, however often it is announced again: who cannot be resolved now,
// since its network is just changing, is asked for as long as the name is there, if ever more
// seldom. A flood of services costs a bounded list. Names that do not resolve soon wait behind
// those that were not tried yet, and make room first.
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <avahi-common/error.h>
#include <avahi-common/timeval.h>

#include "discovery/discovery_avahi_priv.h"
#include "discovery/txt_priv.h"

enum {
    LOOKUPS_OPEN_MAX = 64, // resolvers that have not answered yet
    TICK_MS = 500,
    LOOKUP_TICKS = 4, // for an answer; who is there answers in less than one
    LOOKUP_TRIES = 3, // before it rests
    REST_MS_MIN = 4 * 1000,
    REST_MS_MAX = 128 * 1000,
};

// What is not found again after a new beginning is gone; but only when all of it was asked.
static void settle(struct backend *backend, enum discovery_type type)
{
    if (!backend->searches[type].has_all) return;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        const struct lookup *lookup = &backend->lookups[i];
        bool is_asked = lookup->state == LOOKUP_WAITING ||
                        (lookup->state == LOOKUP_OPEN && lookup->tries <= LOOKUP_TRIES);
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
static void arm(struct backend *backend);
static void lookup_again(struct lookup *lookup);

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
        if (event == AVAHI_RESOLVER_FOUND) {
            lookup_end(lookup);
        } else {
            lookup_again(lookup);
        }
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
        avahi_type_name(lookup->key.type), NULL, lookup->key.protocol, 0, on_resolved, lookup);
    if (lookup->resolver == NULL) {
        // One name that avahi does not like is no reason to give up the others.
        if (avahi_client_errno(backend->client) == AVAHI_ERR_DBUS_ERROR)
            avahi_failed(backend, "resolve");
        *lookup = (struct lookup){0};
        return;
    }
    lookup->state = LOOKUP_OPEN;
    lookup->ticks = 0;
    lookup->tries++;
    if (backend->open_count++ == 0) arm(backend);
}

static void ring_in(struct backend *backend, AvahiTimeout *timer, unsigned ms)
{
    struct timeval due;
    avahi_elapse_time(&due, ms, 0);
    avahi_simple_poll_get(backend->poll)->timeout_update(timer, &due);
}

static void arm(struct backend *backend)
{
    ring_in(backend, backend->tick, TICK_MS);
}

static void rest_arm(struct backend *backend)
{
    if (backend->is_rest_armed) return;
    backend->is_rest_armed = true;
    ring_in(backend, backend->rest, backend->rest_ms);
}

// Opens resolvers for those that wait, as many as may be open at a time, new ones first.
static void pump(struct backend *backend)
{
    for (unsigned tries = 0; tries < LOOKUP_TRIES; tries++) {
        for (size_t i = 0; i < LOOKUPS_MAX && !backend->has_failed; i++) {
            struct lookup *lookup = &backend->lookups[i];
            if (backend->open_count >= LOOKUPS_OPEN_MAX) return;
            if (lookup->state != LOOKUP_WAITING || lookup->tries != tries) continue;
            lookup_open(backend, lookup);
        }
    }
}

// No answer: room for others.
static void lookup_again(struct lookup *lookup)
{
    struct lookup again = {.state = LOOKUP_WAITING,
                           .key = lookup->key,
                           .backend = lookup->backend,
                           .tries = lookup->tries};
    lookup_end(lookup);
    *lookup = again;
    if (again.tries < LOOKUP_TRIES) return;
    lookup->state = LOOKUP_RESTING;
    rest_arm(lookup->backend);
    announce_again(lookup->backend, &again.key);
}

static void on_tick(AvahiTimeout *timeout, void *context)
{
    (void)timeout;
    struct backend *backend = context;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        if (lookup->state == LOOKUP_OPEN && ++lookup->ticks >= LOOKUP_TICKS) lookup_again(lookup);
    }
    if (backend->open_count > 0) arm(backend);
    pump(backend);
    for (int type = 0; type < DISCOVERY_TYPES; type++)
        settle(backend, (enum discovery_type)type);
}

static void on_rest(AvahiTimeout *timeout, void *context)
{
    (void)timeout;
    struct backend *backend = context;
    backend->is_rest_armed = false;
    if (backend->rest_ms < REST_MS_MAX) backend->rest_ms *= 2;
    for (size_t i = 0; i < LOOKUPS_MAX && !backend->has_failed; i++) {
        struct lookup *lookup = &backend->lookups[i];
        if (lookup->state != LOOKUP_RESTING) continue;
        if (backend->open_count < LOOKUPS_OPEN_MAX) lookup_open(backend, lookup);
        if (lookup->state == LOOKUP_RESTING) rest_arm(backend);
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
    struct lookup *room = NULL;
    if (lookup_find(backend, key) != NULL) return;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        bool was_tried = lookup->state == LOOKUP_RESTING ||
                         (lookup->state == LOOKUP_WAITING && lookup->tries > 0);
        if (lookup->state == LOOKUP_NONE || (room == NULL && was_tried)) room = lookup;
        if (lookup->state == LOOKUP_NONE) break;
    }
    if (room == NULL) return;
    *room = (struct lookup){.state = LOOKUP_WAITING, .key = *key, .backend = backend};
    backend->rest_ms = REST_MS_MIN;
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
    case AVAHI_BROWSER_FAILURE: avahi_failed(backend, "browse"); return;
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

void search_begin(struct search *search)
{
    struct backend *backend = search->backend;
    search_end(search);
    if (!backend->wish->browse[search->type]) {
        hub_sweep(backend->hub, search->type);
        return;
    }
    search->browser =
        avahi_service_browser_new(backend->client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                  avahi_type_name(search->type), NULL, 0, on_browsed, search);
    if (search->browser == NULL) avahi_failed(backend, "browse");
}

void lookup_clocks(struct backend *backend)
{
    const AvahiPoll *api = avahi_simple_poll_get(backend->poll);
    backend->tick = api->timeout_new(api, NULL, on_tick, backend);
    backend->rest = api->timeout_new(api, NULL, on_rest, backend);
    backend->rest_ms = REST_MS_MIN;
}
