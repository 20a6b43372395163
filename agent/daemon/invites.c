// SPDX-License-Identifier: MIT
//
// Who comes with an invitation says one thing, JOIN: a signature and its card. Who has come once is
// answered again, because the answer may have been lost; another device takes a use, if one is
// left.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/pairing_priv.h"
#include "crypto/pairing.h"
#include "proto/vv.h"

enum { EXPIRE_AGAIN_MS = 60 * 1000 };

enum err invites_start(struct agent *agent, struct buf *out_message)
{
    struct fault fault = {0};
    enum err err = invites_open(agent->state_fd, HOME_INVITES_NAME, &agent->invites, &fault);
    if (err) {
        buf_printf(out_message, "%s/%s cannot be used: %s", agent->home.state_dir,
                   HOME_INVITES_NAME, fault.what);
    }
    return err;
}

void invites_end(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->guest_count; i++)
        free(agent->guests[i].host);
    free(agent->guests);
    agent->guest_count = 0;
    invites_close(&agent->invites);
}

enum err invites_revoke(struct agent *agent, struct device_id key)
{
    enum err err = invites_remove(agent->invites, key);
    if (err) return err;
    peers_trust(agent);
    net_forget(agent->net, key);
    return ERR_OK;
}

// The secret of an invitation by which the device came is still in its hands: whoever else the
// invitation was for needs a new one.
enum err invites_revoke_of(struct agent *agent, struct device_id device)
{
    const struct invite *list;
    for (uint32_t i = invites_all(agent->invites, &list); i-- > 0;) {
        char id[DEVICE_ID_TEXT_MAX];
        if (!invite_used_by(&list[i], device)) continue;
        log_info(LOG_DAEMON, "invitation revoked", "id=%s why=\"a device that used it is removed\"",
                 device_id_short(list[i].key, id));
        enum err err = invites_revoke(agent, list[i].key);
        if (err) return err;
    }
    return ERR_OK;
}

// ---- time

void invites_expire(struct agent *agent)
{
    const struct invite *list;
    if (agent->now_ms < agent->expire_due_ms) return;
    for (uint32_t i = invites_all(agent->invites, &list); i-- > 0;) {
        if (list[i].expires_ms > agent->wall_ms) continue;
        char id[DEVICE_ID_TEXT_MAX];
        (void)device_id_short(list[i].key, id);
        // What cannot be written now is refused all the same, and is tried again.
        if (invites_revoke(agent, list[i].key) != ERR_OK) {
            agent->expire_due_ms = agent->now_ms + EXPIRE_AGAIN_MS;
            return;
        }
        log_info(LOG_DAEMON, "invitation expired", "id=%s", id);
    }
}

int64_t invites_deadline(const struct agent *agent)
{
    const struct invite *list;
    int64_t next = INT64_MAX;
    uint32_t count = invites_all(agent->invites, &list);
    for (uint32_t i = 0; i < count; i++) {
        int64_t left = list[i].expires_ms - agent->wall_ms;
        int64_t due = agent->now_ms + (left > 0 ? left : 0);
        if (due < next) next = due;
    }
    return next > agent->expire_due_ms ? next : agent->expire_due_ms;
}

// ---- guests

static struct guest *guest_find(const struct agent *agent, conn_id conn)
{
    for (uint32_t i = 0; i < agent->guest_count; i++)
        if (agent->guests[i].conn == conn) return &agent->guests[i];
    return NULL;
}

static void guest_add(struct agent *agent, const struct net_event *event)
{
    agent->guests = mem_realloc(agent->guests, (agent->guest_count + 1) * sizeof *agent->guests);
    agent->guests[agent->guest_count++] =
        (struct guest){event->conn, event->device,
                       mem_strdup(arena_text(agent->scratch, address_host(event->address)))};
}

static void guest_remove(struct agent *agent, struct guest *guest)
{
    free(guest->host);
    *guest = agent->guests[--agent->guest_count];
}

// ---- JOIN

static void answer(struct agent *agent, const struct guest *guest, enum join_answer what)
{
    AUTO(buf_fini) struct buf bytes = {0};
    uint8_t word = (uint8_t)what;
    buf_append(&bytes, &word, 1);
    if (what == JOIN_OK) introduce_self(agent, &bytes);
    enum err err = net_send(agent->net, guest->conn, buf_slice(&bytes));
    if (err) log_warn(LOG_DAEMON, "invitation not answered", "error=\"%s\"", err_text(err));
}

