// SPDX-License-Identifier: MIT
//
// PEERS: telling devices of each other, so that one which two of mine trust can be trusted here,
// too, without carrying codes about. One is told only of those with which it shares a folder here,
// whose ids and names it gets with that folder anyway, and nobody hears, is told of, or is believed
// who may not approve for this device. What each has said lasts until it says otherwise, goes, or
// this agent ends.
#include "agent/sync/known.h"

#include <stdlib.h>
#include <string.h>

#include "agent/sync/engine_priv.h"

// ---- telling

static bool in_a_folder(const struct engine *engine, const struct peer *a, const struct peer *b)
{
    for (const struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!f->gone && folder_shared_with(f, a->device) && folder_shared_with(f, b->device))
            return true;
    }
    return false;
}

static bool may_hear(const struct engine *engine, const struct peer *who, const struct peer *of)
{
    return who != of && !who->approves_not && !of->approves_not &&
           strlen(of->name) <= PROTO_PEER_NAME_BYTES_MAX && in_a_folder(engine, who, of);
}

static struct named_device name_it(const struct peer *peer)
{
    struct named_device out = {.device = peer->device, .name = slice_text(peer->name)};
    for (uint32_t i = 0; i < peer->address_count; i++) {
        struct slice address = slice_text(peer->addresses[i]);
        if (address.size <= PROTO_PEER_ADDRESS_BYTES_MAX &&
            out.address_count < PROTO_PEER_ADDRESSES_MAX)
            out.addresses[out.address_count++] = address;
    }
    return out;
}

static int by_device(const void *a, const void *b)
{
    const struct named_device *left = a, *right = b;
    return memcmp(left->device.bytes, right->device.bytes, sizeof left->device.bytes);
}

// Also when there is nobody to tell of: what was told in a session before this one ends with that.
void known_tell(struct session *session, bool anew)
{
    struct engine *engine = session->engine;
    struct message m = {.kind = MSG_PEERS};
    uint32_t count = 0;
    if ((session->features & PROTO_FEATURE_PEERS) == 0) return;
    for (const struct peer *p = engine->peers; p != NULL; p = p->next)
        count++;
    m.peers.devices = arena_alloc(engine->scratch, count, sizeof *m.peers.devices);
    for (const struct peer *p = engine->peers; p != NULL; p = p->next)
        if (may_hear(engine, session->peer, p)) m.peers.devices[m.peers.count++] = name_it(p);
    qsort(m.peers.devices, m.peers.count, sizeof *m.peers.devices, by_device);
    if (m.peers.count > PROTO_PEERS_MAX) m.peers.count = PROTO_PEERS_MAX;
    AUTO(buf_fini) struct buf all = {0};
    message_encode(&m, &all);
    if (!anew && slice_equal(buf_slice(&all), buf_slice(&session->told_peers))) return;
    buf_clear(&session->told_peers);
    buf_append(&session->told_peers, all.data, all.size);
    (void)session_send(session, LANE_CONTROL, &m);
}

void known_dirty(struct engine *engine)
{
    engine->names_dirty = true;
}

void known_tick(struct engine *engine)
{
    if (!engine->names_dirty) return;
    engine->names_dirty = false;
    for (struct peer *p = engine->peers; p != NULL; p = p->next)
        if (p->in_use != NULL) known_tell(p->in_use, false);
}

int64_t known_deadline(const struct engine *engine)
{
    return engine->names_dirty ? 0 : INT64_MAX;
}

static void addresses_free(struct peer *peer)
{
    for (uint32_t i = 0; i < peer->address_count; i++)
        mem_free(&peer->addresses[i]);
    mem_free(&peer->addresses);
    peer->address_count = 0;
}

void known_forget(struct peer *peer)
{
    addresses_free(peer);
    buf_fini(&peer->said_peers);
}

void engine_peer_addresses(struct engine *engine, struct device_id device, char *const *addresses,
                           uint32_t count)
{
    struct peer *peer = peer_find(engine, device);
    arena_reset(engine->scratch);
    if (peer == NULL) return;
    addresses_free(peer);
    peer->addresses = mem_zalloc((size_t)count + 1, sizeof *peer->addresses);
    for (uint32_t i = 0; i < count; i++)
        peer->addresses[i] = mem_strdup(addresses[i]);
    peer->address_count = count;
    known_dirty(engine);
}

// ---- being told

void known_handle(struct session *session, struct slice frame)
{
    struct buf *said = &session->peer->said_peers;
    if (slice_equal(buf_slice(said), frame)) return;
    buf_clear(said);
    buf_append(said, frame.data, frame.size);
    engine_changed(session->engine);
}

struct mention {
    const struct peer *by;
    const struct named_device *device;
};

static int by_device_and_peer(const void *a, const void *b)
{
    const struct mention *left = a, *right = b;
    int order = by_device(left->device, right->device);
    return order != 0 ? order : strcmp(left->by->name, right->by->name);
}

// Of devices that are neither this one nor trusted here.
static uint32_t mentions(struct engine *engine, struct arena *arena, struct mention **out)
{
    uint32_t count = 0, peers = 0;
    for (const struct peer *p = engine->peers; p != NULL; p = p->next)
        peers++;
    *out = arena_alloc(arena, (size_t)peers * PROTO_PEERS_MAX + 1U, sizeof **out);
    for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
        struct message m;
        struct fault fault;
        if (p->approves_not || p->said_peers.size == 0) continue;
        if (message_decode(arena, buf_slice(&p->said_peers), &m, &fault) != ERR_OK) continue;
        for (uint32_t i = 0; i < m.peers.count; i++) {
            const struct named_device *device = &m.peers.devices[i];
            if (device_equal(device->device, engine->o.device)) continue;
            if (peer_find(engine, device->device) == NULL)
                (*out)[count++] = (struct mention){p, device};
        }
    }
    qsort(*out, count, sizeof **out, by_device_and_peer);
    return count;
}

// Of each in turn, so that no one of them can fill the list.
static void addresses_gather(const struct mention *all, uint32_t count, struct known_device *out)
{
    for (uint32_t i = 0; i < PROTO_PEER_ADDRESSES_MAX; i++) {
        for (uint32_t j = 0; j < count && out->address_count < PROTO_PEER_ADDRESSES_MAX; j++) {
            const struct named_device *device = all[j].device;
            bool is_new = i < device->address_count;
            for (uint32_t k = 0; k < out->address_count && is_new; k++)
                is_new = !slice_equal(out->addresses[k], device->addresses[i]);
            if (is_new) out->addresses[out->address_count++] = device->addresses[i];
        }
    }
}

uint32_t engine_known(struct engine *engine, struct arena *arena, struct known_device **out)
{
    struct mention *all;
    uint32_t count = mentions(engine, arena, &all), known = 0, next;
    *out = arena_alloc(arena, count + 1U, sizeof **out);
    for (uint32_t i = 0; i < count; i = next) {
        for (next = i + 1; next < count && by_device(all[i].device, all[next].device) == 0;)
            next++;
        if (next - i < ENGINE_KNOWN_BY) continue;
        struct known_device *one = &(*out)[known++];
        *one = (struct known_device){.device = all[i].device->device, .by_count = next - i};
        one->by = arena_alloc(arena, one->by_count, sizeof *one->by);
        for (uint32_t j = i; j < next; j++)
            one->by[j - i] = (struct known_by){arena_copy(arena, slice_text(all[j].by->name)),
                                               all[j].device->name};
        addresses_gather(&all[i], one->by_count, one);
    }
    return known;
}
