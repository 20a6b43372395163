// SPDX-License-Identifier: MIT
//
// From the addresses of a peer to endpoints that can be tried. Names are looked up at every round.
//
// With a SOCKS proxy, what is not near goes through it, and names of elsewhere are the proxy's to
// look up; only its own name is looked up here.
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/net/dial_priv.h"

enum { LOOKUP_MS = 10 * 1000 };

// By rank: where it stands in the list decides when it is tried, not when its name was found.
static void candidate_add(struct peer *peer, const struct candidate *candidate)
{
    uint32_t at = peer->candidate_count;
    if (at == PEER_CANDIDATES_MAX) return;
    while (at > 0 && peer->candidates[at - 1].rank > candidate->rank)
        at--;
    memmove(&peer->candidates[at + 1], &peer->candidates[at],
            (peer->candidate_count - at) * sizeof *candidate);
    peer->candidates[at] = *candidate;
    peer->candidate_count++;
}

bool candidate_take(struct peer *peer, struct candidate *out)
{
    if (peer->candidate_count == 0) return false;
    *out = peer->candidates[0];
    peer->candidate_count--;
    memmove(&peer->candidates[0], &peer->candidates[1],
            peer->candidate_count * sizeof peer->candidates[0]);
    return true;
}

void candidates_clear(struct peer *peer)
{
    peer->candidate_count = 0;
    peer->lookup_count = 0;
    if (peer->is_looked_up) memset(peer->is_looked_up, 0, peer->address_count);
}

static bool is_for_proxy(const struct net *net, const char *address, const struct address *parsed)
{
    size_t size = strlen(parsed->host);
    if (net->proxy[0] == '\0' || strcmp(parsed->host, "localhost") == 0) return false;
    if (address_is_numeric(parsed)) return !address_is_near(address);
    return size <= 6 || strcmp(parsed->host + size - 6, ".local") != 0;
}

static void add_found(const struct net *net, struct peer *peer, uint32_t rank,
                      char endpoints[][NET_ADDRESS_BYTES], uint32_t count)
{
    struct address parsed;
    const char *address = peer->addresses[rank];
    bool by_proxy = address_parse(address, &parsed) && is_for_proxy(net, address, &parsed);
    for (uint32_t i = 0; i < count; i++) {
        struct candidate candidate = {.rank = rank};
        const char *endpoint = by_proxy ? address : endpoints[i];
        candidate.is_near = !by_proxy && address_is_near(endpoint);
        if (peer->near_only && !candidate.is_near) continue;
        (void)snprintf(candidate.endpoint, sizeof candidate.endpoint, "%s", endpoint);
        if (by_proxy) (void)snprintf(candidate.proxy, sizeof candidate.proxy, "%s", endpoints[i]);
        candidate_add(peer, &candidate);
        if (by_proxy) return; // the others are other ways to the same proxy
    }
}

// False: no threads or descriptors left.
static bool look_up(struct net *net, struct peer *peer, uint32_t rank,
                    const struct address *address)
{
    if (!net->resolver) net->resolver = resolver_new();
    if (!net->resolver) return false;
    resolver_ask(net->resolver, peer->device, peer->round, rank, address);
    peer->is_looked_up[rank] = true;
    peer->lookup_count++;
    return true;
}

static void candidates_of(struct net *net, struct peer *peer, uint32_t rank)
{
    struct address address;
    char endpoints[NET_CANDIDATES_MAX][NET_ADDRESS_BYTES];
    const char *text = peer->addresses[rank];
    if (!address_parse(text, &address)) {
        peer_failed(net, peer, text, NET_BAD_ADDRESS);
        return;
    }
    bool by_proxy = is_for_proxy(net, text, &address);
    if (by_proxy && peer->near_only) return;
    if (by_proxy && !address_parse(net->proxy, &address)) return;
    if (address_is_numeric(&address)) {
        add_found(net, peer, rank, endpoints, address_resolve(&address, endpoints));
    } else if (!look_up(net, peer, rank, &address)) {
        peer_failed(net, peer, text, NET_NO_MEANS);
    }
}

void candidates_begin(struct net *net, struct peer *peer)
{
    candidates_clear(peer);
    peer->lookup_due_ms = net->now_ms + LOOKUP_MS;
    for (uint32_t rank = 0; rank < peer->address_count; rank++)
        candidates_of(net, peer, rank);
}

void candidates_resolved(struct net *net, struct peer *peer, const struct resolved *answer)
{
    char endpoints[NET_CANDIDATES_MAX][NET_ADDRESS_BYTES];
    if (peer->round != answer->ticket || answer->rank >= peer->address_count) return;
    if (!peer->is_looked_up[answer->rank]) return;
    peer->is_looked_up[answer->rank] = false;
    peer->lookup_count--;
    memcpy(endpoints, answer->endpoints, sizeof endpoints);
    if (!answer->count) peer_failed(net, peer, peer->addresses[answer->rank], NET_NAME_UNKNOWN);
    add_found(net, peer, answer->rank, endpoints, answer->count);
}

void candidates_expire(struct net *net, struct peer *peer)
{
    for (uint32_t rank = 0; rank < peer->address_count; rank++) {
        if (!peer->is_looked_up[rank]) continue;
        peer->is_looked_up[rank] = false;
        peer_failed(net, peer, peer->addresses[rank], NET_NAME_UNKNOWN);
    }
    peer->lookup_count = 0;
}
