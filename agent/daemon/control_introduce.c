// SPDX-License-Identifier: MIT
//
// Pairing over a way that says itself who is there (ssh): cards go through the local API, and who
// may use that is believed. And cards as JSON, for people to look at.
#include <stdlib.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/names_priv.h"
#include "agent/daemon/pairing_priv.h"
#include "crypto/hash.h"
#include "crypto/words.h"
#include "proto/vv.h"

// ---- as JSON

json_t *introduce_own_json(const struct agent *agent)
{
    char words[FINGERPRINT_TEXT_MAX];
    json_t *out = json_object();
    json_object_set_new(out, "name", json_bytes(slice_text(agent->name)));
    json_object_set_new(out, "fingerprint", json_string(fingerprint_text(agent->device, words)));
    return out;
}

json_t *introduce_json(const struct agent *agent, const struct card *card, const char *host,
                       const char *wanted)
{
    char words[FINGERPRINT_TEXT_MAX];
    char id[DEVICE_ID_TEXT_MAX];
    bool known = registry_peer_by_device(agent->registry, card->device) != NULL;
    json_t *out = json_object();
    json_object_set_new(out, "name", json_bytes(card->name));
    json_object_set_new(out, "platform", json_bytes(card->platform));
    json_object_set_new(out, "program", json_bytes(card->program));
    json_object_set_new(out, "id", json_string(device_id_text(card->device, id)));
    json_object_set_new(out, "fingerprint", json_string(fingerprint_text(card->device, words)));
    json_object_set_new(out, "address", json_bytes(slice_text(host)));
    json_object_set_new(out, "as", json_string(introduce_name(agent, card, wanted)));
    json_object_set_new(out, "known", json_boolean(known));
    json_object_set_new(out, "own", introduce_own_json(agent));
    return out;
}

bool introduce_name_fits(struct agent *agent, uint64_t request, const char *name)
{
    if (name == NULL) return true;
    if (!name_valid(name)) {
        control_refuse(agent, request, REFUSE_BAD_NAME, NULL,
                       "\"%.64s\" is not a name: 1 to 64 letters, digits, '.', '_', '-'", name);
        return false;
    }
    if (registry_peer(agent->registry, name) == NULL) return true;
    control_refuse(agent, request, REFUSE_EXISTS, "choose another name, or remove that peer first",
                   "a device is called %s already", name);
    return false;
}

// ---- requests

static bool unhex(const char *text, struct buf *out)
{
    size_t size = strlen(text);
    if (size % 2 != 0 || size > 2 * CARD_BYTES_MAX) return false;
    if (strspn(text, "0123456789abcdef") != size) return false;
    for (size_t i = 0; i < size; i += 2) {
        char pair[3] = {text[i], text[i + 1], '\0'};
        uint8_t byte = (uint8_t)strtoul(pair, NULL, 16);
        buf_append(out, &byte, 1);
    }
    return true;
}

// The card of the request, borrowed from the scratch arena. False: refused.
static bool body_card(struct agent *agent, uint64_t request, const json_t *body, struct card *out)
{
    AUTO(buf_fini) struct buf bytes = {0};
    struct fault fault = {0};
    uint8_t curve[CURVE_KEY_BYTES];
    bool ok = unhex(body_text(body, "card"), &bytes) &&
              card_read(arena_copy(agent->scratch, buf_slice(&bytes)), out, &fault) == ERR_OK &&
              device_curve_key(out->device, curve) == ERR_OK;
    if (!ok) {
        control_refuse(agent, request, REFUSE_BAD_VALUE,
                       "install the same version on both machines", "card: %s",
                       fault.what != NULL ? fault.what : "is none");
        return false;
    }
    if (!device_equal(out->device, agent->device)) return true;
    control_refuse(agent, request, REFUSE_OWN_DEVICE,
                   "if that is a copy of this machine: cfgsync-agent rekey on one of them",
                   "the other machine has this device's own key");
    return false;
}

// A known device keeps the name it has.
static bool name_is_free(struct agent *agent, uint64_t request, const struct card *card,
                         const char *name)
{
    if (registry_peer_by_device(agent->registry, card->device) != NULL) return true;
    return introduce_name_fits(agent, request, name);
}

void control_pair_card(struct agent *agent, uint64_t request, const json_t *body)
{
    AUTO(buf_fini) struct buf bytes = {0};
    char text[2 * CARD_BYTES_MAX + 1];
    const char *name = body_text(body, "name");
    const char *host = body_text(body, "host");
    struct card other;
    bool has_card = body_text(body, "card") != NULL;
    if (has_card && !body_card(agent, request, body, &other)) return;
    if (has_card && !name_is_free(agent, request, &other, name)) return;
    introduce_self(agent, &bytes);
    hex_lower(bytes.data, bytes.size, text);
    json_t *out = json_object();
    json_object_set_new(out, "card", json_string(text));
    if (has_card) {
        json_object_set_new(out, "other",
                            introduce_json(agent, &other, host != NULL ? host : "", name));
    }
    control_answer(agent, request, out);
}

void control_pair_introduce(struct agent *agent, uint64_t request, const json_t *body)
{
    struct card card;
    char *peer;
    bool is_new;
    const char *name = body_text(body, "name");
    if (!body_card(agent, request, body, &card)) return;
    if (!name_is_free(agent, request, &card, name)) return;
    enum err err = introduce(agent, &card, body_text(body, "host"), name, &peer, &is_new);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "the registry cannot be written: %s",
                       err_text(err));
        return;
    }
    json_t *out = json_object();
    json_object_set_new(out, "state", json_string("done"));
    json_object_set_new(out, "peer", json_string(peer));
    json_object_set_new(out, "new", json_boolean(is_new));
    control_answer(agent, request, out);
    show_dirty(agent);
}