// A folder that has gone meanwhile, or is declared in the config file, is left as it is.
static enum err share(struct agent *agent, const char *name, const char *peer)
{
    const struct registry_folder *known = registry_folder(agent->registry, name);
    if (known == NULL || known->with_all || known->declared_at != NULL) return ERR_OK;
    for (uint32_t i = 0; i < known->with_count; i++)
        if (strcmp(known->with[i], peer) == 0) return ERR_OK;
    struct registry_folder folder = *known;
    folder.with = arena_alloc(agent->scratch, (size_t)known->with_count + 1, sizeof *folder.with);
    for (uint32_t i = 0; i < known->with_count; i++)
        folder.with[i] = known->with[i];
    folder.with[folder.with_count++] = arena_text(agent->scratch, slice_text(peer));
    return registry_put_folder(agent->registry, &folder);
}

// OK: *out is to be said. What cannot be written is not answered: the guest comes again.
static enum err admit(struct agent *agent, const struct guest *guest, const struct card *card,
                      enum join_answer *out)
{
    char *peer;
    bool is_new;
    const struct invite *invite = invites_find(agent->invites, guest->key);
    *out = JOIN_EXPIRED;
    if (invite == NULL || invite->expires_ms <= agent->wall_ms) return ERR_OK;
    *out = JOIN_FAILED;
    if (device_equal(card->device, agent->device)) return ERR_OK;
    *out = JOIN_USED_UP;
    enum err err = invites_use(agent->invites, guest->key, card->device);
    if (err == ERR_DENIED) return ERR_OK;
    if (!err) err = introduce(agent, card, guest->host, NULL, &peer, &is_new);
    for (uint32_t i = 0; i < invite->folder_count && !err; i++)
        err = share(agent, invite->folders[i], peer);
    if (err) return err;
    if (invite->folder_count > 0) folders_share_again(agent);
    char id[DEVICE_ID_TEXT_MAX];
    log_info(LOG_DAEMON, "invitation used", "id=%s peer=%s", device_id_short(guest->key, id), peer);
    show_dirty(agent);
    *out = JOIN_OK;
    return ERR_OK;
}

static bool join_read(struct agent *agent, const struct guest *guest, struct slice bytes,
                      struct card *out)
{
    struct signature signature;
    struct fault fault;
    AUTO(buf_fini) struct buf text = {0};
    if (bytes.size < sizeof signature.bytes) return false;
    memcpy(signature.bytes, bytes.data, sizeof signature.bytes);
    bytes = slice_of(bytes.data + sizeof signature.bytes, bytes.size - sizeof signature.bytes);
    if (card_read(bytes, out, &fault) != ERR_OK) return false;
    buf_append(&text, agent->device.bytes, sizeof agent->device.bytes);
    buf_append(&text, bytes.data, bytes.size);
    return statement_verify(out->device, JOIN_TAG, guest->key.bytes, buf_slice(&text), &signature);
}

static void on_join(struct agent *agent, const struct guest *guest, struct slice bytes)
{
    struct card card;
    if (!join_read(agent, guest, bytes, &card)) {
        log_warn(LOG_DAEMON, "bad use of an invitation", "address=\"%s\"", guest->host);
        net_drop(agent->net, guest->conn);
        return;
    }
    enum join_answer what;
    enum err err = admit(agent, guest, &card, &what);
    if (!err) {
        answer(agent, guest, what);
        return;
    }
    log_error(LOG_DAEMON, "invited device not stored", "error=\"%s\"", err_text(err));
    net_drop(agent->net, guest->conn);
}

bool invites_net(struct agent *agent, const struct net_event *event)
{
    if (event->kind == NET_UP && invites_find(agent->invites, event->device) != NULL) {
        guest_add(agent, event);
        return true;
    }
    struct guest *guest = guest_find(agent, event->conn);
    if (guest == NULL) return false;
    if (event->kind == NET_MESSAGE) on_join(agent, guest, event->bytes);
    if (event->kind == NET_DOWN) guest_remove(agent, guest);
    return true;
}
