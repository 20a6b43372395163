// SPDX-License-Identifier: MIT
//
// What discovery is asked for (tags of today's peers, a pairing that is open), and what is done
// with what it shows. Tags change with the day and with the peers, and then the announced name
// does, too.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/names_priv.h"
#include "agent/daemon/nearby_priv.h"
#include "agent/daemon/pairing_priv.h"
#include "crypto/hash.h"
#include "crypto/tag.h"
#include "discovery/discovery.h"
#include "proto/vv.h"

_Static_assert(sizeof(struct discovery_tag) == sizeof(struct tag), "tags");

enum {
    DAYS = 3,      // the others' clocks may be a day off
    TAGS_STEP = 8, // how many are announced tells no more than this about the number of peers
    // Changes are dialled at once, a few of them; then one in so many ms, so that nobody can keep
    // us from dialling by announcing all the time.
    CHANGE_MS = 10 * 1000,
    CHANGES_MAX = 5,
    FIND_MS = 3000,      // to find whoever offers to pair
    FIND_MORE_MS = 1000, // after the first one, and for mDNS to answer at all
};

struct sighting {
    struct device_id device;
    char address[DISCOVERY_ADDRESS_BYTES];
    bool is_gone;
    bool is_used; // connected
};

struct nearby {
    struct discovery *discovery; // NULL: off
    struct discovery_view view;
    struct discovery_wish wish;
    struct device_id awaited[DISCOVERY_AWAITED_MAX]; // whose the tags of the wish are
    bool peers_changed;
    uint64_t day;
    bool is_changed; // sightings that are not dialled yet
    int64_t change_credit_ms;
    int64_t credited_ms;
    uint32_t sighting_count;
    struct sighting sightings[DISCOVERY_PLACES_MAX];
    uint64_t find_request; // 0: nobody looks for an offer
    int64_t find_due_ms;
    bool find_more; // the first one was seen
};

void nearby_start(struct agent *agent)
{
    struct nearby *nearby = mem_zalloc(1, sizeof *nearby);
    agent->nearby = nearby;
    nearby->peers_changed = true;
    nearby->change_credit_ms = CHANGES_MAX * CHANGE_MS;
    nearby->credited_ms = agent->now_ms;
    if (!agent->config.discovery || !discovery_built()) return;
    nearby->discovery = discovery_open(wake_up, &agent->wake);
    if (nearby->discovery == NULL) {
        log_warn(LOG_DAEMON, "no discovery", "error=\"no threads or descriptors left\"");
    }
}

void nearby_end(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    if (nearby == NULL) return;
    if (nearby->find_request != 0) {
        control_refuse(agent, nearby->find_request, REFUSE_ENDING, NULL, "the agent is ending");
    }
    discovery_close(&nearby->discovery);
    free(nearby);
    agent->nearby = NULL;
}

void nearby_peers_changed(struct agent *agent)
{
    if (agent->nearby != NULL) agent->nearby->peers_changed = true;
}

// ---- what is asked for

static bool is_loopback(const char *endpoint)
{
    return strncmp(endpoint, "tcp://127.", 10) == 0 || strncmp(endpoint, "tcp://[::1]:", 12) == 0 ||
           strncmp(endpoint, "tcp://localhost:", 16) == 0;
}

// 0: others cannot get there.
static uint16_t port_of(const char *const *endpoints, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *colon = strrchr(endpoints[i], ':');
        if (colon != NULL && !is_loopback(endpoints[i]))
            return (uint16_t)strtoul(colon + 1, NULL, 10);
    }
    return 0;
}

static void draw_name(char out[DISCOVERY_NAME_MAX + 1])
{
    uint8_t chance[10];
    char text[17];
    crypto_random(chance, sizeof chance);
    base32_lower(chance, sizeof chance, text, sizeof text);
    (void)snprintf(out, DISCOVERY_NAME_MAX + 1, "cfgsync-%s", text);
}

static int compare_tags(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct discovery_tag));
}

