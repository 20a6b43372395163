// SPDX-License-Identifier: MIT
//
// Trust by hand: peers in, out and under another name.
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/links_priv.h"
#include "agent/daemon/names_priv.h"
#include "proto/vv.h"

// ---- as JSON

static json_t *folders_with(const struct agent *agent, const char *peer)
{
    const struct registry_folder *folders;
    uint32_t count = registry_folders(agent->registry, &folders);
    json_t *names = json_array();
    for (uint32_t i = 0; i < count; i++) {
        bool with = folders[i].with_all;
        for (uint32_t w = 0; w < folders[i].with_count && !with; w++) {
            with = strcmp(folders[i].with[w], peer) == 0;
        }
        if (with) json_array_append_new(names, json_string(folders[i].name));
    }
    return names;
}

static const struct peer_status *status_of(const struct engine_status *status,
                                           struct device_id device)
{
    static const struct peer_status nothing = {.rtt_ms = -1};
    for (uint32_t i = 0; i < status->peer_count; i++)
        if (device_equal(status->peers[i].device, device)) return &status->peers[i];
    return &nothing;
}

static json_t *peer_json(const struct agent *agent, const struct registry_peer *peer,
                         const struct engine_status *status)
{
    char id[DEVICE_ID_TEXT_MAX];
    json_t *out = json_object();
    json_object_set_new(out, "name", json_string(peer->name));
    json_object_set_new(out, "id", json_string(device_id_text(peer->device, id)));
    json_object_set_new(out, "addresses", json_texts(peer->addresses, peer->address_count));
    json_object_set_new(out, "approves", json_boolean(peer->approves));
    json_object_set_new(out, "declared_at",
                        peer->declared_at ? json_bytes(slice_text(peer->declared_at))
                                          : json_null());
    json_object_set_new(out, "folders", folders_with(agent, peer->name));
    links_describe(agent, peer, status_of(status, peer->device), out);
    return out;
}

json_t *control_peer_json(struct agent *agent, const struct registry_peer *peer)
{
    struct engine_status status;
    engine_status(agent->engine, agent->scratch, &status);
    return peer_json(agent, peer, &status);
}

void control_peers_list(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    struct engine_status status;
    engine_status(agent->engine, agent->scratch, &status);
    const struct registry_peer *peers;
    uint32_t count = registry_peers(agent->registry, &peers);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, peer_json(agent, &peers[i], &status));
    json_t *out = json_object();
    json_object_set_new(out, "now_ms", json_integer((json_int_t)agent->wall_ms));
    json_object_set_new(out, "peers", list);
    json_object_set_new(out, "known", known_json(agent, true));
    control_answer(agent, request, out);
}

// ---- add

static bool device_fits(struct agent *agent, uint64_t request, const char *text,
                        struct device_id *out)
{
    unsigned group = 0;
    uint8_t curve[CURVE_KEY_BYTES];
    if (device_id_parse(text, out, &group) != ERR_OK) {
        if (group > 0) {
            control_refuse(agent, request, REFUSE_BAD_DEVICE_ID,
                           "cfgsync-agent id, on the other device, prints it",
                           "group %u of the device id is mistyped", group);
        } else {
            control_refuse(agent, request, REFUSE_BAD_DEVICE_ID,
                           "cfgsync-agent id, on the other device, prints it",
                           "this is no whole device id");
        }
        return false;
    }
    if (device_curve_key(*out, curve) != ERR_OK) {
        control_refuse(agent, request, REFUSE_BAD_DEVICE_ID, NULL, "this is no device's key");
        return false;
    }
    if (!device_equal(*out, agent->device)) return true;
    control_refuse(agent, request, REFUSE_OWN_DEVICE, "give the id of the other device",
                   "this is this device's own id");
    return false;
}

static bool addresses_fit(struct agent *agent, uint64_t request, char *const *addresses,
                          uint32_t count)
{
    if (count > REGISTRY_ADDRESSES_MAX) {
        control_refuse(agent, request, REFUSE_BAD_ADDRESS, NULL, "more than %d addresses",
                       (int)REGISTRY_ADDRESSES_MAX);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (address_valid(addresses[i], false)) continue;
        control_refuse(agent, request, REFUSE_BAD_ADDRESS, "for example tcp://192.168.1.5:7575",
                       "\"%.300s\" is not tcp://host:port", addresses[i]);
        return false;
    }
    return true;
}

static bool same_addresses(const struct registry_peer *a, const struct registry_peer *b)
{
    if (a->address_count != b->address_count) return false;
    for (uint32_t i = 0; i < a->address_count; i++) {
        if (strcmp(a->addresses[i], b->addresses[i]) != 0) return false;
    }
    return true;
}

