// SPDX-License-Identifier: MIT
//
// Pauses: nothing of a folder goes to a peer or comes from it. They stay connected, and the index
// goes on following the disk, so that what is saved meanwhile has its time and its place in the
// chain. For the peer the folder is as if it was not shared, but it is told that it only pauses:
// who forgets deletions goes on counting it, and who waits for it does not take it for gone.
#include "agent/sync/engine_priv.h"

bool share_paused(const struct folder *folder, const struct peer *peer)
{
    return folder->engine->paused || folder->paused || peer->paused;
}

// It said so.
bool share_paused_there(const struct share *share)
{
    return share != NULL && share->offer_state == OFFER_PAUSED;
}

// Both at once, so that no message of before counts after it goes on.
static void shares_leave(struct folder *folder)
{
    for (struct session *s = folder->engine->sessions; s != NULL; s = s->next) {
        struct share *share = share_find(s, folder);
        if (share == NULL || !share_paused(folder, s->peer)) continue;
        share_start_anew(share);
        share->pending = false;
    }
}

static void folder_settle(struct folder *folder)
{
    shares_leave(folder);
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        if (p->in_use == NULL || !folder_shared_with(folder, p->device)) continue;
        struct share *share = share_get(p->in_use, folder);
        if (share->offer_sent && share->told_paused != share_paused(folder, p)) share_offer(share);
    }
}

static void settle(struct engine *engine)
{
    arena_reset(engine->scratch);
    for (struct folder *f = engine->folders; f != NULL; f = f->next)
        if (!f->gone) folder_settle(f);
    engine_changed(engine);
    engine_tick(engine);
}

void engine_pause(struct engine *engine, bool paused)
{
    if (engine->paused == paused) return;
    engine->paused = paused;
    settle(engine);
}

void engine_folder_pause(struct engine *engine, const char *name, bool paused)
{
    struct folder *folder = folder_by_name(engine, slice_text(name));
    if (folder == NULL || folder->paused == paused) return;
    folder->paused = paused;
    settle(engine);
}

void engine_peer_pause(struct engine *engine, struct device_id device, bool paused)
{
    struct peer *peer = peer_find(engine, device);
    if (peer == NULL || peer->paused == paused) return;
    peer->paused = paused;
    settle(engine);
}
