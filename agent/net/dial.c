// SPDX-License-Identifier: MIT
//
// Peers: rounds of tries with a back-off of our own, and which link is used.
//
// Of several links the newest is used, because a further one is opened only where it is better:
// near while the one that is up is far. The other stays for a while as a spare, so that what was on
// its way arrives.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/net/dial_priv.h"

enum {
    DIAL_DELAY_MIN = 200,
    DIAL_DELAY_MAX = 5000,
    DIAL_DELAY_LATE = 60000,
    DIAL_LATE_MS = 10 * 60 * 1000, // failing for so long
    DIAL_RACE_MS = 250,            // between the beginnings of two tries
    DIAL_SPARE_MS = 60 * 1000,
    DIAL_NEAR_MIN = 30 * 1000, // looking for something near while what is up is far
    DIAL_NEAR_MAX = 10 * 60 * 1000,
};

static struct slice dial_key(const struct device_id *device)
{
    return slice_of(device->bytes, sizeof device->bytes);
}

static struct peer *dial_find(const struct net *net, struct device_id device)
{
    return map_get(net->peers, dial_key(&device));
}

struct link *peer_used(const struct peer *peer)
{
    struct link *best = NULL;
    for (struct link *link = peer->links; link; link = link->next) {
        if (link->state == LINK_OPENING) continue;
        if (!best || link->state == LINK_UP) best = link;
    }
    return best;
}

static bool peer_wants(const struct peer *peer, const struct candidate *candidate)
{
    const struct link *used = peer_used(peer);
    return !used || (candidate->is_near && !used->candidate.is_near);
}

static uint32_t peer_tries(const struct peer *peer)
{
    uint32_t count = 0;
    for (const struct link *link = peer->links; link; link = link->next)
        count += link->state == LINK_OPENING;
    return count;
}

static void peer_reset_delay(struct peer *peer)
{
    peer->delay_ms = DIAL_DELAY_MIN;
    peer->near_delay_ms = DIAL_NEAR_MIN;
    peer->failing_ms = -1;
}

// 3/4 to 5/4 of it
static int64_t peer_jitter(int64_t delay_ms)
{
    uint32_t chance;
    crypto_random(&chance, sizeof chance);
    return delay_ms * 3 / 4 + (int64_t)(chance % (uint32_t)(delay_ms / 2 + 1));
}

static void peer_wait(struct net *net, struct peer *peer)
{
    if (peer->failing_ms < 0) peer->failing_ms = net->now_ms;
    bool is_late = net->now_ms - peer->failing_ms >= DIAL_LATE_MS;
    int64_t limit = is_late ? DIAL_DELAY_LATE : DIAL_DELAY_MAX;
    if (peer->delay_ms > limit) peer->delay_ms = limit;
    peer->due_ms = net->now_ms + peer_jitter(peer->delay_ms);
    peer->delay_ms *= 2;
}

// What is up is far, and there is another address than its own.
static void peer_wait_for_near(struct net *net, struct peer *peer)
{
    peer->due_ms = INT64_MAX;
    if (peer->address_count < 2 || peer_used(peer)->candidate.is_near) return;
    peer->due_ms = net->now_ms + peer_jitter(peer->near_delay_ms);
    peer->near_delay_ms *= 2;
    if (peer->near_delay_ms > DIAL_NEAR_MAX) peer->near_delay_ms = DIAL_NEAR_MAX;
}

void peer_failed(struct net *net, const struct peer *peer, const char *address,
                 enum net_failure failure)
{
    struct net_event event = {.kind = NET_FAILED,
                              .device = peer->device,
                              .dialled = true,
                              .address = slice_text(address),
                              .failure = failure};
    event_put(net, &event, NULL);
}

void peer_advance(struct net *net, struct peer *peer)
{
    struct candidate candidate;
    while (peer->in_round && net->now_ms >= peer->try_ms && peer_tries(peer) < PEER_TRIES_MAX &&
           candidate_take(peer, &candidate)) {
        if (!peer_wants(peer, &candidate)) continue;
        if (link_open(net, peer, &candidate)) {
            peer->try_ms = net->now_ms + DIAL_RACE_MS;
        } else {
            peer_failed(net, peer, peer->addresses[candidate.rank], NET_NO_MEANS);
        }
    }
    bool goes_on = peer->candidate_count > 0 || peer->lookup_count > 0 || peer_tries(peer) > 0;
    if (!peer->in_round || goes_on) return;
    peer->in_round = false;
    if (peer_used(peer)) {
        peer_wait_for_near(net, peer);
    } else {
        peer_wait(net, peer);
    }
}

static void peer_begin(struct net *net, struct peer *peer)
{
    const struct link *used = peer_used(peer);
    if (used && used->candidate.is_near) {
        peer->due_ms = INT64_MAX;
        return;
    }
    peer->in_round = true;
    peer->near_only = used != NULL;
    peer->round++;
    peer->try_ms = net->now_ms;
    candidates_begin(net, peer);
    peer_advance(net, peer);
}

// Tries that would be no gain any more.
static void peer_call_off(struct net *net, struct peer *peer)
{
    for (struct link *link = peer->links, *next; link; link = next) {
        next = link->next;
        bool is_try = link->state == LINK_OPENING;
        if (is_try && !peer_wants(peer, &link->candidate)) link_close(net, link);
    }
}

