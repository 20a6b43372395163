// SPDX-License-Identifier: MIT
//
// Offers: telling a peer what is shared with it, and what comes of what it tells. Which folder is
// which is adopt.c's.
#include <string.h>

#include "agent/sync/owners_priv.h"

enum { TELL_AGAIN_MS = 5 * 1000 };

static enum offer_state offer_state_of(const struct share *share)
{
    const struct folder *folder = share->folder;
    if (folder->gone || !folder_shared_with(folder, share->session->peer->device))
        return OFFER_GONE;
    if (share_paused(folder, share->session->peer)) return OFFER_PAUSED;
    if (folder->root == ROOT_MISSING) return OFFER_ERROR;
    if (!folder->row.scanned || folder->root != ROOT_OK) return OFFER_SCANNING;
    return share->pending ? OFFER_PENDING : OFFER_READY;
}

void share_offer(struct share *share)
{
    struct folder *folder = share->folder;
    struct arena *arena = folder->engine->scratch;
    if (!folder->id_known || join_leaving(folder)) return;
    struct message m = {.kind = MSG_OFFER};
    // What was shown before may have been said to another life of the folder there.
    vvbox_fini(&share->shown);
    vvbox_fini(&share->owners_shown);
    owners_show(share, folder->k.v);
    m.offer.folder = folder->row.id;
    m.offer.name = slice_text(folder->name);
    // One that is to be drawn anew may be of another key.
    if (!folder->row.renew) {
        m.offer.inc = folder->row.inc;
        memcpy(m.offer.nonce, folder->row.nonce, sizeof m.offer.nonce);
    }
    m.offer.state = offer_state_of(share);
    share->told_paused = m.offer.state == OFFER_PAUSED;
    m.offer.has_items = folder->row.ever_had_items || folder->row.items > 0;
    m.offer.k = own_hidden(share, folder->k.v);
    m.offer.marks = marks_to_show(share, arena, m.offer.k);
    epochs_to_show(share, m.offer.k, &m.offer.marks);
    m.offer.a = own_hidden(share, folder_applied(folder, arena));
    m.offer.gcfloor = folder->gcfloor.v;
    m.offer.items = sum_shown(folder->row.items);
    m.offer.bytes = sum_shown(folder->row.bytes);
    m.offer.heard = share->offer_heard;
    vvbox_set(&share->told_k, m.offer.k);
    share->offer_sent = true;
    share->told_items = folder->row.items;
    share->told_bytes = folder->row.bytes;
    share->told_ms = folder->engine->now_ms;
    (void)session_send(share->session, LANE_CONTROL, &m);
}

void session_offer_all(struct session *session)
{
    for (struct folder *f = session->engine->folders; f != NULL; f = f->next) {
        if (f->gone || !folder_shared_with(f, session->peer->device)) continue;
        share_offer(share_get(session, f));
    }
}

void folder_offer_all(struct folder *folder)
{
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct session *session = p->in_use;
        if (session == NULL) continue;
        struct share *share = share_find(session, folder);
        if (share == NULL && (folder->gone || !folder_shared_with(folder, p->device))) continue;
        if (share == NULL) share = share_get(session, folder);
        share_offer(share);
        if (!folder->gone && !folder_shared_with(folder, p->device)) share_start_anew(share);
    }
}

// Whoever has not joined it sees how much there is, and hears of it by offers alone.
static bool told_past(const struct share *share)
{
    const struct folder *folder = share->folder;
    return share->offer_sent && !share->told_paused && !share->joined && !folder->gone &&
           (share->told_items != folder->row.items || share->told_bytes != folder->row.bytes) &&
           folder_shared_with(folder, share->session->peer->device) && !join_leaving(folder);
}

void offer_tick(struct share *share)
{
    if (told_past(share) && share->folder->engine->now_ms >= share->told_ms + TELL_AGAIN_MS)
        share_offer(share);
}

int64_t offer_deadline(const struct share *share)
{
    return told_past(share) ? share->told_ms + TELL_AGAIN_MS : INT64_MAX;
}

// An OFFER says whose its incarnation is. 0: none has been drawn yet.
static bool offer_owner(struct session *session, struct folder *folder,
                        const struct msg_offer *offer)
{
    struct owner owner = {.inc = offer->inc,
                          .device = session->peer->device,
                          .name = slice_text(session->peer->name)};
    memcpy(owner.nonce, offer->nonce, sizeof owner.nonce);
    return owner.inc == 0 || owners_learn(session, folder, &owner, 1);
}

void offer_handle(struct session *session, const struct msg_offer *offer)
{
    struct engine *engine = session->engine;
    struct folder *folder = folder_by_id(engine, offer->folder);
    offered_note(session, offer);
    if (folder == NULL) folder = folder_by_name(engine, offer->name);
    if (folder == NULL || !folder_shared_with(folder, session->peer->device)) return;
    struct share *share = share_get(session, folder);
    if (share->retired) share_start_anew(share);
    // What is news to us may mean that ours was lost on the other side: it had no such folder then.
    bool news = !share->offer_heard || share->offer_state != offer->state ||
                share->offered_items != offer->has_items ||
                !folder_id_equal(share->offered_id, offer->folder) ||
                share->offered_inc != offer->inc;
    // What was under way was under way with another life of it.
    if (share->offered_inc != offer->inc && share->offered_inc != 0) share_start_anew(share);
    share->offered_inc = offer->inc;
    share->offer_heard = true;
    share->offer_state = offer->state;
    share->offered_id = offer->folder;
    share->offered_items = offer->has_items;
    share->offered_count = offer->items;
    share->offered_bytes = offer->bytes;
    engine_changed(engine);
    bool same = folder_id_equal(offer->folder, folder->row.id);
    if (offer->state == OFFER_GONE || offer->state == OFFER_PAUSED) {
        share_start_anew(share);
        share->pending = share->offer_heard = false;
        if (same && offer->state == OFFER_PAUSED) bond_join(folder, session->peer->device);
        return;
    }
    if (same && (!offer_owner(session, folder, offer) || !marks_learn(share, &offer->marks)))
        return;
    share->compared |= same;
    if (same) bond_join(folder, session->peer->device); // whatever keeps us from exchanging it
    if (news || !offer->heard) share_offer(share);
    if (share_paused(folder, session->peer)) return;
    if (!same) {
        share->joined = false;
        offer_review(share);
        return;
    }
    if (!counters_marked(share, offer->k) || !counters_marked(share, offer->a)) return;
    if (folder_turning(folder) || join_leaving(folder)) return;
    share_join(share, offer);
}
