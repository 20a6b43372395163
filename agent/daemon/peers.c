// SPDX-License-Identifier: MIT
//
// A peer is in four places: the registry (kept), the trust table (asked by the wire), the engine
// and the dialler. Trust comes first when one is added and goes first when one is removed.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/agent_priv.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/links_priv.h"
#include "agent/daemon/nearby_priv.h"
#include "agent/daemon/pausing_priv.h"
#include "agent/sync/known.h"

// Also the keys of invitations; what comes with those is kept apart (invites.c).
void peers_trust(struct agent *agent)
{
    const struct registry_peer *peers;
    uint32_t count = registry_peers(agent->registry, &peers);
    const struct invite *invites;
    uint32_t invited = invites_all(agent->invites, &invites);
    AUTO(mem_free)
    struct device_id *devices = mem_zalloc((size_t)count + invited + 1, sizeof *devices);
    for (uint32_t i = 0; i < count; i++)
        devices[i] = peers[i].device;
    for (uint32_t i = 0; i < invited; i++)
        devices[count + i] = invites[i].key;
    trust_set(agent->trust, devices, count + invited);
    nearby_peers_changed(agent);
}

// A change of the folders' `with` lists is the caller's to pass on.
void peers_begin(struct agent *agent, const struct registry_peer *peer)
{
    engine_peer_put(agent->engine, peer->device, peer->name);
    engine_peer_approves(agent->engine, peer->device, peer->approves);
    engine_peer_addresses(agent->engine, peer->device, peer->addresses, peer->address_count);
    nearby_dial(agent, peer);
}

void peers_start(struct agent *agent)
{
    const struct registry_peer *peers;
    uint32_t count = registry_peers(agent->registry, &peers);
    AUTO(mem_free) struct device_id *removed = mem_zalloc(REGISTRY_REMOVED_MAX, sizeof *removed);
    for (uint32_t i = 0; i < count; i++)
        peers_begin(agent, &peers[i]);
    for (uint32_t i = registry_removed(agent->registry, removed); i-- > 0;)
        engine_peer_distrust(agent->engine, removed[i]);
}

enum err peers_put(struct agent *agent, const struct registry_peer *peer)
{
    enum err err = registry_put_peer(agent->registry, peer);
    if (err) return err;
    peers_trust(agent);
    peers_begin(agent, registry_peer(agent->registry, peer->name));
    char short_id[DEVICE_ID_TEXT_MAX];
    log_info(LOG_DAEMON, "peer trusted", "name=%s id=%s", peer->name,
             device_id_short(peer->device, short_id));
    return ERR_OK;
}

void peers_confirm(struct agent *agent, struct device_id device, bool confirmed)
{
    const struct registry_peer *known = registry_peer_by_device(agent->registry, device);
    if (known == NULL || known->declared_at != NULL || known->unconfirmed == !confirmed) return;
    struct registry_peer peer = *known;
    peer.unconfirmed = !confirmed;
    enum err err = registry_put_peer(agent->registry, &peer);
    if (err) log_warn(LOG_DAEMON, "peer's trust not noted", "error=\"%s\"", err_text(err));
    show_dirty(agent);
}

void peers_drop(struct agent *agent, struct device_id device)
{
    engine_peer_remove(agent->engine, device);
    net_dial(agent->net, device, NULL, 0);
    net_forget(agent->net, device);
    store_begin(agent->store);
    store_peer_remove(agent->store, device);
    enum err err = store_commit(agent->store);
    // What it once said is of no consequence while it is not trusted.
    if (err) log_warn(LOG_DAEMON, "peer's state not removed", "error=\"%s\"", err_text(err));
    attempts_forget(agent, device);
    pausing_forget(agent, &(struct pause){.kind = PAUSE_PEER, .device = device});
}

enum err peers_remove(struct agent *agent, const char *name, bool by_person)
{
    const struct registry_peer *known = registry_peer(agent->registry, name);
    CHECK(known != NULL);
    struct device_id device = known->device;
    // First: by what is left of an invitation it would be trusted again.
    enum err err = invites_revoke_of(agent, device);
    if (!err) err = registry_remove_peer(agent->registry, name, by_person);
    if (err) return err;
    peers_trust(agent);
    peers_drop(agent, device);
    folders_share_again(agent);
    log_info(LOG_DAEMON, "peer removed", "name=%s", name);
    return ERR_OK;
}