void peer_link_up(struct net *net, struct link *link)
{
    struct peer *peer = link->peer;
    for (struct link *other = peer->links; other; other = other->next) {
        if (other == link || other->state != LINK_UP) continue;
        other->state = LINK_SPARE;
        other->due_ms = net->now_ms + DIAL_SPARE_MS;
    }
    peer->near_delay_ms = DIAL_NEAR_MIN;
    peer_call_off(net, peer);
    peer_advance(net, peer);
}

void peer_link_down(struct net *net, struct peer *peer, bool was_steady)
{
    struct link *used = peer_used(peer);
    if (was_steady) peer_reset_delay(peer);
    // Not the spare: the other side, which perhaps has not noticed yet, takes what begins last.
    if (used && used->state == LINK_SPARE) {
        link_close(net, used);
        used = peer_used(peer);
    }
    if (peer->in_round && (used || !peer->near_only)) return;
    peer->in_round = false;
    candidates_clear(peer);
    if (used) {
        peer_wait_for_near(net, peer);
    } else {
        peer_wait(net, peer);
    }
}

// ---- timers

static void links_expire(struct net *net, struct peer *peer)
{
    for (struct link *link = peer->links, *next; link; link = next) {
        next = link->next;
        if (link->due_ms > net->now_ms) continue;
        if (link->state == LINK_SPARE) {
            link_close(net, link);
            continue;
        }
        struct conn *bulk = link->lanes[LANE_BULK];
        dial_lane_failed(net, bulk ? bulk : link->lanes[LANE_CONTROL], NET_TIMED_OUT);
        next = peer->links; // the next try may stand in between now
    }
}

static void peer_expire(struct net *net, struct peer *peer)
{
    links_expire(net, peer);
    if (!peer->in_round) {
        if (peer->due_ms <= net->now_ms) peer_begin(net, peer);
        return;
    }
    if (peer->lookup_count > 0 && peer->lookup_due_ms <= net->now_ms) candidates_expire(net, peer);
    peer_advance(net, peer);
}

static int64_t peer_next_ms(const struct peer *peer)
{
    int64_t next_ms = peer->in_round ? INT64_MAX : peer->due_ms;
    for (const struct link *link = peer->links; link; link = link->next)
        if (link->due_ms < next_ms) next_ms = link->due_ms;
    if (!peer->in_round) return next_ms;
    bool can_try = peer->candidate_count > 0 && peer_tries(peer) < PEER_TRIES_MAX;
    if (can_try && peer->try_ms < next_ms) next_ms = peer->try_ms;
    if (peer->lookup_count > 0 && peer->lookup_due_ms < next_ms) next_ms = peer->lookup_due_ms;
    return next_ms;
}

void dial_tick(struct net *net)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(net->peers, &at, &key, &value);) {
        struct peer *peer = value;
        if (peer_next_ms(peer) <= net->now_ms) peer_expire(net, peer);
    }
}

int64_t dial_next_ms(const struct net *net)
{
    struct slice key;
    void *value;
    int64_t next_ms = INT64_MAX;
    for (size_t at = 0; map_next(net->peers, &at, &key, &value);) {
        int64_t one_ms = peer_next_ms(value);
        if (one_ms < next_ms) next_ms = one_ms;
    }
    return next_ms;
}

void dial_resolved(struct net *net)
{
    for (struct resolved *answer; (answer = resolver_next(net->resolver)); free(answer)) {
        struct peer *peer = dial_find(net, answer->device);
        if (!peer || !peer->in_round) continue;
        candidates_resolved(net, peer, answer);
        peer_advance(net, peer);
    }
}

// ---- the door

static void peer_free_addresses(struct peer *peer)
{
    for (uint32_t i = 0; i < peer->address_count; i++)
        free(peer->addresses[i]);
    free(peer->addresses);
    free(peer->is_looked_up);
}

static void peer_destroy(struct net *net, struct peer *peer)
{
    while (peer->links)
        link_close(net, peer->links);
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
    peer->is_looked_up = mem_zalloc(count, sizeof *peer->is_looked_up);
    for (uint32_t i = 0; i < count; i++)
        peer->addresses[i] = mem_strdup(addresses[i]);
    peer->address_count = count;
}

// A session at an address that is still listed goes on; tries begin anew.
static void peer_close_unlisted(struct net *net, struct peer *peer)
{
    for (struct link *link = peer->links, *next; link; link = next) {
        next = link->next;
        bool is_listed = false;
        for (uint32_t i = 0; link->state != LINK_OPENING && i < peer->address_count; i++) {
            if (strcmp(link->lanes[LANE_CONTROL]->address, peer->addresses[i])) continue;
            link->candidate.rank = i;
            is_listed = true;
        }
        if (!is_listed) link_close(net, link);
    }
    struct link *used = peer_used(peer);
    if (!used) return;
    used->state = LINK_UP;
    used->due_ms = INT64_MAX;
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
    candidates_clear(peer);
    peer_take_addresses(peer, addresses, count);
    peer_close_unlisted(net, peer);
    peer_reset_delay(peer);
    peer->in_round = false;
    peer->due_ms = 0;
}

static void peer_redial(struct peer *peer)
{
    peer_reset_delay(peer);
    if (!peer->in_round) peer->due_ms = 0;
}

void net_redial_now(struct net *net, struct device_id device)
{
    struct peer *peer = dial_find(net, device);
    if (peer) peer_redial(peer);
}

void dial_redial_all(struct net *net)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(net->peers, &at, &key, &value);)
        peer_redial(value);
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