// Tags of nobody fill it up; in the order of their values none tells whose it is.
static void announce(struct agent *agent, const struct registry_peer *peers, uint32_t count)
{
    const char *const *endpoints;
    struct discovery_wish *wish = &agent->nearby->wish;
    uint32_t endpoint_count = net_endpoints(agent->net, &endpoints);
    uint32_t used = 0;
    for (uint32_t i = 0; i < count && used < DISCOVERY_ANNOUNCED_MAX; i++) {
        struct tag tag;
        if (!tag_announced(agent->identity, peers[i].device, agent->nearby->day, &tag)) continue;
        memcpy(wish->announced[used++].bytes, tag.bytes, sizeof tag.bytes);
    }
    for (; used % TAGS_STEP != 0; used++)
        crypto_random(wish->announced[used].bytes, sizeof wish->announced[used].bytes);
    qsort(wish->announced, used, sizeof wish->announced[0], compare_tags);
    wish->announced_count = used;
    wish->port[DISCOVERY_AGENT] = used > 0 ? port_of(endpoints, endpoint_count) : 0;
    draw_name(wish->name[DISCOVERY_AGENT]);
}

static void await(struct agent *agent, const struct registry_peer *peers, uint32_t count)
{
    struct nearby *nearby = agent->nearby;
    struct discovery_wish *wish = &nearby->wish;
    wish->awaited_count = 0;
    for (uint32_t i = 0; i < count * DAYS && wish->awaited_count < DISCOVERY_AWAITED_MAX; i++) {
        struct tag tag;
        struct device_id device = peers[i / DAYS].device;
        uint64_t day = nearby->day + i % DAYS;
        if (day == 0 || !tag_awaited(agent->identity, device, day - 1, &tag)) continue;
        memcpy(wish->awaited[wish->awaited_count].bytes, tag.bytes, sizeof tag.bytes);
        nearby->awaited[wish->awaited_count++] = device;
    }
    wish->browse[DISCOVERY_AGENT] = wish->awaited_count > 0;
}

static bool is_peer(const struct agent *agent, struct device_id device)
{
    return registry_peer_by_device(agent->registry, device) != NULL;
}

static void drop_sighting(struct nearby *nearby, uint32_t at)
{
    size_t behind = --nearby->sighting_count - at;
    memmove(&nearby->sightings[at], &nearby->sightings[at + 1], behind * sizeof(struct sighting));
}

static void forget_strangers(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    for (uint32_t i = nearby->sighting_count; i-- > 0;)
        if (!is_peer(agent, nearby->sightings[i].device)) drop_sighting(nearby, i);
}

static uint64_t today(const struct agent *agent)
{
    return agent->wall_ms > 0 ? (uint64_t)(agent->wall_ms / TAG_DAY_MS) : 0;
}

static uint16_t pairing_port(const struct agent *agent)
{
    const struct pairing *pairing = agent->pairing;
    const char *const *endpoints;
    if (pairing->state != PAIRING_OPEN || pairing->at != NULL) return 0;
    uint32_t count = pair_endpoints(pairing->pair, &endpoints);
    return port_of(endpoints, count);
}

static void want(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    struct discovery_wish *wish = &nearby->wish;
    uint16_t port = pairing_port(agent);
    bool finds = nearby->find_request != 0;
    bool is_new = nearby->peers_changed || nearby->day != today(agent);
    bool pairing_is_new =
        port != wish->port[DISCOVERY_PAIRING] || finds != wish->browse[DISCOVERY_PAIRING];
    if (!is_new && !pairing_is_new) return;
    if (is_new) {
        const struct registry_peer *peers;
        uint32_t count = registry_peers(agent->registry, &peers);
        nearby->peers_changed = false;
        nearby->day = today(agent);
        announce(agent, peers, count);
        await(agent, peers, count);
        forget_strangers(agent);
    }
    if (port != wish->port[DISCOVERY_PAIRING]) draw_name(wish->name[DISCOVERY_PAIRING]);
    wish->port[DISCOVERY_PAIRING] = port;
    wish->browse[DISCOVERY_PAIRING] = finds;
    discovery_want(nearby->discovery, wish);
}

// ---- what is seen

static const struct device_id *device_of(const struct nearby *nearby,
                                         const struct discovery_tag *tag)
{
    for (uint32_t i = 0; i < nearby->wish.awaited_count; i++) {
        if (memcmp(nearby->wish.awaited[i].bytes, tag->bytes, sizeof tag->bytes) == 0) {
            return &nearby->awaited[i];
        }
    }
    return NULL;
}

static struct sighting *find_sighting(struct nearby *nearby, struct device_id device,
                                      const char *address)
{
    for (uint32_t i = 0; i < nearby->sighting_count; i++) {
        struct sighting *sighting = &nearby->sightings[i];
        if (device_equal(sighting->device, device) && strcmp(sighting->address, address) == 0) {
            return sighting;
        }
    }
    return NULL;
}

