// SPDX-License-Identifier: MIT
//
// dns_sd.h: macOS, and by avahi's compatibility library, which the tests run, Linux.
//
//     browse NEW -> waiting -> resolve: host, port, TXT -> announces something awaited: A and AAAA
//                                       records of the host are asked for as long as it is there
//                                    -> else it is dropped
//
// Every question has a descriptor of its own. What ends is marked in the callbacks and freed after
// them.
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dns_sd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "discovery/backend_priv.h"
#include "discovery/txt_priv.h"

enum {
    LOOKUPS_OPEN_MAX = 16,
    LOOKUPS_MAX = 256,
    TICK_MS = 500,
    LOOKUP_TICKS = 6,
    RECORD_A = 1,
    RECORD_AAAA = 28,
    CLASS_IN = 1,
    REFS_MAX = 2 * DISCOVERY_TYPES + LOOKUPS_OPEN_MAX + 3 * DISCOVERY_PLACES_MAX,
};

enum lookup_state { LOOKUP_NONE, LOOKUP_WAITING, LOOKUP_OPEN, LOOKUP_KEPT, LOOKUP_ENDED };

enum { REF_RESOLVE, REF_A, REF_AAAA, LOOKUP_REFS };

// Which of a service's addresses a place is.
enum family { FAMILY_4, FAMILY_6, FAMILY_6_LINK, FAMILIES };

struct lookup {
    enum lookup_state state;
    struct place_key key;
    struct backend *backend;
    DNSServiceRef refs[LOOKUP_REFS];
    struct discovery_place place; // KEPT: all but the address
    uint8_t addresses[FAMILIES][16];
    uint16_t port;
    unsigned ticks; // OPEN: since when
};

struct search {
    DNSServiceRef ref;
    struct backend *backend;
    enum discovery_type type;
};

struct backend {
    struct hub *hub;
    int wake_fd;
    bool has_failed;
    const struct discovery_wish *wish;
    char names[DISCOVERY_TYPES][DISCOVERY_NAME_MAX + 1]; // announced
    uint16_t ports[DISCOVERY_TYPES];
    DNSServiceRef publications[DISCOVERY_TYPES];
    struct search searches[DISCOVERY_TYPES];
    uint32_t open_count;
    uint32_t kept_count;
    struct lookup lookups[LOOKUPS_MAX];
};

static const char *const type_names[DISCOVERY_TYPES] = {"_cfgsync._tcp", "_cfgsync-pair._tcp"};

bool discovery_built(void)
{
    return true;
}

static void ref_end(DNSServiceRef *ref)
{
    if (*ref != NULL) DNSServiceRefDeallocate(*ref);
    *ref = NULL;
}

static bool went_well(struct backend *backend, DNSServiceErrorType error, const char *call)
{
    if (error == kDNSServiceErr_NoError) return true;
    log_debug(LOG_DISCOVERY, "dns_sd", "call=%s error=%d", call, (int)error);
    backend->has_failed = true;
    return false;
}

// ---- a service

static void tell_lost(struct lookup *lookup, enum family family)
{
    struct place_key key = lookup->key;
    key.protocol = (int)family;
    hub_lost(lookup->backend->hub, &key);
}

static void lookup_end(struct lookup *lookup)
{
    struct backend *backend = lookup->backend;
    if (lookup->state == LOOKUP_OPEN) backend->open_count--;
    if (lookup->state == LOOKUP_KEPT) backend->kept_count--;
    for (int family = 0; family < FAMILIES; family++)
        tell_lost(lookup, (enum family)family);
    lookup->state = LOOKUP_ENDED;
}

static void lookup_free(struct lookup *lookup)
{
    // Questions before the connection they may share.
    for (int ref = LOOKUP_REFS; ref-- > 0;)
        ref_end(&lookup->refs[ref]);
    *lookup = (struct lookup){0};
}

static bool write_address(enum family family, uint32_t interface, const void *data, uint16_t port,
                          char out[DISCOVERY_ADDRESS_BYTES])
{
    char text[INET6_ADDRSTRLEN];
    char link[IF_NAMESIZE] = "";
    bool is_six = family != FAMILY_4;
    if (inet_ntop(is_six ? AF_INET6 : AF_INET, data, text, sizeof text) == NULL) return false;
    if (family == FAMILY_6_LINK && if_indextoname(interface, link) == NULL) return false;
    int size = snprintf(out, DISCOVERY_ADDRESS_BYTES, "tcp://%s%s%s%s%s:%u", is_six ? "[" : "",
                        text, *link != '\0' ? "%" : "", link, is_six ? "]" : "", (unsigned)port);
    return size > 0 && size < DISCOVERY_ADDRESS_BYTES;
}

