// SPDX-License-Identifier: MIT
//
// Keeps a pair of lanes to each dialled device, with a back-off of our own.
//
//     WAITING -> (RESOLVING) -> DIALLING control, then bulk -> UP
//        ^ all addresses failed      |  next candidate         | a lane went down: both are closed
//        +---------------------------+-------------------------+
//
// The bulk lane is dialled when the control lane is up, to the same endpoint: a peer that is off or
// refuses us costs one connection attempt, and both lanes end at the same place.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/net/net_priv.h"

enum {
    DIAL_DELAY_MIN = 200,
    DIAL_DELAY_MAX = 5000,
    DIAL_DELAY_LATE = 60000,
    DIAL_LATE_MS = 10 * 60 * 1000, // failing for so long
    DIAL_STEADY_MS = 10 * 1000,    // up for so long: the back-off begins anew
    DIAL_RESOLVE_MS = 10 * 1000,
    DIAL_ATTEMPT_MS = NET_CONNECT_MS + NET_HANDSHAKE_MS + 500,
};

enum peer_state { PEER_WAITING, PEER_RESOLVING, PEER_DIALLING, PEER_UP };

struct peer {
    struct device_id device;
    enum peer_state state;
    char **addresses;
    uint32_t address_count;
    uint32_t address_at; // the next to try
    char candidates[NET_CANDIDATES_MAX][NET_ADDRESS_BYTES];
    uint32_t candidate_count;
    uint32_t candidate_at; // the next to try
    struct conn *lanes[2];
    int64_t due_ms; // next try, or the end of this attempt
    int64_t delay_ms;
    int64_t failing_ms; // since when; -1: not failing
    int64_t up_ms;
    uint64_t ticket; // of the lookup that is waited for
};

static struct slice dial_key(const struct device_id *device)
{
    return slice_of(device->bytes, sizeof device->bytes);
}

static struct peer *dial_find(const struct net *net, struct device_id device)
{
    return map_get(net->peers, dial_key(&device));
}

static const char *peer_address(const struct peer *peer)
{
    return peer->address_at ? peer->addresses[peer->address_at - 1] : "";
}

static void peer_reset_delay(struct peer *peer)
{
    peer->delay_ms = DIAL_DELAY_MIN;
    peer->failing_ms = -1;
}

static void peer_wait(struct net *net, struct peer *peer)
{
    uint32_t chance;
    crypto_random(&chance, sizeof chance);
    if (peer->failing_ms < 0) peer->failing_ms = net->now_ms;
    bool is_late = net->now_ms - peer->failing_ms >= DIAL_LATE_MS;
    int64_t limit = is_late ? DIAL_DELAY_LATE : DIAL_DELAY_MAX;
    if (peer->delay_ms > limit) peer->delay_ms = limit;
    // 3/4 to 5/4 of it
    int64_t jitter = (int64_t)(chance % (uint32_t)(peer->delay_ms / 2 + 1));
    peer->due_ms = net->now_ms + peer->delay_ms * 3 / 4 + jitter;
    peer->delay_ms *= 2;
    peer->state = PEER_WAITING;
}

// A failure without a conn: the name, or our own limits.
static void peer_failed(struct net *net, const struct peer *peer, enum net_failure failure)
{
    struct net_event event = {.kind = NET_FAILED,
                              .device = peer->device,
                              .dialled = true,
                              .address = slice_text(peer_address(peer)),
                              .failure = failure};
    event_put(net, &event, NULL);
}