static void see(struct agent *agent, const struct discovery_place *place)
{
    struct nearby *nearby = agent->nearby;
    const struct device_id *device = device_of(nearby, &place->tag);
    if (device == NULL || !is_peer(agent, *device)) return;
    struct sighting *known = find_sighting(nearby, *device, place->address);
    if (known != NULL) {
        known->is_gone = false;
        return;
    }
    if (nearby->sighting_count == DISCOVERY_PLACES_MAX) return;
    struct sighting *sighting = &nearby->sightings[nearby->sighting_count++];
    *sighting = (struct sighting){.device = *device};
    memcpy(sighting->address, place->address, sizeof sighting->address);
    char id[DEVICE_ID_TEXT_MAX];
    log_info(LOG_DAEMON, "peer seen", "id=%s address=%s", device_id_short(*device, id),
             place->address);
}

static void look(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    if (!discovery_look(nearby->discovery, &nearby->view)) return;
    for (uint32_t i = 0; i < nearby->sighting_count; i++)
        nearby->sightings[i].is_gone = true;
    for (uint32_t i = 0; i < nearby->view.count; i++)
        if (nearby->view.places[i].type == DISCOVERY_AGENT) see(agent, &nearby->view.places[i]);
    nearby->is_changed = true;
    show_dirty(agent);
}

// ---- dialling

static uint32_t add_address(const char **addresses, uint32_t count, const char *address)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(addresses[i], address) == 0) return count;
    addresses[count] = address;
    return count + 1;
}

void nearby_dial(struct agent *agent, const struct registry_peer *peer)
{
    const struct nearby *nearby = agent->nearby;
    const char *addresses[DISCOVERY_PLACES_MAX + REGISTRY_ADDRESSES_MAX];
    const char *seen[DISCOVERY_PLACES_MAX];
    uint32_t seen_count = 0;
    uint32_t count = 0;
    for (uint32_t i = nearby->sighting_count; i-- > 0;) {
        const struct sighting *sighting = &nearby->sightings[i];
        if (device_equal(sighting->device, peer->device)) seen[seen_count++] = sighting->address;
    }
    // Where it was seen last, then where it always is, so that lies cost one attempt; there the
    // local network first.
    if (seen_count > 0) addresses[count++] = seen[0];
    for (uint32_t i = 0; i < peer->address_count; i++)
        if (address_is_local(peer->addresses[i]))
            count = add_address(addresses, count, peer->addresses[i]);
    for (uint32_t i = 0; i < peer->address_count; i++)
        count = add_address(addresses, count, peer->addresses[i]);
    for (uint32_t i = 1; i < seen_count; i++)
        count = add_address(addresses, count, seen[i]);
    net_dial(agent->net, peer->device, addresses, count);
}

static void forget_gone(struct nearby *nearby)
{
    for (uint32_t i = nearby->sighting_count; i-- > 0;) {
        const struct sighting *sighting = &nearby->sightings[i];
        if (sighting->is_gone && !sighting->is_used) drop_sighting(nearby, i);
    }
}

static bool take_credit(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    nearby->change_credit_ms += agent->now_ms - nearby->credited_ms;
    nearby->credited_ms = agent->now_ms;
    if (nearby->change_credit_ms > CHANGES_MAX * CHANGE_MS) {
        nearby->change_credit_ms = CHANGES_MAX * CHANGE_MS;
    }
    if (nearby->change_credit_ms < CHANGE_MS) return false;
    nearby->change_credit_ms -= CHANGE_MS;
    return true;
}

static void dial(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    const struct registry_peer *peers;
    if (!nearby->is_changed || !take_credit(agent)) return;
    nearby->is_changed = false;
    forget_gone(nearby);
    uint32_t count = registry_peers(agent->registry, &peers);
    for (uint32_t i = 0; i < count; i++)
        nearby_dial(agent, &peers[i]);
}

void nearby_net(struct agent *agent, const struct net_event *event)
{
    struct nearby *nearby = agent->nearby;
    if (!event->dialled || (event->kind != NET_UP && event->kind != NET_DOWN)) return;
    const char *address = arena_text(agent->scratch, event->address);
    struct sighting *sighting = find_sighting(nearby, event->device, address);
    if (sighting == NULL) return;
    sighting->is_used = event->kind == NET_UP;
    if (sighting->is_gone) nearby->is_changed = true;
}

// ---- who offers to pair