static void DNSSD_API on_record(DNSServiceRef ref, DNSServiceFlags flags, uint32_t interface,
                                DNSServiceErrorType error, const char *name, uint16_t type,
                                uint16_t class, uint16_t size, const void *data, uint32_t ttl,
                                void *context)
{
    (void)ref, (void)name, (void)class, (void)ttl;
    struct lookup *lookup = context;
    if (error != kDNSServiceErr_NoError || lookup->state != LOOKUP_KEPT) return;
    const uint8_t *bytes = data;
    bool is_six = type == RECORD_AAAA;
    if (size != (is_six ? 16 : 4)) return;
    bool is_link = is_six && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    enum family family = is_link ? FAMILY_6_LINK : is_six ? FAMILY_6 : FAMILY_4;
    struct discovery_place place = lookup->place;
    struct place_key key = lookup->key;
    key.protocol = (int)family;
    if ((flags & kDNSServiceFlagsAdd) == 0) {
        // The old one of two may go after the new one has come.
        if (memcmp(lookup->addresses[family], bytes, size) == 0) tell_lost(lookup, family);
        return;
    }
    memcpy(lookup->addresses[family], bytes, size);
    if (write_address(family, interface, data, lookup->port, place.address)) {
        (void)hub_found(lookup->backend->hub, &key, &place);
    }
}

static bool is_meant(const struct backend *backend, const uint8_t *txt, uint16_t size,
                     struct discovery_place *place)
{
    if (place->type == DISCOVERY_PAIRING) return true;
    for (size_t at = 0; at < size && at + 1 + txt[at] <= size; at += 1U + txt[at])
        if (txt_awaited(backend->wish, txt + at + 1, txt[at], &place->tag)) return true;
    return false;
}

static void write_host(const char *host, char out[DISCOVERY_HOST_MAX + 1])
{
    size_t size = 0;
    for (; host[size] != '\0' && size < DISCOVERY_HOST_MAX; size++)
        out[size] = host[size] > ' ' && host[size] < 0x7f ? host[size] : '?';
    while (size > 0 && out[size - 1] == '.')
        size--;
    out[size] = '\0';
}

static bool ask_addresses(struct lookup *lookup, uint32_t interface, const char *host)
{
    static const uint16_t types[LOOKUP_REFS] = {[REF_A] = RECORD_A, [REF_AAAA] = RECORD_AAAA};
    for (int ref = REF_A; ref <= REF_AAAA; ref++) {
        ref_end(&lookup->refs[ref]);
        DNSServiceErrorType error = DNSServiceQueryRecord(&lookup->refs[ref], 0, interface, host,
                                                          types[ref], CLASS_IN, on_record, lookup);
        if (!went_well(lookup->backend, error, "query")) return false;
    }
    return true;
}

static void DNSSD_API on_resolved(DNSServiceRef ref, DNSServiceFlags flags, uint32_t interface,
                                  DNSServiceErrorType error, const char *name, const char *host,
                                  uint16_t port, uint16_t txt_size, const unsigned char *txt,
                                  void *context)
{
    (void)ref, (void)flags, (void)name;
    struct lookup *lookup = context;
    struct backend *backend = lookup->backend;
    struct discovery_place place = {.type = lookup->key.type};
    if (lookup->state != LOOKUP_OPEN && lookup->state != LOOKUP_KEPT) return;
    bool is_first = lookup->state == LOOKUP_OPEN;
    bool is_kept = error == kDNSServiceErr_NoError && port != 0 &&
                   is_meant(backend, txt, txt_size, &place) &&
                   (!is_first || backend->kept_count < DISCOVERY_PLACES_MAX);
    if (!is_kept) {
        lookup_end(lookup);
        return;
    }
    write_host(host, place.host);
    memcpy(place.name, lookup->key.name, sizeof place.name);
    lookup->place = place;
    lookup->port = ntohs(port);
    if (is_first) {
        lookup->state = LOOKUP_KEPT;
        backend->open_count--;
        backend->kept_count++;
    }
    (void)ask_addresses(lookup, interface, host);
}