// Finds the endpoints of the next address, or asks for them. False: it has none.
static bool peer_look_up(struct net *net, struct peer *peer)
{
    struct address address;
    peer->candidate_at = peer->candidate_count = 0;
    if (!address_parse(peer->addresses[peer->address_at++], &address)) {
        peer_failed(net, peer, NET_BAD_ADDRESS);
        return false;
    }
    if (address_is_numeric(&address)) {
        peer->candidate_count = address_resolve(&address, peer->candidates);
        return true;
    }
    if (!net->resolver) net->resolver = resolver_new();
    if (!net->resolver) {
        peer_failed(net, peer, NET_NO_MEANS);
        return false;
    }
    resolver_ask(net->resolver, peer->device, ++peer->ticket, &address);
    peer->state = PEER_RESOLVING;
    peer->due_ms = net->now_ms + DIAL_RESOLVE_MS;
    return true;
}

static bool peer_open(struct net *net, struct peer *peer, enum lane lane, const char *endpoint)
{
    struct conn *conn = dealer_open(net, peer, peer->device, lane, endpoint, peer_address(peer));
    if (!conn) {
        peer_failed(net, peer, NET_NO_MEANS);
        return false;
    }
    peer->lanes[lane] = conn;
    peer->state = PEER_DIALLING;
    peer->due_ms = net->now_ms + DIAL_ATTEMPT_MS;
    return true;
}

// The next candidate, the next address, or the pause when all were tried.
static void peer_advance(struct net *net, struct peer *peer)
{
    peer->state = PEER_DIALLING;
    for (;;) {
        while (peer->candidate_at < peer->candidate_count) {
            const char *endpoint = peer->candidates[peer->candidate_at++];
            if (peer_open(net, peer, LANE_CONTROL, endpoint)) return;
        }
        if (peer->address_at == peer->address_count) break;
        if (peer_look_up(net, peer) && peer->state == PEER_RESOLVING) return;
    }
    peer_wait(net, peer);
}

static void peer_start(struct net *net, struct peer *peer)
{
    peer->address_at = 0;
    peer->candidate_at = peer->candidate_count = 0;
    peer_advance(net, peer);
}

static void peer_close(struct net *net, struct peer *peer)
{
    for (int lane = LANE_CONTROL; lane <= LANE_BULK; lane++) {
        struct conn *conn = peer->lanes[lane];
        if (!conn) continue;
        if (conn->state == CONN_UP) conn_event(net, conn, NET_DOWN, NET_NO_FAILURE);
        conn_free(net, conn);
        peer->lanes[lane] = NULL;
    }
}

void dial_lane_up(struct net *net, struct conn *conn)
{
    struct peer *peer = conn->peer;
    conn_event(net, conn, NET_UP, NET_NO_FAILURE);
    if (conn->lane == LANE_BULK) {
        peer->state = PEER_UP;
        peer->due_ms = INT64_MAX;
        peer->up_ms = net->now_ms;
    } else if (!peer_open(net, peer, LANE_BULK, conn->endpoint)) {
        peer_close(net, peer);
        peer_wait(net, peer);
    }
}

void dial_lane_failed(struct net *net, struct conn *conn, enum net_failure failure)
{
    struct peer *peer = conn->peer;
    conn_event(net, conn, NET_FAILED, failure);
    peer_close(net, peer);
    peer_advance(net, peer);
}

void dial_lane_down(struct net *net, struct conn *conn)
{
    struct peer *peer = conn->peer;
    bool was_steady = peer->state == PEER_UP && net->now_ms - peer->up_ms >= DIAL_STEADY_MS;
    if (was_steady) peer_reset_delay(peer);
    peer_close(net, peer);
    peer_wait(net, peer);
}

static void peer_expire(struct net *net, struct peer *peer)
{
    switch (peer->state) {
    case PEER_WAITING: peer_start(net, peer); break;
    case PEER_RESOLVING:
        peer->ticket++;
        peer_failed(net, peer, NET_NAME_UNKNOWN);
        peer_advance(net, peer);
        break;
    case PEER_DIALLING: {
        struct conn *bulk = peer->lanes[LANE_BULK];
        dial_lane_failed(net, bulk ? bulk : peer->lanes[LANE_CONTROL], NET_TIMED_OUT);
        break;
    }
    case PEER_UP: break;
    }
}

