// SPDX-License-Identifier: MIT
//
// Devices that several peers trust and this one does not: shown, and trusted in one step.
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/names_priv.h"
#include "agent/daemon/pairing_priv.h"
#include "agent/sync/known.h"
#include "crypto/identity.h"
#include "proto/vv.h"

// What peers say of a device, as the card that it would show itself.
static struct card card_of(const struct agent *agent, const struct known_device *device)
{
    struct card out = {.device = device->device, .name = device->by[0].name};
    for (uint32_t i = 0; i < device->address_count && i < CARD_ADDRESSES_MAX; i++) {
        if (address_valid(arena_text(agent->scratch, device->addresses[i]), false))
            out.addresses[out.address_count++] = device->addresses[i];
    }
    return out;
}

static json_t *known_to(const struct known_device *device)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < device->by_count; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "peer", json_bytes(device->by[i].peer));
        json_object_set_new(one, "name", json_bytes(device->by[i].name));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *one_json(const struct agent *agent, const struct known_device *device, bool removed)
{
    struct card card = card_of(agent, device);
    json_t *addresses = json_array();
    for (uint32_t i = 0; i < card.address_count; i++)
        json_array_append_new(addresses, json_bytes(card.addresses[i]));
    json_t *out = introduce_json(agent, &card, "", NULL);
    json_object_set_new(out, "known_to", known_to(device));
    json_object_set_new(out, "addresses", addresses);
    json_object_set_new(out, "removed", json_boolean(removed));
    return out;
}

json_t *known_json(const struct agent *agent, bool with_removed)
{
    struct known_device *devices;
    uint32_t count = engine_known(agent->engine, agent->scratch, &devices);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        bool removed = registry_was_removed(agent->registry, devices[i].device);
        if (removed && !with_removed) continue;
        json_array_append_new(list, one_json(agent, &devices[i], removed));
    }
    return list;
}

static const struct known_device *find(const struct agent *agent, struct device_id device)
{
    struct known_device *devices;
    uint32_t count = engine_known(agent->engine, agent->scratch, &devices);
    for (uint32_t i = 0; i < count; i++)
        if (device_equal(devices[i].device, device)) return &devices[i];
    return NULL;
}

// Only what is a candidate now: what was shown a while ago may have been removed elsewhere since.
void control_peers_trust(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "name");
    struct device_id device;
    uint8_t curve[CURVE_KEY_BYTES];
    unsigned group = 0;
    char *called;
    bool is_new;
    if (device_id_parse(body_text(body, "id"), &device, &group) != ERR_OK ||
        device_curve_key(device, curve) != ERR_OK) {
        control_refuse(agent, request, REFUSE_BAD_DEVICE_ID, "cfgsync-agent peer list shows it",
                       "this is no whole device id");
        return;
    }
    const struct known_device *known = find(agent, device);
    if (known == NULL) {
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE,
                       "cfgsync-agent peer list shows who is; cfgsync-agent pair needs nobody else",
                       "that device is not known to two of the devices that are trusted here");
        return;
    }
    if (!introduce_name_fits(agent, request, name)) return;
    struct card card = card_of(agent, known);
    enum err err = introduce(agent, &card, "", name, &called, &is_new);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "the registry cannot be written: %s",
                       err_text(err));
        return;
    }
    json_t *out = control_peer_json(agent, registry_peer(agent->registry, called));
    json_object_set_new(out, "own", introduce_own_json(agent));
    control_answer(agent, request, out);
    show_dirty(agent);
}