static void lookup_open(struct lookup *lookup)
{
    struct backend *backend = lookup->backend;
    lookup->state = LOOKUP_OPEN;
    lookup->ticks = 0;
    backend->open_count++;
    DNSServiceErrorType error = DNSServiceResolve(
        &lookup->refs[REF_RESOLVE], 0, (uint32_t)lookup->key.interface, lookup->key.name,
        type_names[lookup->key.type], "local", on_resolved, lookup);
    if (error != kDNSServiceErr_NoError) lookup_end(lookup);
}

// ---- what there is

static struct lookup *lookup_find(struct backend *backend, const struct place_key *key)
{
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        bool is_there = lookup->state != LOOKUP_NONE && lookup->state != LOOKUP_ENDED;
        if (is_there && place_key_same(&lookup->key, key)) return lookup;
    }
    return NULL;
}

static bool is_own(const struct backend *backend, const struct place_key *key)
{
    return backend->publications[key->type] != NULL &&
           strcmp(backend->names[key->type], key->name) == 0;
}

static void lookup_add(struct backend *backend, const struct place_key *key)
{
    if (is_own(backend, key) || lookup_find(backend, key) != NULL) return;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        if (lookup->state != LOOKUP_NONE) continue;
        *lookup = (struct lookup){.state = LOOKUP_WAITING, .key = *key, .backend = backend};
        return;
    }
}

static void DNSSD_API on_browsed(DNSServiceRef ref, DNSServiceFlags flags, uint32_t interface,
                                 DNSServiceErrorType error, const char *name, const char *type,
                                 const char *domain, void *context)
{
    (void)ref, (void)type, (void)domain;
    struct search *search = context;
    struct backend *backend = search->backend;
    if (!went_well(backend, error, "browse")) return;
    struct place_key key = {.type = search->type, .interface = (int)interface};
    if (strlen(name) > DISCOVERY_NAME_MAX) return;
    memcpy(key.name, name, strlen(name) + 1);
    struct lookup *known = lookup_find(backend, &key);
    if ((flags & kDNSServiceFlagsAdd) != 0) {
        lookup_add(backend, &key);
    } else if (known != NULL) {
        lookup_end(known);
    }
}

static void search_begin(struct search *search)
{
    struct backend *backend = search->backend;
    ref_end(&search->ref);
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        if (lookup->state == LOOKUP_NONE || lookup->key.type != search->type) continue;
        if (lookup->state != LOOKUP_ENDED) lookup_end(lookup);
        lookup_free(lookup);
    }
    if (!backend->wish->browse[search->type]) return;
    (void)went_well(backend,
                    DNSServiceBrowse(&search->ref, 0, kDNSServiceInterfaceIndexAny,
                                     type_names[search->type], "local", on_browsed, search),
                    "browse");
}

// ---- announcing

static void DNSSD_API on_registered(DNSServiceRef ref, DNSServiceFlags flags,
                                    DNSServiceErrorType error, const char *name, const char *type,
                                    const char *domain, void *context)
{
    (void)ref, (void)flags, (void)name, (void)type, (void)domain;
    (void)went_well(context, error, "register");
}

static void write_txt(const struct discovery_wish *wish, enum discovery_type type,
                      TXTRecordRef *out)
{
    const uint8_t *value;
    size_t size;
    TXTRecordCreate(out, 0, NULL);
    CHECK(TXTRecordSetValue(out, "v", 1, "1") == kDNSServiceErr_NoError);
    if (type != DISCOVERY_AGENT) return;
    for (unsigned i = 0; (size = txt_value(wish, i, &value)) > 0; i++) {
        char key[] = {'t', (char)('0' + i), '\0'};
        CHECK(TXTRecordSetValue(out, key, (uint8_t)size, value) == kDNSServiceErr_NoError);
    }
}

static void publication_begin(struct backend *backend, enum discovery_type type)
{
    DNSServiceRef *ref = &backend->publications[type];
    const char *name = backend->wish->name[type];
    uint16_t port = backend->wish->port[type];
    TXTRecordRef txt;
    if (*ref != NULL && backend->ports[type] == port && strcmp(backend->names[type], name) == 0) {
        return;
    }
    ref_end(ref);
    backend->ports[type] = port;
    (void)snprintf(backend->names[type], sizeof backend->names[type], "%s", name);
    if (port == 0) return;
    write_txt(backend->wish, type, &txt);
    (void)went_well(backend,
                    DNSServiceRegister(ref, 0, kDNSServiceInterfaceIndexAny, name, type_names[type],
                                       NULL, NULL, htons(port), TXTRecordGetLength(&txt),
                                       TXTRecordGetBytesPtr(&txt), on_registered, backend),
                    "register");
    TXTRecordDeallocate(&txt);
}