void dial_tick(struct net *net)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(net->peers, &at, &key, &value);) {
        struct peer *peer = value;
        if (peer->due_ms <= net->now_ms) peer_expire(net, peer);
    }
}

int64_t dial_next_ms(const struct net *net)
{
    struct slice key;
    void *value;
    int64_t next_ms = INT64_MAX;
    for (size_t at = 0; map_next(net->peers, &at, &key, &value);) {
        const struct peer *peer = value;
        if (peer->due_ms < next_ms) next_ms = peer->due_ms;
    }
    return next_ms;
}

void dial_resolved(struct net *net)
{
    for (struct resolved *answer; (answer = resolver_next(net->resolver)); free(answer)) {
        struct peer *peer = dial_find(net, answer->device);
        if (!peer || peer->state != PEER_RESOLVING || peer->ticket != answer->ticket) continue;
        memcpy(peer->candidates, answer->endpoints, sizeof peer->candidates);
        peer->candidate_count = answer->count;
        if (!answer->count) peer_failed(net, peer, NET_NAME_UNKNOWN);
        peer_advance(net, peer);
    }
}

static void peer_free_addresses(struct peer *peer)
{
    for (uint32_t i = 0; i < peer->address_count; i++)
        free(peer->addresses[i]);
    free(peer->addresses);
}

static void peer_destroy(struct net *net, struct peer *peer)
{
    peer_close(net, peer);
    map_remove(net->peers, dial_key(&peer->device));
    peer_free_addresses(peer);
    free(peer);
}

static bool peer_has_addresses(const struct peer *peer, const char *const *addresses,
                               uint32_t count)
{
    bool is_same = peer->address_count == count;
    for (uint32_t i = 0; is_same && i < count; i++) {
        is_same = !strcmp(peer->addresses[i], addresses[i]);
    }
    return is_same;
}

static void peer_take_addresses(struct peer *peer, const char *const *addresses, uint32_t count)
{
    peer_free_addresses(peer);
    peer->addresses = mem_zalloc(count, sizeof *peer->addresses);
    for (uint32_t i = 0; i < count; i++)
        peer->addresses[i] = mem_strdup(addresses[i]);
    peer->address_count = count;
    peer->address_at = 0;
    peer->candidate_at = peer->candidate_count = 0;
}

// A session at an address that is still listed goes on.
static bool peer_is_listed(const struct peer *peer)
{
    bool is_listed = false;
    for (uint32_t i = 0; peer->state == PEER_UP && i < peer->address_count; i++) {
        if (!strcmp(peer->lanes[LANE_CONTROL]->address, peer->addresses[i])) is_listed = true;
    }
    return is_listed;
}

void net_dial(struct net *net, struct device_id device, const char *const *addresses,
              uint32_t count)
{
    struct peer *peer = dial_find(net, device);
    if (count == 0) {
        if (peer) peer_destroy(net, peer);
        return;
    }
    if (peer && peer_has_addresses(peer, addresses, count)) return;
    if (!peer) {
        peer = mem_zalloc(1, sizeof *peer);
        peer->device = device;
        map_put(net->peers, dial_key(&peer->device), peer);
    }
    peer_take_addresses(peer, addresses, count);
    if (peer_is_listed(peer)) return;
    peer_close(net, peer);
    peer_reset_delay(peer);
    peer->state = PEER_WAITING;
    peer->due_ms = 0;
}

void net_redial_now(struct net *net, struct device_id device)
{
    struct peer *peer = dial_find(net, device);
    if (!peer) return;
    peer_reset_delay(peer);
    if (peer->state == PEER_WAITING) peer->due_ms = 0;
}

void dial_forget(struct net *net, struct device_id device)
{
    struct peer *peer = dial_find(net, device);
    if (peer) peer_destroy(net, peer);
}

void dial_fini(struct net *net)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(net->peers, &at, &key, &value);)
        peer_destroy(net, value);
}