// One offer is seen at several addresses: grouped by its name.
static json_t *offers_json(const struct nearby *nearby)
{
    json_t *offers = json_array();
    AUTO(json_drop) json_t *by_name = json_object();
    for (uint32_t i = 0; i < nearby->view.count; i++) {
        const struct discovery_place *place = &nearby->view.places[i];
        if (place->type != DISCOVERY_PAIRING) continue;
        json_t *offer = json_object_get(by_name, place->name);
        if (offer == NULL) {
            offer = json_object();
            json_object_set_new(offer, "host", json_string(place->host));
            json_object_set_new(offer, "at", json_array());
            bool named = json_object_set(by_name, place->name, offer) == 0; // UTF-8
            if (named) json_array_append(offers, offer);
            json_decref(offer);
            if (!named) continue;
        }
        json_array_append_new(json_object_get(offer, "at"),
                              json_string(place->address + strlen("tcp://")));
    }
    return offers;
}

static bool has_offer(const struct nearby *nearby)
{
    for (uint32_t i = 0; i < nearby->view.count; i++)
        if (nearby->view.places[i].type == DISCOVERY_PAIRING) return true;
    return false;
}

static void answer_find(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    json_t *out = json_object();
    json_object_set_new(out, "discovery", json_string(nearby_state(agent)));
    json_object_set_new(out, "offers", offers_json(nearby));
    control_answer(agent, nearby->find_request, out);
    nearby->find_request = 0;
}

static void find(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    if (nearby->find_request == 0) return;
    if (!nearby->find_more && has_offer(nearby)) {
        nearby->find_more = true;
        nearby->find_due_ms = agent->now_ms + FIND_MORE_MS;
    }
    if (agent->now_ms >= nearby->find_due_ms) answer_find(agent);
}

void control_pair_find(struct agent *agent, uint64_t request, const json_t *body)
{
    struct nearby *nearby = agent->nearby;
    (void)body;
    if (nearby->find_request != 0) {
        control_refuse(agent, request, REFUSE_BUSY, "wait a few seconds",
                       "another client looks for an offer to pair");
        return;
    }
    nearby->find_request = request;
    nearby->find_more = false;
    nearby->find_due_ms = agent->now_ms + FIND_MS;
    if (nearby->discovery == NULL) answer_find(agent);
}

void nearby_look_again(struct agent *agent)
{
    struct nearby *nearby = agent->nearby;
    if (nearby->discovery != NULL && nearby->wish.browse[DISCOVERY_AGENT])
        discovery_want(nearby->discovery, &nearby->wish);
}

void nearby_find_gone(struct agent *agent, uint64_t request)
{
    if (agent->nearby->find_request == request) agent->nearby->find_request = 0;
}

// ---- every turn

void nearby_settle(struct agent *agent)
{
    if (agent->nearby->discovery == NULL) return;
    want(agent);
    look(agent);
    dial(agent);
    find(agent);
}

int64_t nearby_deadline(const struct agent *agent)
{
    const struct nearby *nearby = agent->nearby;
    if (nearby->discovery == NULL) return INT64_MAX;
    int64_t due = INT64_MAX;
    if (nearby->wish.browse[DISCOVERY_AGENT]) {
        due = agent->now_ms + TAG_DAY_MS - agent->wall_ms % TAG_DAY_MS;
    }
    if (nearby->find_request != 0 && nearby->find_due_ms < due) due = nearby->find_due_ms;
    int64_t credited_ms = nearby->credited_ms + CHANGE_MS - nearby->change_credit_ms;
    if (nearby->is_changed && credited_ms < due) due = credited_ms;
    return due;
}

// ---- what is shown

const char *nearby_state(const struct agent *agent)
{
    const struct nearby *nearby = agent->nearby;
    if (!discovery_built()) return "none";
    if (nearby->discovery == NULL) return "off";
    return nearby->view.works ? "works" : "away";
}

json_t *nearby_json(const struct agent *agent, struct device_id device)
{
    const struct nearby *nearby = agent->nearby;
    json_t *out = json_array();
    for (uint32_t i = 0; i < nearby->sighting_count; i++) {
        const struct sighting *sighting = &nearby->sightings[i];
        if (!device_equal(sighting->device, device) || sighting->is_gone) continue;
        json_array_append_new(out, json_string(sighting->address));
    }
    return out;
}

bool nearby_sees(const struct agent *agent, struct device_id device)
{
    const struct nearby *nearby = agent->nearby;
    for (uint32_t i = 0; i < nearby->sighting_count; i++) {
        const struct sighting *sighting = &nearby->sightings[i];
        if (device_equal(sighting->device, device) && !sighting->is_gone) return true;
    }
    return false;
}

bool nearby_is(const struct agent *agent, struct device_id device, const char *address)
{
    return find_sighting(agent->nearby, device, address) != NULL;
}