// ---- the backend

struct backend *backend_open(struct hub *hub, int wake_fd)
{
    struct backend *backend = mem_zalloc(1, sizeof *backend);
    backend->hub = hub;
    backend->wake_fd = wake_fd;
    for (int type = 0; type < DISCOVERY_TYPES; type++) {
        backend->searches[type].backend = backend;
        backend->searches[type].type = (enum discovery_type)type;
    }
    return backend;
}

void backend_close(struct backend **backend)
{
    struct backend *self = *backend;
    if (self == NULL) return;
    for (size_t i = 0; i < LOOKUPS_MAX; i++)
        lookup_free(&self->lookups[i]);
    for (int type = 0; type < DISCOVERY_TYPES; type++) {
        ref_end(&self->searches[type].ref);
        ref_end(&self->publications[type]);
    }
    free(self);
    *backend = NULL;
}

void backend_wish(struct backend *backend, const struct discovery_wish *wish)
{
    backend->wish = wish;
    for (int type = 0; type < DISCOVERY_TYPES && !backend->has_failed; type++) {
        publication_begin(backend, (enum discovery_type)type);
        search_begin(&backend->searches[type]);
    }
    hub_works(backend->hub, !backend->has_failed);
}

// Frees what has ended, opens what waits, and looks at the clock.
static void tidy(struct backend *backend, bool is_tick)
{
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &backend->lookups[i];
        bool is_late = is_tick && lookup->state == LOOKUP_OPEN && ++lookup->ticks >= LOOKUP_TICKS;
        if (is_late) lookup_end(lookup);
        if (lookup->state == LOOKUP_ENDED) lookup_free(lookup);
    }
    for (size_t i = 0; i < LOOKUPS_MAX && backend->open_count < LOOKUPS_OPEN_MAX; i++) {
        if (backend->lookups[i].state == LOOKUP_WAITING) lookup_open(&backend->lookups[i]);
    }
}

struct watched {
    uint32_t count;
    struct pollfd items[REFS_MAX + 1];
    DNSServiceRef *refs[REFS_MAX + 1];
    DNSServiceRef were[REFS_MAX + 1]; // *refs[i], when the items were made
};

static void watch(struct watched *watched, DNSServiceRef *ref)
{
    if (*ref == NULL || watched->count == REFS_MAX) return;
    watched->refs[watched->count] = ref;
    watched->were[watched->count] = *ref;
    watched->items[watched->count++] =
        (struct pollfd){.fd = DNSServiceRefSockFD(*ref), .events = POLLIN};
}

static void watch_all(struct backend *backend, struct watched *watched)
{
    watched->count = 0;
    for (int type = 0; type < DISCOVERY_TYPES; type++) {
        watch(watched, &backend->publications[type]);
        watch(watched, &backend->searches[type].ref);
    }
    for (size_t i = 0; i < LOOKUPS_MAX; i++)
        for (int ref = 0; ref < LOOKUP_REFS; ref++)
            watch(watched, &backend->lookups[i].refs[ref]);
    watched->items[watched->count] = (struct pollfd){.fd = backend->wake_fd, .events = POLLIN};
}

bool backend_serve(struct backend *backend)
{
    struct watched *watched = mem_zalloc(1, sizeof *watched);
    bool is_woken = false;
    while (!is_woken && !backend->has_failed) {
        watch_all(backend, watched);
        int ready =
            poll(watched->items, watched->count + 1, backend->open_count > 0 ? TICK_MS : -1);
        for (uint32_t i = 0; i < watched->count && ready > 0; i++) {
            DNSServiceRef ref = *watched->refs[i];
            // A callback may have asked anew, and reading an answer that is not there blocks.
            if (watched->items[i].revents == 0 || ref != watched->were[i]) continue;
            (void)went_well(backend, DNSServiceProcessResult(ref), "result");
        }
        is_woken = watched->items[watched->count].revents != 0;
        tidy(backend, ready == 0);
    }
    free(watched);
    return !backend->has_failed;
}
