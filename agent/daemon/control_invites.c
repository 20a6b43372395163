// SPDX-License-Identifier: MIT
//
// Invitations, as the local API has them.
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/names_priv.h"
#include "agent/net/pair.h"
#include "crypto/pairing.h"

enum { EXPIRES_S = 3600, EXPIRES_S_MAX = 30 * 86400, EXPIRES_S_MIN = 1 };

static json_t *invite_json(const struct invite *invite)
{
    char id[DEVICE_ID_TEXT_MAX];
    json_t *out = json_object();
    json_object_set_new(out, "id", json_string(device_id_short(invite->key, id)));
    json_object_set_new(out, "uses", json_integer(invite->uses));
    json_object_set_new(out, "used", json_integer(invite->used_count));
    json_object_set_new(out, "made_ms", json_integer(invite->made_ms));
    json_object_set_new(out, "expires_ms", json_integer(invite->expires_ms));
    json_object_set_new(out, "folders", json_texts(invite->folders, invite->folder_count));
    return out;
}

void control_invites_list(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    const struct invite *list;
    uint32_t count = invites_all(agent->invites, &list);
    json_t *invites = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(invites, invite_json(&list[i]));
    json_t *out = json_object();
    json_object_set_new(out, "invites", invites);
    control_answer(agent, request, out);
}

// ---- a new one

static bool folders_fit(struct agent *agent, uint64_t request, struct invite *invite,
                        char *const *names, uint32_t count)
{
    if (count > INVITE_FOLDERS_MAX) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "folders: at most %d",
                       (int)INVITE_FOLDERS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct registry_folder *folder = registry_folder(agent->registry, names[i]);
        if (folder == NULL) {
            control_unknown_folder(agent, request, names[i]);
            return false;
        }
        if (folder->declared_at != NULL && !folder->with_all) {
            control_refuse(
                agent, request, REFUSE_DECLARED, "change it there; the agent reads it again",
                "folder %s stands in the config file, %s", names[i], folder->declared_at);
            return false;
        }
        bool twice = false;
        for (uint32_t j = 0; j < invite->folder_count; j++)
            twice = twice || strcmp(invite->folders[j], names[i]) == 0;
        if (!twice) invite->folders[invite->folder_count++] = names[i];
    }
    return true;
}

// The addresses that the caller names, then those that are listened on.
static bool ticket_addresses(struct agent *agent, uint64_t request, const json_t *body,
                             struct ticket *ticket)
{
    const char *const *endpoints;
    struct reach reach;
    uint32_t given;
    char **at = body_texts(agent, body, "at", &given);
    uint32_t count = net_endpoints(agent->net, &endpoints);
    reach_of(endpoints, count, &reach);
    if (count == 0) {
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE,
                       "invite from a machine that the others can reach",
                       "this machine listens nowhere, so nobody could come");
        return false;
    }
    for (uint32_t i = 0; i < given; i++) {
        bool fits = address_valid(at[i], false) && strlen(at[i]) <= CARD_TEXT_MAX;
        if (!fits || i == CARD_ADDRESSES_MAX) {
            control_refuse(agent, request, REFUSE_BAD_ADDRESS, "for example tcp://192.168.1.5:7575",
                           "\"%.300s\" is not tcp://host:port, or one too many", at[i]);
            return false;
        }
        ticket->addresses[ticket->address_count++] = slice_text(at[i]);
    }
    for (uint32_t i = 0; i < reach.count && ticket->address_count < CARD_ADDRESSES_MAX; i++) {
        ticket->addresses[ticket->address_count++] =
            slice_text(arena_text(agent->scratch, slice_text(reach.addresses[i])));
    }
    return true;
}

static void answer_new(struct agent *agent, uint64_t request, const struct ticket *ticket,
                       const struct invite *invite)
{
    AUTO(buf_fini) struct buf bytes = {0};
    AUTO(buf_fini) struct buf text = {0};
    ticket_write(ticket, &bytes);
    token_text(buf_slice(&bytes), &text);
    json_t *out = json_object();
    json_object_set_new(out, "token", json_string(buf_text(&text)));
    json_object_set_new(out, "invite", invite_json(invite));
    control_answer(agent, request, out);
    crypto_wipe(bytes.data, bytes.size);
    crypto_wipe(text.data, text.size);
}

static void refuse_new(struct agent *agent, uint64_t request, enum err err)
{
    if (err == ERR_LIMIT) {
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE, "cfgsync-agent invite list, and revoke",
                       "there are %d open invitations already", (int)INVITES_MAX);
        return;
    }
    control_refuse(agent, request, REFUSE_FAILED, NULL, "the invitation cannot be written: %s",
                   err_text(err));
}

// One that is used up is kept only to repeat an answer that was lost: the oldest makes room.
static enum err make_room(struct agent *agent)
{
    const struct invite *list;
    uint32_t count = invites_all(agent->invites, &list);
    if (count < INVITES_MAX) return ERR_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].used_count == list[i].uses) return invites_revoke(agent, list[i].key);
    }
    return ERR_OK;
}

void control_invites_add(struct agent *agent, uint64_t request, const json_t *body)
{
    struct ticket ticket = {.device = agent->device};
    int64_t uses = 1, seconds = EXPIRES_S;
    uint32_t folder_count;
    char **folders = body_texts(agent, body, "folders", &folder_count);
    struct invite *invite = arena_alloc(agent->scratch, 1, sizeof *invite);
    if (!body_whole(agent, request, body, "uses", 1, INVITE_USES_MAX, &uses)) return;
    if (!body_whole(agent, request, body, "expires_s", EXPIRES_S_MIN, EXPIRES_S_MAX, &seconds))
        return;
    if (!folders_fit(agent, request, invite, folders, folder_count)) return;
    if (!ticket_addresses(agent, request, body, &ticket)) return;
    crypto_random(ticket.seed, sizeof ticket.seed);
    AUTO(identity_destroy) struct identity *key = identity_from_seed(ticket.seed);
    invite->key = identity_device(key);
    invite->uses = (uint32_t)uses;
    invite->made_ms = agent->wall_ms;
    invite->expires_ms = agent->wall_ms + seconds * 1000;
    enum err err = make_room(agent);
    if (!err) err = invites_add(agent->invites, invite);
    if (err) {
        refuse_new(agent, request, err);
    } else {
        peers_trust(agent);
        answer_new(agent, request, &ticket, invite);
    }
    crypto_wipe(ticket.seed, sizeof ticket.seed);
}

// ---- away

void control_invites_revoke(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *wanted = body_text(body, "id");
    const struct invite *list;
    uint32_t found = 0;
    bool all = strcmp(wanted, "all") == 0;
    enum err err = ERR_OK;
    for (uint32_t i = invites_all(agent->invites, &list); i-- > 0 && !err;) {
        char id[DEVICE_ID_TEXT_MAX];
        if (!all && strcmp(device_id_short(list[i].key, id), wanted) != 0) continue;
        found++;
        err = invites_revoke(agent, list[i].key);
    }
    if (err) {
        refuse_new(agent, request, err);
    } else if (found == 0 && !all) {
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE,
                       "cfgsync-agent invite list shows all; expired ones go by themselves",
                       "there is no invitation %.64s", wanted);
    } else {
        json_t *out = json_object();
        json_object_set_new(out, "revoked", json_integer(found));
        control_answer(agent, request, out);
    }
}