// Nobody else may have the name or the device.
static bool peer_is_free(struct agent *agent, uint64_t request, const struct registry_peer *peer)
{
    const struct registry_peer *named = registry_peer(agent->registry, peer->name);
    if (named != NULL && !device_equal(named->device, peer->device)) {
        control_refuse(agent, request, REFUSE_EXISTS,
                       "choose another name, or remove that peer first",
                       "another device is called %s already", peer->name);
        return false;
    }
    const struct registry_peer *known = registry_peer_by_device(agent->registry, peer->device);
    if (known != NULL && strcmp(known->name, peer->name) != 0) {
        control_refuse(agent, request, REFUSE_EXISTS, "cfgsync-agent peer rename changes its name",
                       "this device is a peer already, called %s", known->name);
        return false;
    }
    return true;
}

void control_peers_add(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "name");
    struct registry_peer peer = {0};
    if (!name_valid(name)) {
        control_refuse(agent, request, REFUSE_BAD_NAME, NULL,
                       "\"%.64s\" is not a name: 1 to 64 letters, digits, '.', '_', '-'", name);
        return;
    }
    peer.name = arena_text(agent->scratch, slice_text(name));
    peer.approves = body_bool(body, "approves", true);
    peer.addresses = body_texts(agent, body, "addresses", &peer.address_count);
    if (!device_fits(agent, request, body_text(body, "id"), &peer.device)) return;
    if (!addresses_fit(agent, request, peer.addresses, peer.address_count)) return;
    if (!peer_is_free(agent, request, &peer)) return;

    const struct registry_peer *known = registry_peer(agent->registry, name);
    bool unchanged =
        known != NULL && known->approves == peer.approves && same_addresses(known, &peer);
    if (known != NULL && known->declared_at != NULL && !unchanged) {
        control_refuse(agent, request, REFUSE_DECLARED, "change it there; the agent reads it again",
                       "peer %s stands in the config file, %s", name, known->declared_at);
        return;
    }
    enum err err = unchanged ? ERR_OK : peers_put(agent, &peer);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "the registry cannot be written: %s",
                       err_text(err));
        return;
    }
    json_t *out = control_peer_json(agent, registry_peer(agent->registry, name));
    if (unchanged) json_object_set_new(out, "unchanged", json_true());
    control_answer(agent, request, out);
    show_dirty(agent);
}

// ---- remove, rename

// The peer, or NULL after a refusal: unknown, declared, or named by a declared folder.
static const struct registry_peer *changeable(struct agent *agent, uint64_t request,
                                              const char *name)
{
    const struct registry_peer *peer = registry_peer(agent->registry, name);
    if (peer == NULL) {
        control_unknown_peer(agent, request, name);
        return NULL;
    }
    if (peer->declared_at != NULL) {
        control_refuse(agent, request, REFUSE_DECLARED, "change it there; the agent reads it again",
                       "peer %s stands in the config file, %s", name, peer->declared_at);
        return NULL;
    }
    const struct registry_folder *folders;
    uint32_t count = registry_folders(agent->registry, &folders);
    for (uint32_t i = 0; i < count; i++) {
        bool declared = folders[i].declared_at != NULL && !folders[i].ends;
        for (uint32_t w = 0; w < folders[i].with_count && declared; w++) {
            if (strcmp(folders[i].with[w], name) != 0) continue;
            control_refuse(agent, request, REFUSE_DECLARED,
                           "change it there; the agent reads it again",
                           "folder %s is shared with %s in the config file, %s", folders[i].name,
                           name, folders[i].declared_at);
            return NULL;
        }
    }
    return peer;
}

void control_peers_remove(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "name");
    if (changeable(agent, request, name) == NULL) return;
    enum err err = peers_remove(agent, name, true);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "the registry cannot be written: %s",
                       err_text(err));
        return;
    }
    control_answer(agent, request, json_object());
    show_dirty(agent);
}

void control_peers_rename(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *old = body_text(body, "old");
    const char *name = body_text(body, "new");
    if (changeable(agent, request, old) == NULL) return;
    if (!name_valid(name)) {
        control_refuse(agent, request, REFUSE_BAD_NAME, NULL,
                       "\"%.64s\" is not a name: 1 to 64 letters, digits, '.', '_', '-'", name);
        return;
    }
    if (strcmp(old, name) != 0 && registry_peer(agent->registry, name) != NULL) {
        control_refuse(agent, request, REFUSE_EXISTS, NULL, "another peer is called %s already",
                       name);
        return;
    }
    enum err err =
        strcmp(old, name) == 0 ? ERR_OK : registry_rename_peer(agent->registry, old, name);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "the registry cannot be written: %s",
                       err_text(err));
        return;
    }
    const struct registry_peer *peer = registry_peer(agent->registry, name);
    engine_peer_put(agent->engine, peer->device, peer->name);
    control_answer(agent, request, control_peer_json(agent, peer));
    show_dirty(agent);
}
